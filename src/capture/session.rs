//! One session: from a slot that nothing else reads to a topic that is written, in an order in which no failure stays unnoticed.

use std::sync::Arc;
use std::thread;

use tracing::{debug, info, warn};

use super::flow::{Flow, FlowEnd};
use super::position::position_topic;
use super::publisher::Publisher;
use super::shutdown_deadline::ShutdownDeadline;
use super::topics::{CaptureTopics, CheckedTopic, MISSED_UNKNOWN_TIMEOUT, UNKNOWN_TIMEOUT, WRITTEN_UNKNOWN_TIMEOUT};
use super::{CaptureError, CaptureProgress, CaptureSettings, Position, Until};
use crate::change::{Lsn, RecentTransactions};
use crate::control::SourceProgress;
use crate::replication::{
    PrimarySession, PumpContext, SilenceLimit, SlotError, SlotSession, SlotSettings, SlotState, SlotStatus,
    check_not_ahead, check_options, open,
};

/// Bytes of transactions that may wait between slot and topic.
const QUEUE_BYTES: usize = 16 << 20;

/// What a process keeps from one session to the next.
pub(super) struct CaptureProcess<'a> {
    pub(super) settings: &'a CaptureSettings,
    pub(super) deadline: &'a ShutdownDeadline,
    pub(super) progress: &'a CaptureProgress,
    /// The id of this process in the positions that it writes.
    pub(super) writer: String,
    /// Whether this process has claimed the topic before: then another writer's position is a successor's.
    pub(super) has_claimed: bool,
    /// The end, once it is known.
    pub(super) until: Option<Lsn>,
    /// How long the server may be silent.
    pub(super) silence_limit: SilenceLimit,
    /// Whether the session before ended because the brokers had not known a topic any more for a while.
    pub(super) has_seen_change: bool,
}

/// After what the topic is continued.
enum StartPoint {
    /// A position of this process, or of an earlier capture.
    Known(Box<Position>),
    /// An LSN that the user vouches for.
    Assumed(Lsn),
    /// The slot's confirmed LSN: the topic is new.
    Confirmed,
}

