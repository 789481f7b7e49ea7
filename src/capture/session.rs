//! One try: from a slot that is free to a topic that is written, in the order in which nothing can go wrong unseen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use tracing::{debug, info, warn};

use super::flow::{Ended, Flow};
use super::patience::Patience;
use super::position::position_topic;
use super::publisher::Publisher;
use super::topics::{CaptureTopics, CheckedTopic, UNKNOWN, UNKNOWN_THOUGH_WRITTEN};
use super::{CaptureError, CaptureSettings, Position, Traffic, Until};
use crate::change::Lsn;
use crate::process::Quiet;
use crate::slot::{self, Duty, Handoff, SlotError, SlotSettings, Standing, Started, check_history, check_not_ahead};

/// Bytes of transactions that may wait between slot and topic.
const WAITING_BYTES: usize = 16 << 20;

/// What a process keeps from one session to the next.
pub(super) struct Process<'a> {
    pub(super) settings: &'a CaptureSettings,
    pub(super) patience: &'a Patience,
    pub(super) traffic: &'a Traffic,
    /// The id by which positions of this process are known.
    pub(super) writer: String,
    /// Whether this process has claimed the topic before: then a position of another writer is a successor's.
    pub(super) claimed: bool,
    /// The end, once it is known.
    pub(super) until: Option<Lsn>,
}

/// Where a topic begins to be written.
enum Beginning {
    /// After a position of ours, or of an earlier capture.
    Known(Position),
    /// After an LSN that the user vouches for.
    Assumed(Lsn),
    /// Where the slot stands: the topic is new.
    New,
}

