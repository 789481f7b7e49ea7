//! A source that is a pure function of the offset, runs that write it into a book, and a loop that counts it naively.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::sync::Arc;

use crate::support::TestDisk;
use bytes::Bytes;
use walbook::book::log::commit_log;
use walbook::book::log::entry::{BookSettings, PartitionEntry, TopicEntry, Versions};
use walbook::book::{Book, BookError, CommitContents, CommitOutcome, Committer, CountDelta, CountsFile, State};
use walbook::change::{CountKey, Day, Interval, Operation, Partition, SealedFile, TableName, Tally};
use walbook::store::Store;
use walbook::store::layout::{self, FilePlace, Table};

pub(crate) const TOPIC: &str = "changes";
pub(crate) const PARTITIONS: i32 = 2;
/// Offsets of one partition that a commit covers.
pub(crate) const STEP: i64 = 6;

/// The content of an offset.
pub(crate) enum Content {
    Empty,
    Marker,
    Reject,
    Changes(Vec<CountKey>),
}

pub(crate) fn day(number: i64) -> Day {
    Day::from_days(20_000 + number).expect("a day of this century")
}

/// The source: a pure function of the place.
pub(crate) fn content(partition: i32, offset: i64) -> Content {
    let mixed = (offset * 7 + i64::from(partition) * 3) % 11;
    let key = |number: i64| CountKey {
        day: day(number % 2),
        table: Arc::new(TableName::new("public", if number % 3 == 0 { "orders" } else { "we\"ird" })),
        op: Operation::ALL[usize::try_from(number % 4).expect("not negative")],
    };
    match mixed {
        3 => Content::Empty,
        5 => Content::Marker,
        7 => Content::Reject,
        9 => Content::Changes(vec![key(offset), key(offset + 1)]),
        _ => Content::Changes(vec![key(offset)]),
    }
}

/// The loop: all counts of the offsets below `next`.
pub(crate) fn truth(next: &BTreeMap<i32, i64>) -> BTreeMap<CountKey, i64> {
    let mut counts = BTreeMap::new();
    for (partition, to) in next {
        for offset in 0..*to {
            if let Content::Changes(keys) = content(*partition, offset) {
                keys.into_iter().for_each(|key| *counts.entry(key).or_default() += 1);
            }
        }
    }
    counts
}

/// The first offset of each partition that the book does not hold.
pub(crate) fn next(state: &State) -> BTreeMap<i32, i64> {
    (0..PARTITIONS)
        .map(|number| (number, state.next_offset(&Partition { topic: TOPIC.into(), number }).unwrap_or(0)))
        .collect()
}

pub(crate) fn settings() -> BookSettings {
    BookSettings { time_zone: "Europe/Berlin".into(), day_from: "auto".into() }
}

pub(crate) fn versions() -> Versions {
    Versions { walbook: "0.1.0".into(), parser: 1, tzdata: "2026a".into() }
}

/// The topic as a fence names it when it is new.
pub(crate) fn new_topics(state: &State) -> BTreeMap<String, TopicEntry> {
    if state.topics.contains_key(TOPIC) {
        return BTreeMap::new();
    }
    let positions = (0..PARTITIONS).map(|number| (number, PartitionEntry::start(0))).collect();
    let id = "nIFFyfwTQ2S1OCvM4ZbjUw".to_owned();
    BTreeMap::from([(TOPIC.to_owned(), TopicEntry { id, partitions: PARTITIONS, positions, ..TopicEntry::default() })])
}

pub(crate) fn open(disk: &impl TestDisk) -> Result<Committer, BookError> {
    open_in(disk.store().shared())
}

/// The same in any store.
pub(crate) fn open_in(store: Arc<dyn Store>) -> Result<Committer, BookError> {
    Book::open(store, settings(), versions())?.fence(|state| Ok(new_topics(state)))
}

/// A row of an events or rejects file: partition, offset, ordinal, and of an event what it counts for.
pub(crate) type Row = (i32, i64, usize, Option<CountKey>);