impl CaptureProcess<'_> {
    /// Runs one session to its end.
    pub(super) fn run_session(&mut self) -> Result<(), CaptureError> {
        let topics = CaptureTopics::connect(self.settings, self.deadline)?;
        if !self.has_claimed {
            self.check_server(&topics)?;
        }
        // Only to decide what may be created; it is read again when no other capture can write.
        let (expected, topic) = self.read_start(&topics)?;
        let session = self.start_session(&topics, &expected)?;
        let state = session.state().clone();
        let until = match self.settings.until {
            Until::Never => None,
            Until::Start => Some(*self.until.get_or_insert(state.server.end)),
            Until::Lsn(lsn) => Some(lsn),
        };
        // What is repeated is compared with the position, which is known only when the topic is claimed.
        let recent = RecentTransactions::default();
        let context = PumpContext::new(Lsn::ZERO, recent, QUEUE_BYTES, SourceProgress::default(), Arc::new(|| {}))
            .with_silence_limit(self.silence_limit.clone());
        thread::scope(|scope| {
            // Before the producer starts: the server needs its status while Kafka is slow.
            let pump = thread::Builder::new()
                .name("slot".to_owned())
                .spawn_scoped(scope, || session.pump(state.confirmed, until, &context))
                .expect("a thread can be started");
            let ended = Publisher::open(self.settings, topic.batch_bytes, self.deadline)
                .and_then(|publisher| self.publish(publisher, &topics, &state, &context, || pump.is_finished()));
            context.stop();
            let pumped = pump.join().expect("a panic ends the process");
            match (ended?, pumped) {
                (FlowEnd::NoDeliveries, Err(error)) => Err(error.into()),
                (FlowEnd::NoDeliveries, Ok(())) => {
                    Err(SlotError::Protocol("the slot's stream ended by itself".to_owned()).into())
                }
                (FlowEnd::Reached | FlowEnd::Stopped, pumped) => {
                    if let Err(error) = pumped {
                        // What was not confirmed will be sent again, and skipped.
                        debug!(%error, "could not confirm the last position to the slot");
                    }
                    Ok(())
                }
            }
        })
    }

    /// Claims the topic, and publishes until something ends it.
    fn publish(
        &mut self,
        publisher: Publisher<'_>,
        topics: &CaptureTopics<'_>,
        state: &SlotState,
        context: &PumpContext,
        has_ended: impl Fn() -> bool,
    ) -> Result<FlowEnd, CaptureError> {
        // Again: the producer is the topic's only one now, so nothing can change what is read.
        let (start, topic) = self.read_start(topics)?;
        let mut position = self.start_position(start, &topic, state)?;
        let watch = topics.watch(&topic.id);
        let known = std::mem::take(&mut position.ends);
        let is_uncompared = known.is_empty() && !self.has_claimed;
        // Lives shorter than the watch.
        let mut publisher = publisher;
        publisher.set_topic(topics.ends(known), &watch);
        publisher.update_ends(position.lsn)?;
        if is_uncompared && publisher.has_ends() {
            info!("whether the topic still holds what was captured is not compared: its position names no ends");
        }
        let (start, timeline) = (position.lsn, position.identity.timeline);
        let spill = &self.settings.slot.spill;
        let repeat_check = position.repeat_check(state.confirmed);
        if let Some(why) = repeat_check.uncompared().filter(|_| !self.has_claimed) {
            info!("whether the server was set back to an older state is not compared: {why}");
        }
        let mut flow = Flow::claim(publisher, self.deadline, self.progress, context, spill, position, repeat_check)?;
        self.has_claimed = true;
        info!(
            slot = self.settings.slot.slot,
            topic = self.settings.topic,
            position = %start,
            timeline,
            until = self.until.map(|until| until.to_string()),
            "capturing"
        );
        let ended = flow.run(&watch, has_ended);
        if ended.is_err() {
            flow.abort();
        }
        ended
    }

    /// Reads after what the topic is continued, and refuses a topic that does not belong to this slot.
    fn read_start(&self, topics: &CaptureTopics<'_>) -> Result<(StartPoint, CheckedTopic), CaptureError> {
        let settings = self.settings;
        let topic = settings.topic.clone();
        let timeout = match (self.has_claimed, self.has_seen_change) {
            (true, false) => WRITTEN_UNKNOWN_TIMEOUT,
            (true, true) => MISSED_UNKNOWN_TIMEOUT,
            (false, _) => UNKNOWN_TIMEOUT,
        };
        let mut position = if self.has_claimed { topics.position_within(timeout)? } else { topics.position()? };
        if self.has_claimed && position.is_none() {
            // Before anything is created: a new topic would not be the one that was written.
            let (position_topic, position) = (position_topic(&topic), self.progress.position());
            return Err(CaptureError::PositionGone { topic, position_topic, position });
        }
        self.refuse_if_fenced(position.as_ref())?;
        let checked = topics.check(position.as_ref(), timeout)?;
        if position.is_none() && !checked.is_empty {
            // A broker that has just started may not know the position's topic yet.
            position = topics.position_within(timeout)?;
        }
        let start = match (position, settings.assume_position) {
            (Some(position), _) if position.slot != settings.slot.slot => {
                let (owner, slot) = (position.slot, settings.slot.slot.clone());
                return Err(CaptureError::OtherSlot { topic, owner, position: position.lsn, slot });
            }
            (Some(position), _)
                if position.topic_id != checked.id && !position.topic_id.is_empty() && !checked.id.is_empty() =>
            {
                return Err(CaptureError::Recreated {
                    position_topic: position_topic(&topic),
                    topic,
                    position: position.lsn,
                    expected: position.topic_id,
                    found: checked.id,
                });
            }
            (Some(position), _) => StartPoint::Known(Box::new(position)),
            (None, Some(assumed)) => StartPoint::Assumed(assumed),
            (None, None) if checked.is_empty => StartPoint::Confirmed,
            (None, None) => return Err(CaptureError::NoPosition { position_topic: position_topic(&topic), topic }),
        };
        Ok((start, checked))
    }

    fn refuse_if_fenced(&self, position: Option<&Position>) -> Result<(), CaptureError> {
        match position {
            Some(position) if self.has_claimed && position.writer != self.writer => {
                let (topic, writer) = (self.settings.topic.clone(), position.writer.clone());
                Err(CaptureError::Fenced { topic, writer })
            }
            _ => Ok(()),
        }
    }

    /// Refuses a server, a role or a slot that cannot be captured, before topics are created for it.
    fn check_server(&self, topics: &CaptureTopics<'_>) -> Result<(), CaptureError> {
        let settings = &self.settings.slot;
        let position = topics.position()?;
        let check = || {
            let PrimarySession { mut sql, .. } = open(settings)?;
            match SlotStatus::query(&mut sql, &settings.slot)? {
                Some(status) => status.check(settings.connect.database()),
                None if settings.create && position.is_none() => Ok(()),
                None => Err(SlotError::NoSlot { slot: settings.slot.clone() }),
            }
        };
        check().map_err(|error| CaptureProcess::after(error, position.as_ref()))
    }

    /// The error for a topic that holds everything up to `position`, if it has one.
    fn after(error: SlotError, position: Option<&Position>) -> CaptureError {
        match position {
            Some(position) => error.after(position.lsn).into(),
            None => error.into(),
        }
    }

    /// Starts to read the slot: from here on nothing else reads it.
    fn start_session(&self, topics: &CaptureTopics<'_>, start: &StartPoint) -> Result<SlotSession, CaptureError> {
        // A slot that is created now begins at the end of WAL: after a known position, changes would be missing.
        let create = self.settings.slot.create && matches!(start, StartPoint::Confirmed);
        let slot = SlotSettings { create, ..self.settings.slot.clone() };
        let mut fenced = None;
        let session = SlotSession::start(slot, self.deadline.shutdown(), || {
            // The process that reads the slot may have replaced this one while it was suspended.
            let position = if self.has_claimed { topics.position() } else { Ok(None) };
            match position.and_then(|position| self.refuse_if_fenced(position.as_ref())) {
                Err(error @ CaptureError::Fenced { .. }) => {
                    fenced = Some(error);
                    Err(SlotError::Stopped)
                }
                Err(error) => {
                    debug!(%error, "could not read which capture writes to the topic");
                    Ok(())
                }
                Ok(()) => Ok(()),
            }
        });
        if let Some(fenced) = fenced {
            return Err(fenced);
        }
        session.map_err(|error| match (error, start) {
            (SlotError::Stopped, _) => CaptureError::Stopped,
            (error, StartPoint::Known(position)) => CaptureProcess::after(error, Some(position)),
            (error, StartPoint::Assumed(_) | StartPoint::Confirmed) => error.into(),
        })
    }

    /// The position after which to continue, if the server can.
    fn start_position(
        &self,
        start: StartPoint,
        topic: &CheckedTopic,
        state: &SlotState,
    ) -> Result<Position, CaptureError> {
        let slot = &self.settings.slot.slot;
        let (identity, end) = (&state.server.identity, state.server.end);
        let new = |lsn| Position {
            lsn,
            partial: None,
            is_assumed: false,
            recent: RecentTransactions::default(),
            plugin_options: Some(self.settings.slot.options.identity()),
            ends: Vec::new(),
            identity: identity.clone(),
            slot: slot.clone(),
            database: self.settings.slot.connect.database().to_owned(),
            topic_id: topic.id.clone(),
            writer: self.writer.clone(),
        };
        match start {
            StartPoint::Known(known) => {
                if self.settings.assume_position.is_some() && !self.has_claimed {
                    warn!(position = %known.lsn, "--assume-position is not needed: the topic has a position");
                }
                // If a transaction was published in part, the server's history must contain its end.
                state.check_continues(slot, known.lsn, known.reach(), &known.identity)?;
                let now = new(known.lsn);
                let options = now.plugin_options.as_deref().unwrap_or_default();
                check_options(known.plugin_options.as_deref(), options, known.reach(), state.confirmed)?;
                let is_same = known.plugin_options.is_none() || known.plugin_options == now.plugin_options;
                let Position { partial, is_assumed, recent, ends, .. } = *known;
                // What was read with other options is not repeated any more.
                let recent = if is_same { recent } else { RecentTransactions::default() };
                Ok(Position { partial, is_assumed, recent, ends, ..now })
            }
            StartPoint::Assumed(lsn) if lsn > end => Err(CaptureError::Setup(format!(
                "--assume-position {lsn} lies beyond the server's end of WAL, {end}: nothing can be in the topic up to there"
            ))),
            StartPoint::Assumed(lsn) => {
                check_not_ahead(slot, lsn, state.confirmed)?;
                Ok(Position { is_assumed: true, ..new(lsn) })
            }
            StartPoint::Confirmed => Ok(new(state.confirmed)),
        }
    }
}
