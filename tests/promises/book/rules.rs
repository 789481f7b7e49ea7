//! Which entries may follow which: what a committer writes always may, and hardly anything else.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::MemoryStore;
use proptest::prelude::*;
use walbook::book::log::commit_log;
use walbook::book::log::entry::{Delta, EntryKind};
use walbook::book::{CommitContents, CountDelta, Entry, State};
use walbook::change::{CountKey, Interval, LeaderEpoch, Partition, TableName, Tally};

use super::world::{TOPIC, commit, next, open, run, seal, settings, truth};

/// The state before the newest of some commits, and that commit's entry.
fn last_step() -> (State, Entry) {
    let store = MemoryStore::new();
    run(&store, 3, &mut BTreeMap::new()).expect("nothing strikes");
    let mut state = State::new(String::new(), settings());
    for number in 0..3 {
        let logged = commit_log::read_entry(&store, number).expect("readable").expect("there");
        state.follow(&logged.entry, &logged.digest).expect("sound");
    }
    let last = commit_log::read_entry(&store, 3).expect("readable").expect("there");
    state.check(&last.entry).expect("sound");
    (state, last.entry)
}

#[test]
fn an_entry_with_one_thing_wrong_is_refused() {
    let (state, entry) = last_step();
    type Spoil = fn(&mut Entry);
    let spoils: &[(&str, Spoil)] = &[
        ("format", |entry| entry.format = 2),
        ("book", |entry| entry.book.push('x')),
        ("number", |entry| entry.entry += 1),
        ("previous", |entry| entry.previous.push('0')),
        ("settings", |entry| entry.settings.time_zone = "UTC".into()),
        ("commit not above", |entry| entry.commit -= 1),
        ("redone falls", |entry| entry.redone_to = 0),
        ("redone ahead", |entry| entry.redone_to = entry.entry),
        ("fence with rows", |entry| entry.kind = EntryKind::Fence),
        ("removed", |entry| entry.removed.push("events/x".into())),
        ("from", |entry| position(entry).interval.from -= 1),
        ("to", |entry| position(entry).interval.to += 1),
        ("backwards", |entry| position(entry).interval.to = -1),
        ("far", |entry| position(entry).interval.to = i64::MAX),
        ("records", |entry| position(entry).records += 1),
        ("bearing", |entry| position(entry).tally.bearing = u64::MAX),
        ("markers", |entry| position(entry).tally.markers += 1),
        ("rejects", |entry| position(entry).tally.rejects += 1),
        ("events", |entry| position(entry).tally.events += 1),
        ("events overflow", |entry| position(entry).tally.events = u64::MAX),
        ("empty", |entry| position(entry).empty += 1),
        ("lost", |entry| position(entry).lost = u64::MAX),
        ("leader epoch below 0", |entry| spoil_epoch(entry, -1, 0)),
        ("leader epoch before the interval", |entry| spoil_epoch(entry, 0, -super::world::STEP)),
        ("leader epoch behind the interval", |entry| spoil_epoch(entry, 0, 1)),
        ("leader epoch far behind", |entry| spoil_epoch(entry, 0, i64::MAX / 2)),
        ("leader epoch of a slot", |entry| {
            spoil_epoch(entry, 0, 0);
            topic(entry).source = walbook::book::log::entry::SourceKind::Slot;
        }),
        ("topic's id", |entry| topic(entry).id.push('x')),
        ("fewer partitions", |entry| topic(entry).partitions = 1),
        ("partition that is not there", |entry| {
            let read = topic(entry).positions.remove(&0).expect("there");
            topic(entry).positions.insert(2, read);
        }),
        ("new partition not from 0", |entry| {
            let read = topic(entry).positions.remove(&0).expect("there");
            topic(entry).partitions = 3;
            topic(entry).positions.insert(2, read);
        }),
        ("topic that is new in a commit", |entry| {
            let topic = entry.topics[TOPIC].clone();
            entry.topics.insert("other".into(), topic);
        }),
        ("rows", |entry| entry.added[0].rows += 1),
        ("rows overflow", |entry| entry.added[0].rows = u64::MAX),
        ("file twice", |entry| entry.added[1] = entry.added[0].clone()),
        ("file outside", |entry| entry.added[0].path = "../events/day=2026-11-22/c0000000003-w000-0.parquet".into()),
        ("file of an older commit", |entry| {
            entry.added[0].path = entry.added[0].path.replace("c0000000003", "c0000000002")
        }),
        ("file of another day", |entry| entry.added[0].path = entry.added[0].path.replace("day=2024", "day=2023")),
        ("delta", |entry| entry.deltas[0].count += 1),
        ("delta of zero", |entry| entry.deltas[0].count = 0),
        ("delta below zero", |entry| entry.deltas[0].count = i64::MIN),
        ("delta overflow", |entry| entry.deltas[0].count = i64::MAX),
        ("deltas unsorted", |entry| entry.deltas.swap(0, 1)),
        ("key twice", |entry| entry.deltas[1] = entry.deltas[0].clone()),
        ("delta missing", |entry| drop(entry.deltas.pop())),
    ];
    for (name, spoil) in spoils {
        let mut spoilt = entry.clone();
        spoil(&mut spoilt);
        assert_ne!(spoilt, entry, "{name} changes something");
        assert!(state.check(&spoilt).is_err(), "{name} was let pass");
        let before = state.clone();
        let mut after = state.clone();
        assert!(after.follow(&spoilt, "00").is_err());
        assert_eq!(after, before, "{name}: a refused entry leaves no trace");
    }
}

