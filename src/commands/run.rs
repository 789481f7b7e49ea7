//! `walbook run`: Kafka → book, exactly once.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use tracing::{info, warn};

use super::exit::unpack;
use super::signals;
use crate::book::entry::{BookSettings, PartitionEntry, TopicEntry, Versions};
use crate::book::{Book, Committing, State, log};
use crate::change::{Partition, PartitionStart, Start};
use crate::cluster::{self, Clock, ClockSettings, Leader, Run};
use crate::parse::PARSER_VERSION;
use crate::process::{Progress, Shutdown};
use crate::settings::args::RunArgs;
use crate::settings::{RunSettings, SettingsError};
use crate::source::Source;
use crate::source::kafka::{
    KafkaDiscovery, KafkaError, KafkaSource, KnownTopic, Topic, Topics, Watermarks, check_same_topics, plan_topic,
};
use crate::store::{Disk, Store};
use crate::table::{FileOutput, RowFormat};

/// Empties the terminal's line.
const CLEAR: &str = "\r\x1b[K";
/// How often the progress line is drawn.
const REDRAW: Duration = Duration::from_secs(1);

/// Runs until the end, a signal or a failure.
pub(super) fn run(args: RunArgs) -> anyhow::Result<()> {
    let settings = RunSettings::new(args)?;
    let (shutdown, progress) = (Shutdown::new(), Progress::new());
    signals::listen(&shutdown).context("could not listen to signals")?;
    let drawing = io::stderr().is_terminal();
    if drawing {
        draw_progress(progress.clone(), shutdown.clone());
    }
    let begin = Instant::now();
    let ended = run_book(&settings, &shutdown, &progress);
    if drawing {
        // A terminal that is gone needs no clearing.
        let _ = write!(io::stderr(), "{CLEAR}");
    }
    ended?;
    let seconds = begin.elapsed().as_secs_f64();
    let (records, changes) = (progress.records(), progress.changes());
    info!(records, changes, commit = progress.commit(), seconds, "done: everything that was read is committed");
    Ok(())
}

/// The run itself, for `run` and `demo`.
pub(super) fn run_book(settings: &RunSettings, shutdown: &Shutdown, progress: &Progress) -> anyhow::Result<()> {
    settings.kafka.check()?;
    let store: Arc<dyn Store> = Arc::new(Disk::new(&settings.book));
    let (leader, topics) = match settings.peers.is_leader() {
        true => lead(settings, &store, shutdown).map(|(leader, topics)| (Some(leader), Some(topics)))?,
        false => (None, None),
    };
    let output = |format| FileOutput {
        store: Arc::clone(&store),
        format,
        parser: PARSER_VERSION,
        commit_bytes: settings.commit_bytes,
        shutdown: shutdown.clone(),
    };
    let kafka = settings.kafka.clone();
    let run = Run {
        peers: settings.peers.clone(),
        leader,
        source: Arc::new(move |worker| Ok(Box::new(KafkaSource::new(&kafka, worker)?) as Box<dyn Source>)),
        events: output(RowFormat::events()),
        rejects: output(RowFormat::rejects()),
        progress: progress.clone(),
        shutdown: shutdown.clone(),
    };
    cluster::run(run).map_err(unpack)?;
    if let Some(topics) = topics {
        topics.await_group();
    }
    Ok(())
}

