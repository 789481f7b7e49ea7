//! A replication slot as the place that records come from.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::{Leading, Plan, known};
use crate::book::entry::{PartitionEntry, SourceKind, TopicEntry};
use crate::book::{State, TopicState};
use crate::process::Shutdown;
use crate::slot::{Identity, SlotSettings};
use crate::source::slot::{KnownSlot, SlotPlan, SlotSource, plan_slot};
use crate::source::{MakeSource, Source};

/// Makes sources that connect when the slot is theirs; `identity` is known once the run is planned.
fn source(slot: &SlotSettings, identity: Arc<OnceLock<Identity>>, shutdown: &Shutdown) -> Arc<MakeSource> {
    let (slot, shutdown) = (slot.clone(), shutdown.clone());
    Arc::new(move |_worker| {
        let source = SlotSource::new(slot.clone(), identity.get().cloned(), shutdown.clone());
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
    Leading {
        name: format!("slot {}", slot.slot),
        source: source(slot, identity, shutdown),
        until_end,
        plan,
        // A slot stays one partition, and its reader hears at once when it changes.
        discovery: None,
        discover_interval: Duration::MAX,
        permit: Box::new(|| Ok(())),
        // The reader confirms what is durable.
        announce: Box::new(|_| {}),
        finish: Box::new(|| Ok(())),
    }
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