fn topic(entry: &mut Entry) -> &mut walbook::book::log::entry::TopicEntry {
    entry.topics.get_mut(TOPIC).expect("there")
}

/// Sets the leader epoch of the last record, `past` offsets behind the interval's end.
fn spoil_epoch(entry: &mut Entry, epoch: i32, past: i64) {
    let read = position(entry);
    read.leader_epoch = Some(LeaderEpoch { epoch, to: read.interval.to + past });
}

fn position(entry: &mut Entry) -> &mut walbook::book::log::entry::PartitionEntry {
    topic(entry).positions.get_mut(&0).expect("there")
}

#[test]
fn a_leader_epoch_never_falls_and_is_that_of_the_last_record() {
    let (before, mut entry) = last_step();
    let partition = Partition { topic: TOPIC.to_owned(), number: 0 };
    let known = |state: &State| state.topics[TOPIC].positions[&0].leader_epoch;
    let to = position(&mut entry).interval.to;
    let last = LeaderEpoch { epoch: 4, to: to - 1 };
    position(&mut entry).leader_epoch = Some(last);
    let mut state = before.clone();
    state.follow(&entry, "00").expect("sound");
    assert_eq!(known(&state), Some(last));
    assert_eq!(state.next_offset(&partition), Some(to));

    // The next entry of that partition alone, with no record or with one marker.
    let next = |markers: u64, leader_epoch| {
        let mut next = entry.clone();
        (next.entry, next.commit, next.previous) = (entry.entry + 1, entry.commit + 1, "00".into());
        (next.commit_time, next.added, next.deltas) = (None, Vec::new(), Vec::new());
        topic(&mut next).positions.retain(|number, _| *number == 0);
        let read = position(&mut next);
        read.interval = Interval { from: to, to: to + 2 };
        (read.records, read.tally, read.empty) = (markers, Tally { markers, ..Tally::default() }, 2 - markers);
        read.leader_epoch = leader_epoch;
        next
    };
    let follow = |entry: &Entry| {
        let mut after = state.clone();
        after.follow(entry, "01").map(|()| known(&after)).map_err(|error| error.to_string())
    };
    let of = |epoch| Some(LeaderEpoch { epoch, to: to + 1 });
    assert_eq!(follow(&next(0, None)), Ok(Some(last)), "only offsets without a record were passed");
    for epoch in [4, 5] {
        assert_eq!(follow(&next(1, of(epoch))), Ok(of(epoch)));
    }
    assert_eq!(follow(&next(1, None)), Ok(None), "the last record's is unknown");
    assert!(follow(&next(1, of(3))).is_err_and(|error| error.contains("leader epoch 3 comes after 4")));
    assert!(follow(&next(0, of(4))).is_err_and(|error| error.contains("is not of a record")));
}

#[test]
fn contents_are_checked_before_an_entry_is_put() {
    let store = MemoryStore::new();
    let mut committer = open(&store).expect("nothing strikes");
    let contents = seal(&store, &committer, &mut BTreeMap::new()).expect("nothing strikes");
    drop(committer);
    type Spoil = fn(&mut CommitContents);
    let spoils: &[(&str, Spoil)] = &[
        ("a gap", |contents| {
            let interval = &mut contents.positions[0].1;
            *interval = Interval { from: interval.from + 1, to: interval.to + 1 };
        }),
        ("a partition twice", |contents| contents.positions.push(contents.positions[0].clone())),
        ("more records than offsets", |contents| contents.positions[0].2.markers += 100),
        ("another topic", |contents| contents.positions[0].0.topic.push('x')),
        ("a file less", |contents| drop(contents.files.pop())),
        ("a delta less", |contents| drop(contents.deltas.pop())),
        ("a key twice", |contents| contents.deltas.push(contents.deltas[0].clone())),
        ("rows but no offsets", |contents| contents.positions.clear()),
        ("an old commit", |contents| contents.commit = 0),
    ];
    for (name, spoil) in spoils {
        let mut committer = open(&store).expect("nothing strikes");
        let mut spoilt = contents.clone();
        spoil(&mut spoilt);
        let entries = commit_log::numbers(&store).expect("readable").len();
        let error = committer.commit(spoilt).expect_err(name);
        assert!(matches!(error, walbook::book::BookError::Unsound { .. }), "{name}: {error}");
        assert_eq!(commit_log::numbers(&store).expect("readable").len(), entries, "{name}: nothing was put");
    }
    committer = open(&store).expect("nothing strikes");
    assert!(matches!(committer.state().newest_entry(), Some(n) if n == spoils.len() as u64 + 1));
}