/// A file's bytes in most tests: the rows' places as text.
fn as_text(rows: &[Row]) -> Vec<u8> {
    let lines = rows.iter().map(|(partition, offset, ordinal, _)| format!("{partition} {offset} {ordinal}\n"));
    lines.collect::<String>().into_bytes()
}

/// Seals the files of the next stretch as workers do, and returns the contents to commit.
pub(crate) fn seal(
    store: &dyn Store,
    committer: &Committer,
    totals: &mut BTreeMap<CountKey, i64>,
) -> io::Result<CommitContents> {
    seal_as(as_text, store, committer, totals)
}

/// Seals with the test's own file contents.
pub(crate) fn seal_as(
    encode: fn(&[Row]) -> Vec<u8>,
    store: &dyn Store,
    committer: &Committer,
    totals: &mut BTreeMap<CountKey, i64>,
) -> io::Result<CommitContents> {
    let commit = committer.next_commit();
    let mut contents = CommitContents { commit, ..CommitContents::default() };
    let mut added: BTreeMap<CountKey, i64> = BTreeMap::new();
    let mut files: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for (number, from) in next(committer.state()) {
        let interval = Interval { from, to: from + STEP };
        let mut tally = Tally::default();
        let mut row = |table, day, offset: i64, ordinal: usize, key: Option<CountKey>| {
            let worker = usize::try_from(number).expect("not negative");
            let place = FilePlace { table, day, commit, worker, index: 0 };
            files.entry(place.path()).or_default().push((number, offset, ordinal, key));
        };
        for offset in interval.from..interval.to {
            match content(number, offset) {
                Content::Empty => {}
                Content::Marker => tally.markers += 1,
                Content::Reject => {
                    tally.rejects += 1;
                    row(Table::Rejects, Day::EPOCH, offset, 0, None);
                }
                Content::Changes(keys) => {
                    tally.bearing += 1;
                    for (ordinal, key) in keys.into_iter().enumerate() {
                        tally.events += 1;
                        row(Table::Events, key.day, offset, ordinal, Some(key.clone()));
                        *added.entry(key).or_default() += 1;
                    }
                }
            }
        }
        contents.positions.push((Partition { topic: TOPIC.into(), number }, interval, tally));
    }
    let folder = layout::staging_folder(committer.generation());
    for (path, rows) in files {
        let bytes = encode(&rows);
        let mut file = store.create_for(&format!("{folder}/{}", layout::staged_name(&path)), &path)?;
        file.write_all(&bytes)?;
        file.sync()?;
        contents.files.push(SealedFile {
            commit,
            path,
            bytes: bytes.len() as u64,
            rows: rows.len() as u64,
            checksum: twox_hash::XxHash3_64::oneshot(&bytes),
        });
    }
    store.sync_folder(&folder)?;
    for (key, added) in added {
        let total = totals.entry(key.clone()).or_default();
        *total += added;
        contents.deltas.push(CountDelta { key, added, total: *total });
    }
    Ok(contents)
}

/// One run: start, `commits` commits, a checkpoint. `seen` collects what was acknowledged.
pub(crate) fn run(disk: &impl TestDisk, commits: usize, seen: &mut BTreeMap<i32, i64>) -> Result<Committer, BookError> {
    let mut committer = open(disk)?;
    let mut totals: BTreeMap<CountKey, i64> = committer.initial_counts()?.into_iter().collect();
    assert_eq!(totals, truth(&next(committer.state())), "initial counts");
    for _ in 0..commits {
        commit(disk, &mut committer, &mut totals, seen)?;
    }
    committer.checkpoint()?;
    Ok(committer)
}

pub(crate) fn commit(
    disk: &impl TestDisk,
    committer: &mut Committer,
    totals: &mut BTreeMap<CountKey, i64>,
    seen: &mut BTreeMap<i32, i64>,
) -> Result<(), BookError> {
    let contents = seal(&disk.store(), committer, totals).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => BookError::Fenced { reason: "a worker's folder is gone".into() },
        _ => BookError::Io { tried: "seal", path: "a file".into(), source },
    })?;
    match committer.commit(contents)? {
        CommitOutcome::Committed(entry) => {
            let positions = entry.topics.values().flat_map(|topic| &topic.positions);
            seen.extend(positions.map(|(number, read)| (*number, read.interval.to)));
        }
        CommitOutcome::Nothing => panic!("positions moved"),
    }
    Ok(())
}

