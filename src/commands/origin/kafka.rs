//! Topics of Kafka as the place that records come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::warn;

use super::{Leading, Plan, known};
use crate::book::entry::{PartitionEntry, SourceKind, TopicEntry};
use crate::book::{Book, State};
use crate::change::{Partition, PartitionStart};
use crate::process::Quiet;
use crate::settings::KafkaOrigin;
use crate::source::kafka::{
    KafkaDiscovery, KafkaError, KafkaSource, KnownTopic, Topic, Topics, Watermarks, check_same_topics, plan_topic,
};
use crate::source::{Discovery, MakeSource, Source};

/// Makes consumers.
pub(super) fn source(origin: &KafkaOrigin) -> Arc<MakeSource> {
    let kafka = origin.kafka.clone();
    Arc::new(move |worker| Ok(Box::new(KafkaSource::new(&kafka, worker)?) as Box<dyn Source>))
}

/// Connects, and describes the topics.
pub(super) fn lead(origin: &KafkaOrigin, until_end: bool, book: &Book) -> anyhow::Result<Leading> {
    let group = origin.group.clone().unwrap_or_else(|| format!("walbook-{}", book.id()));
    let topics = Arc::new(Topics::connect(&origin.kafka, &origin.topics, &group)?);
    let described = topics.describe()?;

    let discovery: Option<Box<dyn Discovery>> = match until_end {
        true => None,
        false => Some(Box::new(KafkaDiscovery::new(Arc::clone(&topics), described.clone()))),
    };
    let (asking, same) = (Arc::clone(&topics), described.clone());
    let permit = Box::new(move || match check_same_topics(&asking, &same) {
        Err(error) if error.is_data_loss() => Err(error.into()),
        Err(error) => {
            warn!(%error, "could not ask whether the topics are still the same");
            Ok(())
        }
        Ok(()) => Ok(()),
    });
    let told = Arc::clone(&topics);
    let announce = Box::new(move |state: &State| told.tell_group(&state.next_offsets().collect()));

    let asking = Arc::clone(&topics);
    let ask_ends = Box::new(move || asking.ends().map_err(|error| error.to_string()));

    let (asking, from) = (Arc::clone(&topics), origin.from);
    // Asked once: a fence that must be tried again should not take as long again.
    let mut asked: BTreeMap<Partition, Watermarks> = BTreeMap::new();
    let mut watermarks = move |partition: &Partition| -> Result<Watermarks, KafkaError> {
        match asked.get(partition) {
            Some(known) => Ok(*known),
            None => Ok(*asked.entry(partition.clone()).or_insert(asking.watermarks(partition)?)),
        }
    };
    let plan = Box::new(move |state: &State| {
        let mut starts = Vec::new();
        for (name, topic) in &described {
            let known = known(state, name, SourceKind::Kafka)?.map(|known| KnownTopic {
                id: known.id.clone(),
                next_offsets: known.positions.iter().map(|(number, position)| (*number, position.next)).collect(),
            });
            starts.extend(plan_topic(name, topic, known.as_ref(), from, until_end, &mut watermarks)?);
        }
        Ok(Plan { topics: new_topics(state, &described, &starts), starts })
    });
    Ok(Leading {
        name: origin.topics.join(", "),
        source: source(origin),
        until_end,
        plan,
        discovery,
        discover_interval: origin.kafka.metadata_refresh_interval(),
        permit,
        announce,
        kind: SourceKind::Kafka,
        ask_ends: Some(ask_ends),
        quiet: Quiet::default(),
        ask_slot: None,
        finish: Box::new(move || {
            topics.await_group();
            Ok(())
        }),
    })
}

/// The topics that the fence must tell: new ones with where they start.
fn new_topics(
    state: &State,
    described: &BTreeMap<String, Topic>,
    starts: &[PartitionStart],
) -> BTreeMap<String, TopicEntry> {
    let mut entries = BTreeMap::new();
    for (name, topic) in described.iter().filter(|(name, _)| !state.topics.contains_key(*name)) {
        let of_topic = starts.iter().filter(|start| start.partition.topic == *name);
        let positions = of_topic.map(|start| (start.partition.number, PartitionEntry::start(start.from)));
        let (id, partitions) = (topic.id.clone(), topic.partitions);
        let entry = TopicEntry { id, partitions, positions: positions.collect(), ..TopicEntry::default() };
        entries.insert(name.clone(), entry);
    }
    entries
}
