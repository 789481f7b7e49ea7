//! Whether a disk holds what it must: compared with the plainest loop over the records, and with what was promised.

use std::collections::BTreeMap;
use std::path::Path;

use walbook::book::log::entry::BookSettings;
use walbook::book::log::{base, commit_log};
use walbook::book::{self, CountsFile, State};
use walbook::change::{CountKey, Partition, Tally};
use walbook::store::layout::Table;
use walbook::store::{Store, layout};

use super::world::World;
use crate::support::{MemoryStore, MemoryTopic, WorkloadRecord, count_naively};

/// What readers were shown: by number of an entry its digest.
pub(crate) type Shown = BTreeMap<u64, String>;

/// The log of a book, folded.
struct Folded {
    state: State,
    /// By entry that was not swept, and of the newest one that was.
    digests: BTreeMap<u64, String>,
    counts: BTreeMap<CountKey, i64>,
    tally: Tally,
}

/// Checks a book after a power cut, or at the end: log, positions, counts and files.
///
/// # Errors
/// The promise that does not hold.
pub(crate) fn check(
    disk: &MemoryStore,
    world: &World,
    records: &[WorkloadRecord],
    shown: &Shown,
) -> Result<BTreeMap<i32, i64>, String> {
    let folded = fold(disk)?;
    let swept_to = folded.digests.keys().next().copied().unwrap_or(0);
    for (number, digest) in shown.range(swept_to..) {
        let kept = folded.digests.get(number);
        if kept != Some(digest) {
            return Err(format!("entry {number} was shown as {digest}, and is {kept:?} now"));
        }
    }
    let next = next_offsets(&folded.state, records);
    for (partition, promised) in world.promised_durable() {
        if next.get(&partition).copied().unwrap_or(0) < promised {
            return Err(format!("partition {partition}: {promised} was promised as durable, {next:?} is in the book"));
        }
    }
    let is_in_book = |record: &&WorkloadRecord| record.offset < next[&record.partition];
    let truth = count_naively(records.iter().filter(is_in_book), world.plan.time_zone);
    let of_log = (folded.tally.records(), folded.tally.markers, folded.tally.rejects);
    if of_log != (truth.records, truth.markers, truth.rejects) {
        let of_loop = (truth.records, truth.markers, truth.rejects);
        return Err(format!("records, markers and rejects: the log has {of_log:?}, the loop {of_loop:?}"));
    }
    let counts: BTreeMap<_, _> =
        folded.counts.iter().map(|(key, n)| (key.clone(), u64::try_from(*n).unwrap_or(0))).collect();
    if counts != truth.counts {
        return Err(format!("the log has {counts:?}, the loop {:?}", truth.counts));
    }
    if folded.state.entries > 0 {
        verify(disk)?;
    }
    Ok(next)
}

/// Checks that counts files are those of the log: true once nothing is left to redo.
///
/// # Errors
/// What differs.
pub(crate) fn check_counts_files(disk: &MemoryStore) -> Result<(), String> {
    let mut counts = BTreeMap::new();
    for folder in disk.list("counts").unwrap_or_default() {
        let day = layout::day_of_folder(&folder).ok_or_else(|| format!("{folder} is no day folder"))?;
        let bytes = disk.read(&layout::counts_path(day)).map_err(|error| format!("counts of {day}: {error}"))?;
        counts.extend(CountsFile::read(day, bytes.into()).map_err(|error| error.to_string())?.by_key());
    }
    let logged = fold(disk)?.counts;
    if counts == logged { Ok(()) } else { Err(format!("counts files have {counts:?}, the log {logged:?}")) }
}

/// The generation that wrote the newest entry; `None` without a log.
///
/// # Errors
/// When the log cannot be read.
pub(crate) fn newest_generation(disk: &MemoryStore) -> Result<Option<String>, String> {
    Ok(Some(fold(disk)?.state.generation).filter(|generation| !generation.is_empty()))
}

