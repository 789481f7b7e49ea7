//! A replication slot as the place that records come from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::{Leading, Plan, known};
use crate::book::entry::{PartitionEntry, SourceKind, TopicEntry};
use crate::book::{State, TopicState};
use crate::change::{End, Lsn, Partition};
use crate::postgres::{Client, Purpose};
use crate::process::{Quiet, Shutdown};
use crate::server::{AskEnds, SlotView};
use crate::slot::{Identity, SlotError, SlotSettings, SlotSurvey, flushed_to};
use crate::source::slot::{KnownSlot, SlotPlan, SlotSource, plan_slot};
use crate::source::{MakeSource, Source};

/// Makes sources that connect when the slot is theirs; `identity` is known once the run is planned.
fn source(
    slot: &SlotSettings,
    identity: Arc<OnceLock<Identity>>,
    shutdown: &Shutdown,
    quiet: &Quiet,
) -> Arc<MakeSource> {
    let (slot, shutdown, quiet) = (slot.clone(), shutdown.clone(), quiet.clone());
    Arc::new(move |_worker| {
        let source = SlotSource::new(slot.clone(), identity.get().cloned(), shutdown.clone(), quiet.clone());
        Ok(Box::new(source) as Box<dyn Source>)
    })
}

/// Looks at the slot when the run is planned, and only then makes it if that was asked for.
pub(super) fn lead(slot: &SlotSettings, until_end: bool, shutdown: &Shutdown) -> Leading {
    let identity = Arc::new(OnceLock::new());
    let (settings, seen, stop) = (slot.clone(), Arc::clone(&identity), shutdown.clone());
    let plan = Box::new(move |state: &State| {
        let name = &settings.slot;
        let in_book = known(state, name, SourceKind::Slot)?;
        let planned = plan_slot(&settings, in_book.and_then(known_slot).as_ref(), until_end, &stop)?;
        let topics = fence_topics(name, in_book, &planned);
        // A fence that is tried again looks again, at the same server.
        let _ = seen.set(planned.identity);
        Ok(Plan { topics, starts: vec![planned.start] })
    });
    let (asked, quiet) = (slot.clone(), Quiet::default());
    Leading {
        name: format!("slot {}", slot.slot),
        source: source(slot, identity, shutdown, &quiet),
        until_end,
        plan,
        // A slot stays one partition, and its reader hears at once when it changes.
        discovery: None,
        discover_interval: Duration::MAX,
        permit: Box::new(|| Ok(())),
        // The reader confirms what is durable.
        announce: Box::new(|_| {}),
        kind: SourceKind::Slot,
        ask_ends: Some(ask_ends(slot)),
        quiet,
        ask_slot: Some(Box::new(move || ask_slot(&asked).map_err(|error| error.to_string()))),
        finish: Box::new(|| Ok(())),
    }
}

/// Asks where the WAL ends that the slot is read from, on a connection that is kept, and made anew when it broke.
fn ask_ends(slot: &SlotSettings) -> Box<AskEnds> {
    let connect = slot.connect.clone();
    let kept: Mutex<Option<Client>> = Mutex::default();
    let partition = Partition { topic: slot.slot.clone(), number: 0 };
    Box::new(move || {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ask = || -> Result<Lsn, SlotError> {
            let mut client = match kept.take() {
                Some(client) => client,
                None => Client::connect(&connect, Purpose::Sql, &[])?,
            };
            let end = flushed_to(&mut client)?;
            *kept = Some(client);
            Ok(end)
        };
        let end = End::at(ask().map_err(|error| error.to_string())?.as_i64() + 1);
        Ok(vec![(partition.clone(), end)])
    })
}

/// Looks at the slot, on a connection of its own.
fn ask_slot(slot: &SlotSettings) -> Result<Option<SlotView>, SlotError> {
    let mut client = Client::connect(&slot.connect, Purpose::Sql, &[])?;
    let survey = SlotSurvey::take(&mut client, Some(&slot.slot))?.pop();
    let text = |lsn: Option<Lsn>| lsn.map(|lsn| lsn.to_string());
    Ok(survey.map(|survey| SlotView {
        active: survey.status.active_pid.is_some(),
        confirmed_lsn: text(survey.status.confirmed_flush_lsn),
        restart_lsn: text(survey.status.restart_lsn),
        lag_bytes: survey.lag_bytes(),
        retained_bytes: survey.retained_bytes(),
        wal_status: survey.status.wal_status,
        name: survey.status.name,
    }))
}

fn known_slot(topic: &TopicState) -> Option<KnownSlot> {
    let identity = Identity { system: topic.id.clone(), timeline: topic.timeline.unwrap_or(1) };
    topic.positions.get(&0).map(|position| KnownSlot { identity, next: position.next })
}

/// What the fence tells: a slot that is new to the book, or that goes on on a newer timeline.
fn fence_topics(name: &str, known: Option<&TopicState>, planned: &SlotPlan) -> BTreeMap<String, TopicEntry> {
    let timeline = Some(planned.identity.timeline);
    let positions = match known {
        Some(known) if known.timeline == timeline => return BTreeMap::new(),
        Some(_) => BTreeMap::new(),
        None => BTreeMap::from([(0, PartitionEntry::start(planned.start.from))]),
    };
    let (id, source) = (planned.identity.system.clone(), SourceKind::Slot);
    let entry = TopicEntry { id, partitions: 1, positions, source, timeline };
    BTreeMap::from([(name.to_owned(), entry)])
}
