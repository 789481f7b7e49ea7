//! Slots and files in a book: what their offsets mean, what may follow what, and that `verify` knows it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::book_builder::{BookBuilder, Contents, RejectRow, rewrite_log};
use walbook::book::log::commit_log;
use walbook::book::log::entry::{AddedFile, EntryKind, PartitionEntry, SourceKind, TopicEntry, Versions};
use walbook::book::{self, Entry, Report, State, encode_checkpoint};
use walbook::change::{CommittedTransaction, Day, Interval, Lsn, Place, RecentTransactions, Tally};
use walbook::query::Event;
use walbook::store::Disk;

const SLOT: &str = "walbook_slot";
const FILE: &str = "changes.txt";

fn slot(from: i64) -> TopicEntry {
    TopicEntry {
        source: SourceKind::Slot,
        id: "7312345678901234567".into(),
        timeline: Some(1),
        partitions: 1,
        positions: BTreeMap::from([(0, PartitionEntry::start(from))]),
        ..TopicEntry::default()
    }
}

fn file() -> TopicEntry {
    TopicEntry { source: SourceKind::File, id: "sha256:12:00".into(), timeline: None, ..slot(0) }
}

/// A transaction that ends at an LSN.
fn transaction(at: i64) -> CommittedTransaction {
    CommittedTransaction { commit_lsn: Lsn::from_i64(at).expect("an LSN"), xid: at, commit_time: -at }
}

fn day(text: &str) -> Day {
    text.parse().expect("a day")
}

fn change(topic: &str, offset: i64, ordinal: i32) -> Event {
    let place = (topic == SLOT).then_some((offset, ordinal));
    Event {
        topic: topic.into(),
        offset,
        ordinal,
        commit_lsn: place.map(|place| place.0),
        seq: place.map(|place| place.1),
        schema: "public".into(),
        table: "t".into(),
        op: "INSERT".into(),
        data: "table public.t: INSERT: id[integer]:1".into(),
        ..Event::default()
    }
}

/// A book of a slot and a file with two commits each; the slot's transactions share offsets and have rejects in between.
fn write(root: &Path, spoil: impl FnOnce(&mut Contents)) -> Report {
    let topics = BTreeMap::from([(SLOT.to_owned(), slot(1_000)), (FILE.to_owned(), file())]);
    let mut builder = BookBuilder::open_with(root, "UTC", &topics).expect("a new book");
    let (one, two) = (day("2026-11-22"), day("2026-11-23"));
    let reject = |topic: &str, offset| RejectRow { topic: topic.into(), offset, ..RejectRow::default() };
    let mut contents = Contents {
        events: vec![
            (one, change(SLOT, 1_200, 1)),
            (one, change(SLOT, 1_200, 2)),
            (one, change(SLOT, 1_200, 4)),
            (two, change(SLOT, 1_500, 0)),
            (one, change(FILE, 0, 0)),
            (one, change(FILE, 40, 0)),
            (one, change(FILE, 40, 1)),
        ],
        rejects: vec![
            (Day::EPOCH, reject(SLOT, 1_200)),
            (Day::EPOCH, reject(SLOT, 1_200)),
            (Day::EPOCH, reject(SLOT, 1_500)),
            (Day::EPOCH, reject(FILE, 90)),
        ],
    };
    spoil(&mut contents);
    builder.commit(contents).expect("a sound commit");
    let events = vec![(two, change(SLOT, 1_900, 0)), (two, change(SLOT, 1_900, 1)), (two, change(FILE, 123, 0))];
    builder.commit(Contents { events, ..Contents::default() }).expect("a sound commit");
    drop(builder);
    book::verify(root, &mut |_| {}).expect("a book")
}

fn problems(report: &Report, check: &str) -> String {
    let found = report.checks.iter().find(|found| found.name == check).expect("the check is made");
    found.problems.join("\n")
}