/// What a reader sees as durable now.
///
/// # Errors
/// When the log cannot be read.
pub(crate) fn look(disk: &MemoryStore) -> Result<Option<(u64, String)>, String> {
    let text = |error: book::BookError| error.to_string();
    let Some(newest) = commit_log::newest(disk).map_err(text)? else { return Ok(None) };
    let Some(logged) = commit_log::read_entry(disk, newest).map_err(text)? else { return Ok(None) };
    commit_log::ensure_durable(disk, &logged.entry).map_err(text)?;
    Ok(Some((newest, logged.digest)))
}

/// The first offset of each partition that the log does not hold.
///
/// # Errors
/// When the log cannot be read.
pub(crate) fn next_of_log(disk: &MemoryStore) -> Result<BTreeMap<i32, i64>, String> {
    let state = fold(disk)?.state;
    let topic = state.topics.get(MemoryTopic::NAME);
    Ok(topic.map(|topic| topic.positions.iter().map(|(number, at)| (*number, at.next)).collect()).unwrap_or_default())
}

fn fold(disk: &MemoryStore) -> Result<Folded, String> {
    let settings = BookSettings { time_zone: String::new(), day_from: String::new() };
    let state = State::new(String::new(), settings);
    let mut folded = Folded { state, digests: BTreeMap::new(), counts: BTreeMap::new(), tally: Tally::default() };
    let text = |error: book::BookError| error.to_string();
    let swept_to = match base::read_newest(disk).map_err(text)? {
        Some(base) => {
            base.read.values().flat_map(BTreeMap::values).for_each(|read| folded.tally.add(&read.tally));
            for day in base.manifests.of(Table::Events).map(|(day, _)| day) {
                let manifest = base.manifest(disk, Table::Events, day).map_err(text)?.unwrap_or_default();
                folded.counts.extend(manifest.counts.into_iter().map(|delta| (delta.key, delta.count)));
            }
            folded.digests.insert(base.entry(), base.state.digest.clone());
            folded.state = base.state;
            folded.state.entries
        }
        None => 0,
    };
    loop {
        let number = folded.state.entries;
        let Some(logged) = commit_log::read_entry(disk, number).map_err(|error| error.to_string())? else { break };
        if number == 0 {
            folded.state = State::new(logged.entry.book.clone(), logged.entry.settings.clone());
        }
        folded.state.follow(&logged.entry, &logged.digest).map_err(|error| error.to_string())?;
        for topic in logged.entry.topics.values() {
            topic.positions.values().for_each(|read| folded.tally.add(&read.tally));
        }
        for delta in logged.entry.deltas {
            *folded.counts.entry(delta.key).or_default() += delta.count;
        }
        folded.digests.insert(number, logged.digest);
    }
    let listed =
        commit_log::numbers(disk).map_err(text)?.into_iter().filter(|number| *number >= swept_to).count() as u64;
    let chained = folded.state.entries - swept_to;
    if listed != chained {
        return Err(format!(
            "the log has {listed} entries after those that were swept, of which the first {chained} chain"
        ));
    }
    Ok(folded)
}

fn next_offsets(state: &State, records: &[WorkloadRecord]) -> BTreeMap<i32, i64> {
    let of = |number: i32| {
        let partition = Partition { topic: MemoryTopic::NAME.to_owned(), number };
        (number, state.next_offset(&partition).unwrap_or(0))
    };
    records.iter().map(|record| of(record.partition)).collect()
}

/// `walbook verify` on real files.
fn verify(disk: &MemoryStore) -> Result<(), String> {
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let directory = directory.map_err(|error| error.to_string())?;
    disk.write_to(directory.path()).map_err(|error| error.to_string())?;
    let report = book::verify(directory.path(), &mut |_| {}).map_err(|error| error.to_string())?;
    match report.ok {
        true => Ok(()),
        false => Err(format!("verify: {:#?}", report.checks.iter().filter(|check| !check.ok).collect::<Vec<_>>())),
    }
}