/// Opens the book, takes it over and starts the clock: what only the leading process does.
fn lead(
    settings: &RunSettings,
    store: &Arc<dyn Store>,
    shutdown: &Shutdown,
) -> anyhow::Result<((Leader, Committing), Arc<Topics>)> {
    let book = open_book(settings, store)?;
    let group = settings.group.clone().unwrap_or_else(|| format!("walbook-{}", book.id()));
    let topics = Arc::new(Topics::connect(&settings.kafka, &settings.topics, &group)?);
    let described = topics.describe()?;
    let (time_zone, day_from) = (book.state().settings.time_zone.clone(), book.state().settings.day_from.clone());

    let mut starts = Vec::new();
    // Asked once: a fence that must be tried again should not take as long again.
    let mut watermarks: BTreeMap<Partition, Watermarks> = BTreeMap::new();
    let mut committer = book.fence(|state: &State| -> anyhow::Result<BTreeMap<String, TopicEntry>> {
        starts = plan(settings, state, &described, |partition| match watermarks.get(partition) {
            Some(known) => Ok(*known),
            None => Ok(*watermarks.entry(partition.clone()).or_insert(topics.watermarks(partition)?)),
        })?;
        Ok(new_topics(state, &described, &starts))
    })?;
    let start = Start {
        book: committer.book_id().to_owned(),
        generation: committer.generation().to_owned(),
        time_zone,
        day_from,
        commit: committer.next_commit(),
        until_end: settings.until_end,
        partitions: starts,
    };
    let initial_counts = committer.initial_counts()?;
    // Finding the group's coordinator takes a second: begin now, not when the first commit is there.
    topics.tell_group(&committer.state().next_offsets().collect());
    info!(
        book = start.book,
        generation = start.generation,
        partitions = start.partitions.len(),
        workers = settings.peers.total(),
        "reading {} into {}",
        settings.topics.join(", "),
        settings.book.display()
    );
    let clock = ClockSettings {
        commit_interval: settings.commit_interval,
        discover_interval: settings.kafka.metadata_refresh_interval(),
    };
    let discovery: Option<Box<dyn crate::source::Discovery>> = match settings.until_end {
        true => None,
        false => Some(Box::new(KafkaDiscovery::new(Arc::clone(&topics), described.clone()))),
    };
    let leader = Clock::new(clock, shutdown.clone()).start(start, initial_counts, discovery);
    let asking = Arc::clone(&topics);
    let permit = Box::new(move || match check_same_topics(&asking, &described) {
        Err(error) if error.is_data_loss() => Err(error.into()),
        Err(error) => {
            warn!(%error, "could not ask whether the topics are still the same");
            Ok(())
        }
        Ok(()) => Ok(()),
    });
    let told = Arc::clone(&topics);
    let announce = Box::new(move |state: &State| told.tell_group(&state.next_offsets().collect()));
    Ok(((leader, Committing { committer, permit, announce }), topics))
}

/// Opens the book with the zone and day rule that were asked for, else with its own, else with the defaults.
fn open_book(settings: &RunSettings, store: &Arc<dyn Store>) -> anyhow::Result<Book> {
    if let Some(parent) = settings.book.parent().filter(|parent| !parent.as_os_str().is_empty())
        && !parent.is_dir()
    {
        let message = format!("{} does not exist: a book is made in a directory that is there", parent.display());
        return Err(SettingsError::Wrong(message).into());
    }
    if settings.book.exists() && !settings.book.is_dir() {
        let message = format!("{} is a file: a book is a directory", settings.book.display());
        return Err(SettingsError::Wrong(message).into());
    }
    let own = match log::newest(&**store)? {
        Some(newest) => log::read_entry(&**store, newest)?.map(|logged| logged.entry.settings),
        None => None,
    };
    let (own_zone, own_rule) = own.map_or(("UTC".to_owned(), "auto".to_owned()), |own| (own.time_zone, own.day_from));
    let wanted = BookSettings {
        time_zone: settings.time_zone.map_or(own_zone, |zone| zone.name().to_owned()),
        day_from: settings.day_from.map_or(own_rule, |rule| rule.to_string()),
    };
    let versions = Versions {
        walbook: env!("CARGO_PKG_VERSION").to_owned(),
        parser: PARSER_VERSION,
        tzdata: chrono_tz::IANA_TZDB_VERSION.to_owned(),
    };
    Book::open(Arc::clone(store), wanted, versions).with_context(|| settings.book.display().to_string())
}

/// Where each partition is read from and until.
fn plan(
    settings: &RunSettings,
    state: &State,
    described: &BTreeMap<String, Topic>,
    mut watermarks: impl FnMut(&Partition) -> Result<Watermarks, KafkaError>,
) -> Result<Vec<PartitionStart>, KafkaError> {
    let mut starts = Vec::new();
    for (name, topic) in described {
        let known = state.topics.get(name).map(|known| KnownTopic {
            id: known.id.clone(),
            next_offsets: known.positions.iter().map(|(number, position)| (*number, position.next)).collect(),
        });
        starts.extend(plan_topic(name, topic, known.as_ref(), settings.from, settings.until_end, &mut watermarks)?);
    }
    Ok(starts)
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

/// Draws one line about how far the run is, again and again, until the process ends.
fn draw_progress(progress: Progress, shutdown: Shutdown) {
    let draw = move || {
        let mut before = 0;
        loop {
            thread::sleep(REDRAW);
            if !shutdown.is_at_work() {
                continue;
            }
            let records = progress.records();
            let (rate, lag, commit) = (records - before, progress.lag(), progress.commit());
            before = records;
            let line = format!("{records} records, {rate} records/s, lag {lag}, last commit {commit}");
            // A terminal that is gone needs no progress.
            let _ = write!(io::stderr(), "{CLEAR}{line}\r");
        }
    };
    thread::Builder::new().name("progress".to_owned()).spawn(draw).expect("a thread can be started");
}