#[test]
fn verify_passes_a_book_of_a_slot_and_a_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let report = write(directory.path(), |_| {});
    assert!(report.ok, "{report:#?}");
    assert!(report.checks.iter().all(|check| check.problems.is_empty()), "{report:#?}");
}

#[test]
fn verify_finds_a_slots_change_that_is_there_twice() {
    type Spoil = fn(&mut Contents);
    let spoils: [(Spoil, &str); 3] = [
        (
            |contents| contents.events.insert(2, (day("2026-11-22"), change(SLOT, 1_200, 2))),
            "not numbered in their order",
        ),
        (|contents| contents.events.push((day("2026-11-23"), change(SLOT, 1_200, 3))), "are used twice"),
        (|contents| contents.events[0].1.ordinal = -1, "not numbered in their order"),
    ];
    for (spoil, expected) in spoils {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let report = write(directory.path(), spoil);
        assert!(!report.ok && problems(&report, "rows").contains(expected), "{expected}: {report:#?}");
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    // The same place at another ordinal: the server sent it again.
    let report = write(directory.path(), |contents| contents.events[2].1.seq = Some(2));
    assert!(report.ok && problems(&report, "repeats").contains("commit_lsn 1200, seq 2"), "{report:#?}");
}

/// The book's entries, and the state before the last of them.
fn last_step(root: &Path) -> (State, Entry) {
    write(root, |_| {});
    let disk = Disk::new(root);
    let read = |number| commit_log::read_entry(&disk, number).expect("readable").expect("there");
    let first = read(0);
    let mut state = State::new(first.entry.book.clone(), first.entry.settings.clone());
    for number in 0..2 {
        let logged = read(number);
        state.follow(&logged.entry, &logged.digest).expect("sound");
    }
    (state, read(2).entry)
}

fn position<'a>(entry: &'a mut Entry, topic: &str) -> &'a mut PartitionEntry {
    entry.topics.get_mut(topic).expect("there").positions.get_mut(&0).expect("there")
}

#[test]
fn entries_of_slots_and_files_keep_rules_of_their_own() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (state, entry) = last_step(directory.path());
    state.check(&entry).expect("sound");
    type Spoil = fn(&mut Entry);
    let spoils: &[(&str, Spoil)] = &[
        ("a slot becomes a topic", |entry| entry.topics.get_mut(SLOT).expect("there").source = SourceKind::Kafka),
        ("a file becomes a slot", |entry| entry.topics.get_mut(FILE).expect("there").source = SourceKind::Slot),
        ("another server", |entry| entry.topics.get_mut(SLOT).expect("there").id.push('1')),
        ("another file", |entry| entry.topics.get_mut(FILE).expect("there").id.push('1')),
        ("another timeline in a commit", |entry| entry.topics.get_mut(SLOT).expect("there").timeline = Some(2)),
        ("no timeline", |entry| entry.topics.get_mut(SLOT).expect("there").timeline = None),
        ("a file's timeline", |entry| entry.topics.get_mut(FILE).expect("there").timeline = Some(1)),
        ("two partitions", |entry| entry.topics.get_mut(SLOT).expect("there").partitions = 2),
        ("a slot's gaps", |entry| position(entry, SLOT).empty = 1),
        ("a slot's loss", |entry| position(entry, SLOT).lost = 1),
        ("a record with two changes", |entry| {
            position(entry, SLOT).tally.bearing -= 1;
            position(entry, SLOT).records -= 1;
        }),
        ("a slot's records at no offset", |entry| {
            position(entry, SLOT).interval.to = position(entry, SLOT).interval.from
        }),
        ("a file's bytes", |entry| position(entry, FILE).empty += 1),
        ("a gap in a slot", |entry| position(entry, SLOT).interval.from += 1),
    ];
    for (name, spoil) in spoils {
        let mut spoilt = entry.clone();
        spoil(&mut spoilt);
        assert_ne!(spoilt, entry, "{name} changes something");
        assert!(state.check(&spoilt).is_err(), "{name} was let pass");
        let spoilt_book = tempfile::tempdir().expect("a temporary directory");
        write(spoilt_book.path(), |_| {});
        rewrite_log(spoilt_book.path(), &mut |entry| {
            if entry.entry == 2 {
                spoil(entry);
            }
        });
        // What the rules of a single entry do not say, rows or the chain do; partitions are the writing side's.
        let report = book::verify(spoilt_book.path(), &mut |_| {}).expect("a book");
        assert!(!report.ok || *name == "two partitions", "{name}: {report:#?}");
    }
}