impl Process<'_> {
    /// Runs one session to its end.
    pub(super) fn session(&mut self) -> Result<Ended, CaptureError> {
        let topics = CaptureTopics::connect(self.settings, self.patience)?;
        // A look only: what is made depends on it. What counts is read when nobody else can write.
        let (expected, topic) = self.look(&topics)?;
        let started = self.take_slot(&topics, &expected)?;
        let standing = started.standing.clone();
        let until = match self.settings.until {
            Until::Never => None,
            Until::Start => Some(*self.until.get_or_insert(standing.server.end)),
            Until::Lsn(lsn) => Some(lsn),
        };
        let (confirmed, stop) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicBool::new(false)));
        let deliveries = Arc::new(Handoff::new(WAITING_BYTES));
        let duty = Duty {
            deliveries: Arc::clone(&deliveries),
            delivered: AtomicI64::new(0),
            confirmed: Arc::clone(&confirmed),
            quiet: Quiet::default(),
            stop: Arc::clone(&stop),
            wake: Arc::new(|| {}),
        };
        let slot = &self.settings.slot;
        thread::scope(|scope| {
            // From now on: the server must be answered while Kafka takes its time.
            let pump = thread::Builder::new()
                .name("slot".to_owned())
                .spawn_scoped(scope, || slot::pump(started, slot, standing.confirmed, until, &duty))
                .expect("a thread can be started");
            let ended = Publisher::open(self.settings, topic.batch_bytes, self.patience)
                .and_then(|publisher| self.publish(publisher, &topics, &standing, &duty, || pump.is_finished()));
            stop.store(true, Ordering::Release);
            let pumped = pump.join().expect("a panic ends the process");
            match (ended, pumped) {
                (Err(error), _) => Err(error),
                (Ok(Ended::NothingComes), Err(error)) => Err(error.into()),
                (Ok(Ended::NothingComes), Ok(())) => {
                    Err(SlotError::Protocol("the slot's stream ended by itself".to_owned()).into())
                }
                (Ok(ended), Err(error)) => {
                    // What was not confirmed will be sent again, and left out.
                    debug!(%error, "the slot did not hear the end");
                    Ok(ended)
                }
                (Ok(ended), Ok(())) => Ok(ended),
            }
        })
    }

    /// Claims the topic, and moves its position on until something ends it.
    fn publish(
        &mut self,
        publisher: Publisher<'_>,
        topics: &CaptureTopics<'_>,
        standing: &Standing,
        duty: &Duty,
        nothing_comes: impl Fn() -> bool,
    ) -> Result<Ended, CaptureError> {
        // The producer is the topic's only one: what is read now is the truth.
        let (beginning, topic) = self.look(topics)?;
        let position = self.position(beginning, &topic, standing)?;
        let watch = topics.watch(&topic.id);
        let (known, timeline) = (position.lsn, position.identity.timeline);
        let spill_folder = self.settings.slot.spill.folder.display().to_string();
        let mut flow = Flow::claim(publisher, self.patience, self.traffic, &duty.confirmed, position, spill_folder)?;
        self.claimed = true;
        info!(
            slot = self.settings.slot.slot,
            topic = self.settings.topic,
            position = %known,
            timeline,
            until = self.until.map(|until| until.to_string()),
            "capturing"
        );
        let ended = flow.run(&duty.deliveries, &watch, nothing_comes);
        if ended.is_err() {
            flow.give_up();
        }
        ended
    }

    /// Reads where the topic stands, and refuses a topic that is not this slot's.
    fn look(&self, topics: &CaptureTopics<'_>) -> Result<(Beginning, CheckedTopic), CaptureError> {
        let settings = self.settings;
        let topic = settings.topic.clone();
        let patience = if self.claimed { UNKNOWN_THOUGH_WRITTEN } else { UNKNOWN };
        let mut position = if self.claimed { topics.position_within(patience)? } else { topics.position()? };
        if self.claimed && position.is_none() {
            // Before anything is made: what would be new here is not the topic that was written.
            let (position_topic, position) = (position_topic(&topic), self.traffic.position());
            return Err(CaptureError::PositionGone { topic, position_topic, position });
        }
        self.refuse_if_fenced(position.as_ref())?;
        let checked = topics.check(position.as_ref(), patience)?;
        if position.is_none() && !checked.is_empty {
            // A broker that has just started may not know of it yet; an assumed position is for topics without one.
            position = topics.position_within(patience)?;
        }
        let beginning = match (position, settings.assume_position) {
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
            (Some(position), _) => Beginning::Known(position),
            (None, Some(assumed)) => Beginning::Assumed(assumed),
            (None, None) if checked.is_empty => Beginning::New,
            (None, None) => return Err(CaptureError::NoPosition { position_topic: position_topic(&topic), topic }),
        };
        Ok((beginning, checked))
    }

    fn refuse_if_fenced(&self, position: Option<&Position>) -> Result<(), CaptureError> {
        match position {
            Some(position) if self.claimed && position.writer != self.writer => {
                let (topic, writer) = (self.settings.topic.clone(), position.writer.clone());
                Err(CaptureError::Fenced { topic, writer })
            }
            _ => Ok(()),
        }
    }

    /// Takes the slot: from here on nobody else reads it.
    fn take_slot(&self, topics: &CaptureTopics<'_>, beginning: &Beginning) -> Result<Started, CaptureError> {
        // A new slot would begin at the end of WAL, and hide what lies between the position and that.
        let create = self.settings.slot.create && matches!(beginning, Beginning::New);
        let slot = SlotSettings { create, ..self.settings.slot.clone() };
        let mut fenced = None;
        let started = slot::start(&slot, self.patience.shutdown(), || {
            // Whoever holds the slot may have replaced this process while it was asleep.
            let position = if self.claimed { topics.position() } else { Ok(None) };
            match position.and_then(|position| self.refuse_if_fenced(position.as_ref())) {
                Err(error @ CaptureError::Fenced { .. }) => {
                    fenced = Some(error);
                    Err(SlotError::Stopped)
                }
                Err(error) => {
                    debug!(%error, "could not look who writes");
                    Ok(())
                }
                Ok(()) => Ok(()),
            }
        });
        if let Some(fenced) = fenced {
            return Err(fenced);
        }
        started.map_err(|error| match (error, beginning) {
            (SlotError::Stopped, _) => CaptureError::Stopped,
            (SlotError::NoSlot { slot }, Beginning::Known(position)) => {
                SlotError::Vanished { slot, position: position.lsn }.into()
            }
            (SlotError::Lost { slot, reason, .. }, Beginning::Known(position)) => {
                SlotError::Lost { slot, reason, position: position.lsn.to_string() }.into()
            }
            (error, _) => error.into(),
        })
    }

    /// The position to go on from, if the server can.
    fn position(
        &self,
        beginning: Beginning,
        topic: &CheckedTopic,
        standing: &Standing,
    ) -> Result<Position, CaptureError> {
        let slot = &self.settings.slot.slot;
        let (seen, end) = (&standing.server.identity, standing.server.end);
        let fresh = |lsn| Position {
            lsn,
            partial: None,
            is_assumed: false,
            identity: seen.clone(),
            slot: slot.clone(),
            database: self.settings.slot.connect.database().to_owned(),
            topic_id: topic.id.clone(),
            writer: self.writer.clone(),
        };
        let position = match beginning {
            Beginning::Known(known) => {
                if self.settings.assume_position.is_some() && !self.claimed {
                    warn!(position = %known.lsn, "--assume-position is not needed: the topic has a position");
                }
                // Of a transaction that is there in part, the history must hold the end.
                check_history(known.reach(), &known.identity, seen, &standing.branches, end)?;
                Position { partial: known.partial, is_assumed: known.is_assumed, ..fresh(known.lsn) }
            }
            Beginning::Assumed(lsn) if lsn > end => {
                return Err(CaptureError::Setup(format!(
                    "--assume-position {lsn} lies beyond the server's end of WAL, {end}: nothing can be in the topic up to there"
                )));
            }
            Beginning::Assumed(lsn) => Position { is_assumed: true, ..fresh(lsn) },
            Beginning::New => fresh(standing.confirmed),
        };
        check_not_ahead(slot, position.lsn, standing.confirmed)?;
        Ok(position)
    }
}