/// Checks what a reader can see at any time: whole files of commits, each row once, each counts file right for its entry.
/// Returns the state and the events and rejects files that are in place.
pub(crate) fn check_visible(disk: &impl TestDisk) -> (State, BTreeSet<String>) {
    let reader = disk.process().store();
    let mut state = State::new(String::new(), settings());
    let mut by_entry = Vec::new();
    let mut committed = BTreeMap::new();
    while let Some(logged) = commit_log::read_entry(&reader, state.entries).expect("a log that can be read") {
        state.follow(&logged.entry, &logged.digest).expect("a sound log");
        by_entry.push(next(&state));
        committed.extend(logged.entry.added.into_iter().map(|file| (file.path, file.rows)));
    }
    let mut rows = BTreeSet::new();
    let mut placed = BTreeSet::new();
    for (path, bytes) in disk.files() {
        let mut parts = path.split('/');
        match parts.next() {
            Some("_walbook") => {}
            Some("counts") => {
                let day = parts.next().and_then(layout::day_of_folder).expect("a day folder");
                assert_eq!(path, layout::counts_path(day));
                let file = CountsFile::read(day, Bytes::from(bytes)).expect("a whole counts file");
                let entry = usize::try_from(file.stamp.entry).expect("a small number");
                let expected: BTreeMap<_, _> =
                    truth(&by_entry[entry]).into_iter().filter(|(key, _)| key.day == day).collect();
                assert_eq!(file.by_key().collect::<BTreeMap<_, _>>(), expected, "{path} at entry {entry}");
            }
            _ => {
                let text = String::from_utf8(bytes).expect("the test's own bytes");
                let lines: Vec<String> = text.lines().map(|line| format!("{path} {line}")).collect();
                assert_eq!(committed.get(&path), Some(&(lines.len() as u64)), "{path} is committed and whole");
                let folder = path.rsplit_once('/').expect("a day folder").0;
                for line in text.lines() {
                    assert!(rows.insert(format!("{folder} {line}")), "{line} of {path} is there twice");
                }
                placed.insert(path);
            }
        }
    }
    (state, placed)
}

/// Checks a book after a run that ended well: everything committed is visible, and counts are the loop's.
pub(crate) fn check_complete(disk: &impl TestDisk, seen: &BTreeMap<i32, i64>) {
    let (state, placed) = check_visible(disk);
    let next = next(&state);
    for (partition, to) in seen {
        assert!(next[partition] >= *to, "partition {partition} stands at {}, {to} was acknowledged", next[partition]);
    }
    let mut expected = BTreeSet::new();
    for number in 0..state.entries {
        let logged = commit_log::read_entry(&disk.process().store(), number).expect("readable").expect("there");
        expected.extend(logged.entry.added.into_iter().map(|file| file.path));
    }
    assert_eq!(placed, expected, "committed files are in place, and no others");
    let mut counts = BTreeMap::new();
    for (path, bytes) in disk.files() {
        if let Some(folder) = path.strip_prefix("counts/").and_then(|rest| rest.strip_suffix("/counts.parquet")) {
            let day = layout::day_of_folder(folder).expect("a day folder");
            counts.extend(CountsFile::read(day, Bytes::from(bytes)).expect("whole").by_key());
        }
    }
    assert_eq!(counts, truth(&next), "counts files are the loop's");
}

/// A start on the disk as it is found, one more commit, and a power cut after it: nothing that was acknowledged may be gone.
pub(crate) fn check_recovery<D: TestDisk>(disk: &D, mut seen: BTreeMap<i32, i64>, context: &str) {
    let recovered = |disk: &D, commits, seen: &mut _| {
        run(disk, commits, seen).unwrap_or_else(|error| panic!("the start after {context} failed: {error:?}"));
        check_complete(disk, seen);
    };
    recovered(disk, 1, &mut seen);
    recovered(&disk.survive(0), 0, &mut seen);
}
