//! A replication slot as a run's origin.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::{Origin, Plan, known_topic};
use crate::book::log::entry::{PartitionEntry, SourceKind, TopicEntry};
use crate::book::{State, TopicState};
use crate::change::{End, Failure, Lsn, Partition};
use crate::control::{Shutdown, SourceProgress};
use crate::postgres::SqlClient;
use crate::replication::{Identity, SlotSettings, SlotSurvey, flushed_to};
use crate::server::SlotReport;
use crate::source::Source;
use crate::source::slot::{SlotBaseline, SlotPlan, SlotSource, plan_slot};

/// Reads a replication slot.
pub struct SlotOrigin {
    settings: SlotSettings,
    until_end: bool,
    shutdown: Shutdown,
    source_progress: SourceProgress,
    /// The server that the run was planned with.
    identity: OnceLock<Identity>,
    /// The connection on which the end of the WAL is asked for, unless it broke.
    asking: Mutex<Option<SqlClient>>,
}

impl SlotOrigin {
    /// An origin that has not connected yet.
    pub fn new(settings: SlotSettings, until_end: bool, shutdown: &Shutdown) -> SlotOrigin {
        SlotOrigin {
            settings,
            until_end,
            shutdown: shutdown.clone(),
            source_progress: SourceProgress::default(),
            identity: OnceLock::new(),
            asking: Mutex::default(),
        }
    }
}

impl Origin for SlotOrigin {
    fn name(&self) -> String {
        format!("slot {}", self.settings.slot)
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Slot
    }

    fn until_end(&self) -> bool {
        self.until_end
    }

    fn plan(&self, state: &State) -> Result<Plan, Failure> {
        let name = &self.settings.slot;
        let in_book = known_topic(state, name, SourceKind::Slot)?;
        let known = in_book.and_then(slot_baseline);
        let planned = plan_slot(&self.settings, known.as_ref(), self.until_end, &self.shutdown)?;
        let topics = fence_topics(name, in_book, &planned, self.settings.options.identity());
        // A fence that is tried again plans again, with the same server.
        let _ = self.identity.set(planned.identity);
        Ok(Plan { topics, starts: vec![planned.start] })
    }

    fn source(&self, _worker: usize) -> Result<Box<dyn Source>, Failure> {
        let (settings, known) = (self.settings.clone(), self.identity.get().cloned());
        Ok(Box::new(SlotSource::new(settings, known, self.shutdown.clone(), self.source_progress.clone())))
    }

    fn knows_ends(&self) -> bool {
        true
    }

    fn ends(&self) -> Result<Vec<(Partition, End)>, Failure> {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let mut client = match asking.take() {
            Some(client) => client,
            None => SqlClient::connect(&self.settings.connect, &[])?,
        };
        let end = flushed_to(&mut client)?;
        *asking = Some(client);
        let partition = Partition { topic: self.settings.slot.clone(), number: 0 };
        Ok(vec![(partition, End::at(end.as_i64() + 1))])
    }

    fn source_progress(&self) -> SourceProgress {
        self.source_progress.clone()
    }

    fn slot_report(&self) -> Result<Option<SlotReport>, Failure> {
        let mut client = SqlClient::connect(&self.settings.connect, &[])?;
        let survey = SlotSurvey::query(&mut client, Some(&self.settings.slot))?.pop();
        let text = |lsn: Option<Lsn>| lsn.map(|lsn| lsn.to_string());
        Ok(survey.map(|survey| SlotReport {
            active: survey.status.active_pid.is_some(),
            confirmed_lsn: text(survey.status.confirmed_flush_lsn),
            restart_lsn: text(survey.status.restart_lsn),
            lag_bytes: survey.lag_bytes(),
            retained_bytes: survey.retained_bytes(),
            wal_status: survey.status.wal_status,
            name: survey.status.name,
        }))
    }
}

fn slot_baseline(topic: &TopicState) -> Option<SlotBaseline> {
    let identity = Identity { system: topic.id.clone(), timeline: topic.timeline.unwrap_or(1) };
    let recent = topic.recent.clone();
    topic.positions.get(&0).map(|position| SlotBaseline {
        identity,
        next: position.next,
        recent,
        plugin_options: topic.plugin_options.clone(),
    })
}

/// The topics that the fence entry must name: a slot that is new to the book, or that continues on a newer timeline or with
/// other options.
fn fence_topics(
    name: &str,
    known: Option<&TopicState>,
    planned: &SlotPlan,
    options: String,
) -> BTreeMap<String, TopicEntry> {
    let timeline = Some(planned.identity.timeline);
    let positions = match known {
        Some(known) if known.timeline == timeline && known.plugin_options.as_ref() == Some(&options) => {
            return BTreeMap::new();
        }
        Some(_) => BTreeMap::new(),
        None => BTreeMap::from([(0, PartitionEntry::start(planned.start.from))]),
    };
    let (id, source) = (planned.identity.system.clone(), SourceKind::Slot);
    let plugin_options =
        Some(options).filter(|options| known.and_then(|known| known.plugin_options.as_ref()) != Some(options));
    let entry = TopicEntry { id, partitions: 1, positions, source, timeline, plugin_options, last_transaction: None };
    BTreeMap::from([(name.to_owned(), entry)])
}