#[test]
fn verify_finds_a_log_that_continues_with_another_server_file_or_topic() {
    for topic in [SLOT, FILE] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        write(directory.path(), |_| {});
        rewrite_log(directory.path(), &mut |entry| {
            if entry.entry >= 1 {
                entry.topics.get_mut(topic).expect("each commit reads both").id = "another".into();
            }
        });
        let report = book::verify(directory.path(), &mut |_| {}).expect("a book");
        let found = problems(&report, "positions");
        assert!(found.contains(&format!("{topic} has id \"another\", it had")), "{report:#?}");
    }
}

#[test]
fn a_slot_has_a_timeline_from_its_first_entry_on() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    write(directory.path(), |_| {});
    let disk = Disk::new(directory.path());
    let first = commit_log::read_entry(&disk, 0).expect("readable").expect("there").entry;
    let state = State::new(first.book.clone(), first.settings.clone());
    state.check(&first).expect("sound");
    for (topic, timeline) in [(SLOT, None), (FILE, Some(1))] {
        let mut spoilt = first.clone();
        spoilt.topics.get_mut(topic).expect("there").timeline = timeline;
        let error = state.check(&spoilt).expect_err("it breaks a rule").to_string();
        assert!(error.contains("has timeline"), "{error}");
    }
}

#[test]
fn a_fence_may_record_a_newer_timeline_and_nothing_else() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (mut state, commit) = last_step(directory.path());
    state.follow(&commit, "22").expect("sound");
    let fence = |timeline| Entry {
        entry: 3,
        kind: EntryKind::Fence,
        previous: "22".into(),
        generation: "g0000000003-1f0c93aa".into(),
        topics: BTreeMap::from([(SLOT.into(), TopicEntry { timeline, positions: BTreeMap::new(), ..slot(0) })]),
        added: Vec::new(),
        deltas: Vec::new(),
        ..commit.clone()
    };
    for older in [None, Some(0)] {
        assert!(state.check(&fence(older)).is_err(), "{older:?}");
    }
    let next = state.topics[SLOT].positions[&0].next;
    state.follow(&fence(Some(4)), "33").expect("sound");
    assert_eq!((state.topics[SLOT].timeline, state.topics[SLOT].positions[&0].next), (Some(4), next));
    // An idle slot moves on without a record.
    let idle = Interval { from: next, to: next + 500 };
    let read =
        PartitionEntry { interval: idle, records: 0, tally: Tally::default(), empty: 0, lost: 0, leader_epoch: None };
    let moves = Entry {
        entry: 4,
        kind: EntryKind::Commit,
        commit: commit.commit + 1,
        previous: "33".into(),
        topics: BTreeMap::from([(
            SLOT.into(),
            TopicEntry { timeline: Some(4), positions: BTreeMap::from([(0, read)]), ..slot(0) },
        )]),
        ..fence(None)
    };
    state.follow(&moves, "44").expect("sound");
    assert_eq!(state.topics[SLOT].positions[&0].next, next + 500);
}