#[test]
fn a_wrong_total_is_an_error() {
    let store = MemoryStore::new();
    let mut committer = open(&store).expect("nothing strikes");
    let mut contents = seal(&store, &committer, &mut BTreeMap::new()).expect("nothing strikes");
    contents.deltas[0].total += 1;
    let error = committer.commit(contents).expect_err("the dataflow counted otherwise");
    assert!(matches!(error, walbook::book::BookError::Disagree { .. }), "{error}");
}

#[test]
fn a_partition_that_appears_later_starts_at_0() {
    let store = MemoryStore::new();
    let mut committer = open(&store).expect("nothing strikes");
    let tally = Tally { markers: 4, ..Tally::default() };
    let new = |from| CommitContents {
        commit: 1,
        positions: vec![(Partition { topic: TOPIC.into(), number: 5 }, Interval { from, to: from + 4 }, tally)],
        ..CommitContents::default()
    };
    committer.commit(new(0)).expect("it begins at 0");
    assert_eq!(committer.state().topics[TOPIC].partitions, 6);
    assert!(open(&store).expect("nothing strikes").commit(CommitContents { commit: 2, ..new(0) }).is_err());
    let mut committer = open(&store).expect("nothing strikes");
    committer.commit(CommitContents { commit: 2, ..new(4) }).expect("it goes on");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Runs of any length, with and without a checkpoint between them, fold to the same state and the loop's counts.
    #[test]
    fn positions_chain_over_any_number_of_runs(runs in proptest::collection::vec((0_usize..4, any::<bool>()), 1..5)) {
        let store = MemoryStore::new();
        let mut commits = 0;
        for (count, checkpoint) in runs {
            let mut committer = open(&store).expect("nothing strikes");
            let mut totals = committer.initial_counts().expect("whole").into_iter().collect();
            prop_assert_eq!(&totals, &truth(&next(committer.state())));
            for _ in 0..count {
                commit(&store, &mut committer, &mut totals, &mut BTreeMap::new()).expect("nothing strikes");
            }
            commits += count;
            if checkpoint {
                committer.checkpoint().expect("nothing strikes");
            }
            let mut folded = State::new(String::new(), settings());
            while let Some(logged) = commit_log::read_entry(&store, folded.entries).expect("readable") {
                folded.follow(&logged.entry, &logged.digest).expect("sound");
            }
            folded.redone_to = committer.state().redone_to;
            prop_assert_eq!(&folded, committer.state());
        }
        let committer = open(&store).expect("nothing strikes");
        prop_assert_eq!(committer.state().commit, commits as u64);
        for to in next(committer.state()).into_values() {
            prop_assert_eq!(to, super::world::STEP * i64::try_from(commits).expect("few"));
        }
    }

    /// No entry that can be read makes the rules panic.
    #[test]
    fn rules_take_any_numbers(from in any::<i64>(), to in any::<i64>(), numbers in any::<[u64; 6]>(), count in any::<i64>()) {
        let (state, mut entry) = last_step();
        let read = position(&mut entry);
        read.interval = Interval { from, to };
        let [records, bearing, events, markers, empty, lost] = numbers;
        (read.records, read.empty, read.lost) = (records, empty, lost);
        (read.tally.bearing, read.tally.events, read.tally.markers) = (bearing, events, markers);
        let table = Arc::new(TableName::new("z", "z"));
        let key = CountKey { day: super::world::day(1), table, op: walbook::change::Operation::Insert };
        entry.deltas.push(Delta { key, count });
        prop_assert!(state.check(&entry).is_err());
    }
}

#[test]
fn count_deltas_are_what_is_added() {
    // The contents of a commit and its entry say the same.
    let store = MemoryStore::new();
    let mut committer = open(&store).expect("nothing strikes");
    let contents = seal(&store, &committer, &mut BTreeMap::new()).expect("nothing strikes");
    let mut given: Vec<Delta> = contents.deltas.iter().map(delta).collect();
    committer.commit(contents).expect("nothing strikes");
    given.sort();
    assert_eq!(commit_log::read_entry(&store, 1).expect("readable").expect("there").entry.deltas, given);
}

fn delta(CountDelta { key, added, .. }: &CountDelta) -> Delta {
    Delta { key: key.clone(), count: *added }
}