#[test]
fn entries_of_slots_and_files_are_these_lines() {
    let print = |entry: &TopicEntry| serde_json::to_string(entry).expect("an entry prints");
    insta::assert_snapshot!(print(&slot(23_818_912)), @r#"{"source":"slot","id":"7312345678901234567","timeline":1,"partitions":1,"positions":{"0":{"from":23818912,"to":23818912,"records":0,"bearing":0,"events":0,"markers":0,"rejects":0,"unreadable_fields":0,"highest":null,"empty":0,"lost":0}}}"#);
    insta::assert_snapshot!(print(&file()), @r#"{"source":"file","id":"sha256:12:00","partitions":1,"positions":{"0":{"from":0,"to":0,"records":0,"bearing":0,"events":0,"markers":0,"rejects":0,"unreadable_fields":0,"highest":null,"empty":0,"lost":0}}}"#);
    let kafka = r#"{"id":"A","partitions":1,"positions":{}}"#;
    let read: TopicEntry = serde_json::from_str(kafka).expect("an entry of an older walbook");
    assert_eq!((read.source, read.timeline, print(&read).as_str()), (SourceKind::Kafka, None, kafka));

    let settings = super::world::settings();
    let mut state = State::new("book".into(), settings);
    let tally = Tally { highest: Some(Place { commit_lsn: 1, seq: 2 }), ..Tally::default() };
    assert_eq!(tally.records(), 0);
    let topic = walbook::book::TopicState {
        source: SourceKind::Slot,
        id: "7312345678901234567".into(),
        timeline: Some(3),
        plugin_options: None,
        recent: RecentTransactions::default(),
        partitions: 1,
        positions: BTreeMap::from([(
            0,
            walbook::book::PartitionState { next: 9, highest: tally.highest, ..Default::default() },
        )]),
    };
    state.topics.insert(SLOT.into(), topic);
    let line = |state: &State| {
        let bytes = String::from_utf8(encode_checkpoint(state)).expect("JSON is UTF-8");
        bytes.lines().next().expect("a line").to_owned()
    };
    let mut with_transactions = state.clone();
    with_transactions.topics.get_mut(SLOT).expect("there").recent.push(transaction(8));
    assert!(line(&with_transactions).contains(r#""recent":[["0/8",8,-8]]"#), "{}", line(&with_transactions));
    let bytes = String::from_utf8(encode_checkpoint(&state)).expect("JSON is UTF-8");
    insta::assert_snapshot!(bytes.lines().next().expect("a line"), @r#"{"format":1,"state":{"book":"book","settings":{"time_zone":"Europe/Berlin","day_from":"auto"},"entries":0,"digest":"","commit":0,"redone_to":0,"generation":"","topics":{"walbook_slot":{"source":"slot","id":"7312345678901234567","timeline":3,"partitions":1,"positions":{"0":{"next":9,"highest":{"commit_lsn":1,"seq":2}}}}},"days":{},"rejects":{},"files":{}}}"#);
}

/// An entry that reads a slot from where `state` ends it up to `to`, with rejects as its only rows.
fn read_slot(state: &State, to: i64, last: Option<CommittedTransaction>, records: u64) -> Entry {
    let known = &state.topics[SLOT];
    let tally = Tally { rejects: records, ..Tally::default() };
    let interval = Interval { from: known.positions[&0].next, to };
    let read = PartitionEntry { interval, records, tally, empty: 0, lost: 0, leader_epoch: None };
    let file = AddedFile {
        path: format!("rejects/day=1970-01-01/c{:010}-w000-0.parquet", state.commit + 1),
        bytes: 1,
        rows: records,
        xxh3: "00000000deadbeef".into(),
    };
    Entry {
        entry: state.entries,
        commit: state.commit + 1,
        previous: state.digest.clone(),
        kind: EntryKind::Commit,
        topics: BTreeMap::from([(
            SLOT.into(),
            TopicEntry { positions: BTreeMap::from([(0, read)]), last_transaction: last, ..slot(0) },
        )]),
        added: if records == 0 { Vec::new() } else { vec![file] },
        ..first_entry(state)
    }
}

/// A fence that makes a book of a slot which is read from 1 000.
fn first_entry(state: &State) -> Entry {
    let versions = Versions { walbook: String::new(), parser: 1, tzdata: String::new() };
    Entry {
        format: 1,
        book: state.book.clone(),
        entry: 0,
        commit: 0,
        previous: String::new(),
        kind: EntryKind::Fence,
        generation: "g".into(),
        redone_to: 0,
        written_at: 0,
        commit_time: None,
        settings: state.settings.clone(),
        versions,
        topics: BTreeMap::from([(SLOT.into(), slot(1_000))]),
        added: Vec::new(),
        removed: Vec::new(),
        deltas: Vec::new(),
        views: BTreeMap::new(),
        compaction: None,
        prune: None,
    }
}

#[test]
fn other_plugin_options_clear_the_transactions_that_were_read_without_them() {
    let mut state = State::new("book".into(), super::world::settings());
    let fence = |state: &State, options: Option<&str>| {
        let positions = BTreeMap::new();
        let topic = TopicEntry { plugin_options: options.map(str::to_owned), positions, ..slot(0) };
        let topics = BTreeMap::from([(SLOT.into(), topic)]);
        let (entry, commit, previous) = (state.entries, state.commit, state.digest.clone());
        Entry { entry, commit, previous, topics, generation: format!("g{entry}"), ..first_entry(state) }
    };
    state.follow(&first_entry(&state), "0").expect("sound");
    let entry = read_slot(&state, 2_000, Some(transaction(1_500)), 1);
    state.follow(&entry, "1").expect("sound");
    let mut seen = Vec::new();
    // First recorded for a book of an older version, the same again, without any, and then others.
    for options in [Some(""), Some(""), None, Some("only-local=on")] {
        let entry = fence(&state, options);
        state.follow(&entry, &entry.entry.to_string()).expect("sound");
        let known = &state.topics[SLOT];
        seen.push((known.plugin_options.clone(), known.recent.is_empty()));
    }
    let known = |options: &str, is_empty| (Some(options.to_owned()), is_empty);
    assert_eq!(seen, [known("", false), known("", false), known("", false), known("only-local=on", true)]);

    let mut commit = read_slot(&state, 3_000, None, 1);
    commit.topics.get_mut(SLOT).expect("there").plugin_options = Some(String::new());
    assert!(state.check(&commit).is_err_and(|error| error.to_string().contains("plugin options")));
}

#[test]
fn the_last_transactions_of_a_slot_are_those_that_were_read_and_none_where_that_is_not_known() {
    let mut state = State::new("book".into(), super::world::settings());
    state.follow(&first_entry(&state), "0").expect("sound");
    let mut lasts = Vec::new();
    // Read with a transaction, without records, by a version that kept no transactions, and with one again.
    for (to, last, records) in [(2_000, Some(1_500), 2), (3_000, None, 0), (4_000, None, 1), (5_000, Some(4_999), 1)] {
        let entry = read_slot(&state, to, last.map(transaction), records);
        let line = serde_json::to_string(&entry).expect("an entry prints");
        assert_eq!(serde_json::from_str::<Entry>(&line).expect("its own form"), entry);
        state.follow(&entry, &to.to_string()).expect("sound");
        lasts.push(state.topics[SLOT].recent.last().map(|last| last.commit_lsn.as_i64()));
    }
    assert_eq!(lasts, [Some(1_500), Some(1_500), None, Some(4_999)]);

    for (what, last, records) in [("below", 4_999, 1), ("behind", 6_000, 1), ("of no record", 5_500, 0)] {
        let entry = read_slot(&state, 6_000, Some(transaction(last)), records);
        assert!(state.check(&entry).is_err_and(|error| error.to_string().contains("last transaction")), "{what}");
    }
    let mut of_file = read_slot(&state, 6_000, Some(transaction(5_500)), 1);
    let topic = of_file.topics.get_mut(SLOT).expect("there");
    (topic.source, topic.timeline) = (SourceKind::File, None);
    assert!(state.check(&of_file).is_err());
}
