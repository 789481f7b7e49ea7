//! The texts on disk, as golden copies: other programs and older books rely on them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::support::MemoryStore;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use walbook::book::DayCounts;
use walbook::book::log::commit_log;
use walbook::book::log::entry::{AddedFile, Delta, EntryKind, PartitionEntry, TopicEntry};
use walbook::book::{
    Book, BookError, CommitOutcome, Committer, CountsFile, CountsStamp, Entry, State, encode_checkpoint,
};
use walbook::change::{Classified, CountKey, Failure, Interval, LeaderEpoch, Operation, Place, TableName, Tally};
use walbook::store::{Disk, Store as _};

use super::world::{day, new_topics, open, open_in, run, seal, settings, versions};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("JSON is UTF-8")
}

/// What differs from run to run, made the same.
fn tamed(store: &MemoryStore, path: &str) -> String {
    let bytes = &store.files()[path];
    let mut entry: serde_json::Value =
        serde_json::from_slice(bytes.split(|byte| *byte == b'\n').next().expect("a line")).expect("JSON");
    entry["book"] = "<book>".into();
    entry["previous"] = "<digest>".into();
    entry["written_at"] = 0.into();
    let generation = entry["generation"].as_str().expect("a text");
    assert_eq!((generation.len(), &generation[..12]), (20, "g0000000000-"));
    entry["generation"] = "<generation>".into();
    entry.to_string()
}

fn place(commit_lsn: i64, seq: i32) -> Option<Place> {
    Some(Place { commit_lsn, seq })
}

fn fence() -> Entry {
    Entry {
        format: 1,
        book: "6f1c7a52-93c1-4d0e-a5a4-0e2b8c1f7d11".into(),
        entry: 0,
        commit: 0,
        previous: String::new(),
        kind: EntryKind::Fence,
        generation: "g0000000000-1f0c93aa".into(),
        redone_to: 0,
        written_at: 1_795_305_600_000_000,
        commit_time: None,
        settings: settings(),
        versions: versions(),
        topics: new_topics(&State::new(String::new(), settings())),
        added: Vec::new(),
        removed: Vec::new(),
        deltas: Vec::new(),
        views: BTreeMap::new(),
        compaction: None,
        prune: None,
    }
}

fn commit() -> Entry {
    let tally =
        Tally { bearing: 3, events: 4, markers: 2, rejects: 1, highest: place(23_818_912, 1), ..Tally::default() };
    let interval = Interval { from: 0, to: 8 };
    let read = PartitionEntry { interval, records: 6, tally, empty: 2, lost: 0, leader_epoch: None };
    let file = |path: &str, rows| AddedFile { path: path.into(), bytes: 1234, rows, xxh3: "00000000deadbeef".into() };
    Entry {
        entry: 1,
        commit: 1,
        commit_time: Some(1_795_305_599_000_000),
        previous: "00".into(),
        kind: EntryKind::Commit,
        topics: BTreeMap::from([(
            "changes".into(),
            TopicEntry {
                id: "nIFFyfwTQ2S1OCvM4ZbjUw".into(),
                partitions: 2,
                positions: BTreeMap::from([(1, read)]),
                ..TopicEntry::default()
            },
        )]),
        added: vec![
            file("events/day=2024-10-04/c0000000001-w000-0.parquet", 4),
            file("rejects/day=1970-01-01/c0000000001-w000-0.parquet", 1),
        ],
        deltas: vec![
            Delta { key: key("orders", Operation::Insert), count: 3 },
            Delta { key: key("we\"ird", Operation::Truncate), count: 1 },
        ],
        ..fence()
    }
}

#[test]
fn entries_are_these_lines() {
    let print = |entry: &Entry| serde_json::to_string(entry).expect("an entry prints");
    insta::assert_snapshot!(print(&fence()), @r#"{"format":1,"book":"6f1c7a52-93c1-4d0e-a5a4-0e2b8c1f7d11","entry":0,"commit":0,"previous":"","kind":"fence","generation":"g0000000000-1f0c93aa","redone_to":0,"written_at":1795305600000000,"settings":{"time_zone":"Europe/Berlin","day_from":"auto"},"versions":{"walbook":"0.1.0","parser":1,"tzdata":"2026a"},"topics":{"changes":{"id":"nIFFyfwTQ2S1OCvM4ZbjUw","partitions":2,"positions":{"0":{"from":0,"to":0,"records":0,"bearing":0,"events":0,"markers":0,"rejects":0,"unreadable_fields":0,"highest":null,"empty":0,"lost":0},"1":{"from":0,"to":0,"records":0,"bearing":0,"events":0,"markers":0,"rejects":0,"unreadable_fields":0,"highest":null,"empty":0,"lost":0}}}},"added":[],"removed":[],"deltas":[]}"#);
    insta::assert_snapshot!(print(&commit()), @r#"{"format":1,"book":"6f1c7a52-93c1-4d0e-a5a4-0e2b8c1f7d11","entry":1,"commit":1,"previous":"00","kind":"commit","generation":"g0000000000-1f0c93aa","redone_to":0,"written_at":1795305600000000,"commit_time":1795305599000000,"settings":{"time_zone":"Europe/Berlin","day_from":"auto"},"versions":{"walbook":"0.1.0","parser":1,"tzdata":"2026a"},"topics":{"changes":{"id":"nIFFyfwTQ2S1OCvM4ZbjUw","partitions":2,"positions":{"1":{"from":0,"to":8,"records":6,"bearing":3,"events":4,"markers":2,"rejects":1,"unreadable_fields":0,"highest":{"commit_lsn":23818912,"seq":1},"empty":2,"lost":0}}}},"added":[{"path":"events/day=2024-10-04/c0000000001-w000-0.parquet","bytes":1234,"rows":4,"xxh3":"00000000deadbeef"},{"path":"rejects/day=1970-01-01/c0000000001-w000-0.parquet","bytes":1234,"rows":1,"xxh3":"00000000deadbeef"}],"removed":[],"deltas":[["2024-10-04","public","orders","INSERT",3],["2024-10-04","public","we\"ird","TRUNCATE",1]]}"#);
}

#[test]
fn a_leader_epoch_is_an_optional_field_of_a_partition() {
    let mut entry = commit();
    let read = entry.topics.get_mut("changes").and_then(|topic| topic.positions.get_mut(&1)).expect("there");
    read.leader_epoch = Some(LeaderEpoch { epoch: 3, to: 7 });
    let text = serde_json::to_string(&entry).expect("an entry prints");
    assert!(text.contains(r#""empty":2,"lost":0,"leader_epoch":{"epoch":3,"to":7}}"#), "{text}");
    assert_eq!(serde_json::from_str::<Entry>(&text).expect("an entry"), entry);
    let mut state = State::new(String::new(), settings());
    state.follow(&fence(), "00").expect("sound");
    state.follow(&entry, "11").expect("sound");
    let checkpoint = text_of(&state);
    assert!(
        checkpoint
            .contains(r#""1":{"next":8,"highest":{"commit_lsn":23818912,"seq":1},"leader_epoch":{"epoch":3,"to":7}}"#),
        "{checkpoint}"
    );
    assert!(checkpoint.contains(r#""0":{"next":0,"highest":null}"#), "{checkpoint}");
}

fn text_of(state: &State) -> String {
    text(&encode_checkpoint(state))
}

#[test]
fn a_run_writes_such_entries() {
    let store = MemoryStore::new();
    run(&store, 1, &mut BTreeMap::new()).expect("nothing strikes");
    insta::assert_snapshot!(tamed(&store, "_walbook/log/00000000000000000000.json"), @r#"{"added":[],"book":"<book>","commit":0,"deltas":[],"entry":0,"format":1,"generation":"<generation>","kind":"fence","previous":"<digest>","redone_to":0,"removed":[],"settings":{"day_from":"auto","time_zone":"Europe/Berlin"},"topics":{"changes":{"id":"nIFFyfwTQ2S1OCvM4ZbjUw","partitions":2,"positions":{"0":{"bearing":0,"empty":0,"events":0,"from":0,"highest":null,"lost":0,"markers":0,"records":0,"rejects":0,"to":0,"unreadable_fields":0},"1":{"bearing":0,"empty":0,"events":0,"from":0,"highest":null,"lost":0,"markers":0,"records":0,"rejects":0,"to":0,"unreadable_fields":0}}}},"versions":{"parser":1,"tzdata":"2026a","walbook":"0.1.0"},"written_at":0}"#);
    insta::assert_snapshot!(tamed(&store, "_walbook/log/00000000000000000001.json"), @r#"{"added":[{"bytes":12,"path":"events/day=2024-10-04/c0000000001-w000-0.parquet","rows":2,"xxh3":"3e64d05f996a96d6"},{"bytes":12,"path":"events/day=2024-10-04/c0000000001-w001-0.parquet","rows":2,"xxh3":"58ceb57ae5c6ea3d"},{"bytes":12,"path":"events/day=2024-10-05/c0000000001-w000-0.parquet","rows":2,"xxh3":"409bf428d037f2c0"},{"bytes":18,"path":"events/day=2024-10-05/c0000000001-w001-0.parquet","rows":3,"xxh3":"46e238e161b31d39"},{"bytes":6,"path":"rejects/day=1970-01-01/c0000000001-w000-0.parquet","rows":1,"xxh3":"9f1de70bd6817279"}],"book":"<book>","commit":1,"deltas":[["2024-10-04","public","orders","INSERT",1],["2024-10-04","public","we\"ird","INSERT",2],["2024-10-04","public","we\"ird","DELETE",1],["2024-10-05","public","orders","TRUNCATE",2],["2024-10-05","public","we\"ird","UPDATE",3]],"entry":1,"format":1,"generation":"<generation>","kind":"commit","previous":"<digest>","redone_to":0,"removed":[],"settings":{"day_from":"auto","time_zone":"Europe/Berlin"},"topics":{"changes":{"id":"nIFFyfwTQ2S1OCvM4ZbjUw","partitions":2,"positions":{"0":{"bearing":4,"empty":1,"events":4,"from":0,"highest":null,"lost":0,"markers":0,"records":5,"rejects":1,"to":6,"unreadable_fields":0},"1":{"bearing":4,"empty":1,"events":5,"from":0,"highest":null,"lost":0,"markers":1,"records":5,"rejects":0,"to":6,"unreadable_fields":0}}}},"versions":{"parser":1,"tzdata":"2026a","walbook":"0.1.0"},"written_at":0}"#);
    let second = text(&store.files()["_walbook/log/00000000000000000001.json"]);
    let lines: Vec<&str> = second.split('\n').collect();
    let logged = commit_log::read_entry(&store, 1).expect("readable").expect("there");
    assert_eq!(lines[1..], [format!("{{\"sha256\":\"{}\"}}", logged.digest).as_str(), ""]);
}

#[test]
fn a_book_has_these_files() {
    let store = MemoryStore::new();
    let committer = run(&store, 1, &mut BTreeMap::new()).expect("nothing strikes");
    assert!(committer.generation().starts_with("g0000000000-"));
    let paths: Vec<String> = store.files().into_keys().collect();
    insta::assert_snapshot!(paths.join("\n"), @r#"
    _walbook/checkpoint/00000000000000000001.json
    _walbook/log/00000000000000000000.json
    _walbook/log/00000000000000000001.json
    counts/day=2024-10-04/counts.parquet
    counts/day=2024-10-05/counts.parquet
    events/day=2024-10-04/c0000000001-w000-0.parquet
    events/day=2024-10-04/c0000000001-w001-0.parquet
    events/day=2024-10-05/c0000000001-w000-0.parquet
    events/day=2024-10-05/c0000000001-w001-0.parquet
    rejects/day=1970-01-01/c0000000001-w000-0.parquet
    "#);
}

#[test]
fn a_checkpoint_is_these_lines() {
    let mut state = State::new(String::new(), settings());
    state.follow(&fence(), "00").expect("sound");
    state.follow(&commit(), "11").expect("sound");
    insta::assert_snapshot!(text(&encode_checkpoint(&state)), @r#"
    {"format":1,"state":{"book":"6f1c7a52-93c1-4d0e-a5a4-0e2b8c1f7d11","settings":{"time_zone":"Europe/Berlin","day_from":"auto"},"entries":2,"digest":"11","commit":1,"commit_time":1795305599000000,"redone_to":0,"generation":"g0000000000-1f0c93aa","topics":{"changes":{"id":"nIFFyfwTQ2S1OCvM4ZbjUw","partitions":2,"positions":{"0":{"next":0,"highest":null},"1":{"next":8,"highest":{"commit_lsn":23818912,"seq":1}}}}},"days":{"2024-10-04":{"changes":4,"entry":1}},"rejects":{"1970-01-01":1},"files":{"1970-01-01":{"events":{"files":0,"xxh3":0},"rejects":{"files":1,"xxh3":7044376388712501597},"event_sizes":0,"reject_sizes":1234},"2024-10-04":{"events":{"files":1,"xxh3":13464905729298454409},"rejects":{"files":0,"xxh3":0},"event_sizes":1234,"reject_sizes":0}}}}
    {"sha256":"5ddd0188b0d0e67ecb431c99cd39b223c4bc0ef2df98e75e58cd114c2b1f17df"}
    "#);
}

fn key(table: &str, op: Operation) -> CountKey {
    CountKey { day: day(0), table: Arc::new(TableName::new("public", table)), op }
}

fn counts_file() -> CountsFile {
    CountsFile {
        stamp: CountsStamp {
            book: "6f1c7a52-93c1-4d0e-a5a4-0e2b8c1f7d11".into(),
            generation: "g0000000000-1f0c93aa".into(),
            entry: 12,
            commit: 9,
            day: day(0),
        },
        counts: DayCounts::from_iter([
            (key("orders", Operation::Insert), 1237),
            (key("orders", Operation::Delete), 5),
            (key("we\"ird", Operation::Truncate), 1),
        ]),
    }
}

#[test]
fn a_counts_file_has_these_columns_and_metadata() {
    let bytes = Bytes::from(counts_file().encode());
    assert_eq!(CountsFile::read(day(0), bytes.clone()).expect("whole"), counts_file());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("Parquet");
    let mut schema = Vec::new();
    parquet::schema::printer::print_schema(&mut schema, reader.metadata().file_metadata().schema());
    insta::assert_snapshot!(text(&schema), @r#"
    message arrow_schema {
      REQUIRED BYTE_ARRAY schema (STRING);
      REQUIRED BYTE_ARRAY table (STRING);
      REQUIRED BYTE_ARRAY op (STRING);
      REQUIRED INT64 count;
    }
    "#);
    let file = reader.metadata().file_metadata();
    let metadata = file.key_value_metadata().expect("there is some").iter();
    let metadata: Vec<String> =
        metadata.map(|pair| format!("{}={}", pair.key, pair.value.as_deref().unwrap_or("null"))).collect();
    insta::assert_snapshot!(metadata.join("\n"), @r#"
    walbook.book=6f1c7a52-93c1-4d0e-a5a4-0e2b8c1f7d11
    walbook.generation=g0000000000-1f0c93aa
    walbook.entry=12
    walbook.commit=9
    walbook.day=2024-10-04
    walbook.sha256=00447c52df9c6caffa4d86515df63508c5f5ad00970ef85b0f1472d8993f3b30
    "#);
    assert_eq!(file.created_by(), Some(concat!("walbook version ", env!("CARGO_PKG_VERSION"))));
    let rows = reader.build().expect("readable").next().expect("a batch").expect("readable");
    let op = arrow_array::cast::AsArray::as_string::<i32>(rows.column(2).as_ref());
    let ops: Vec<&str> = op.iter().map(|op| op.expect("never null")).collect();
    assert_eq!(ops, ["DELETE", "INSERT", "TRUNCATE"], "sorted by text");
}

#[test]
fn other_settings_are_refused() {
    let store = MemoryStore::new();
    open(&store).expect("nothing strikes");
    let zone = walbook::book::log::entry::BookSettings { time_zone: "UTC".into(), ..settings() };
    let rule = walbook::book::log::entry::BookSettings { day_from: "kafka".into(), ..settings() };
    let refused = |settings| match Book::open(Arc::new(store.clone()), settings, versions()) {
        Err(error) => (error.exit_code(), error.to_string()),
        Ok(_) => panic!("opened with other settings"),
    };
    insta::assert_debug_snapshot!(refused(zone), @r#"
    (
        2,
        "the book was made with time zone \"Europe/Berlin\", this run asks for \"UTC\"; they are fixed: use the book's, or make a new book",
    )
    "#);
    insta::assert_debug_snapshot!(refused(rule), @r#"
    (
        2,
        "the book was made with day rule \"auto\", this run asks for \"kafka\"; they are fixed: use the book's, or make a new book",
    )
    "#);
}

#[test]
fn a_directory_that_is_no_book_is_refused_and_left_alone() {
    let store = MemoryStore::new();
    drop(store.create("letter.txt").expect("an empty disk"));
    let before = store.files();
    match Book::open(Arc::new(store.clone()), settings(), versions()) {
        Err(error) => insta::assert_debug_snapshot!((error.exit_code(), error.to_string()), @r#"
        (
            2,
            "not a book, and not empty: found \"letter.txt\" but no commit log; name an empty or new directory",
        )
        "#),
        Ok(_) => panic!("opened somebody's letters"),
    }
    assert_eq!(store.files(), before);
    assert!(!store.exists("_walbook").expect("a look"));
}

#[test]
fn a_commit_that_reads_nothing_puts_no_entry() {
    let store = MemoryStore::new();
    let mut committer: Committer = open(&store).expect("nothing strikes");
    let before = store.files();
    let contents = walbook::book::CommitContents { commit: 5, ..Default::default() };
    assert_eq!(committer.commit(contents).expect("nothing to do"), CommitOutcome::Nothing);
    assert_eq!(store.files(), before);
    assert_eq!(committer.next_commit(), 1);
}

#[test]
fn a_callers_error_comes_back_from_the_fence_and_nothing_is_made() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = Disk::new(folder.path().join("book"));
    let book = Book::open(Arc::new(disk.clone()), settings(), versions()).expect("no folder yet");
    let refused: Result<Committer, Failure> = book.fence(|_| Err(Failure::new("no broker")));
    assert_eq!(refused.err().map(|error| error.to_string()).as_deref(), Some("no broker"));
    assert!(!disk.root().exists(), "a book is made only when it is known what it is made of");
    assert!(matches!(BookError::Fenced { reason: String::new() }.exit_code(), 4));
}

#[test]
fn a_real_directory_serves_as_well() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = Disk::new(folder.path().join("made/with/parents"));
    let memory = MemoryStore::new();
    let mut totals = BTreeMap::new();
    for _ in 0..2 {
        let mut committer = open_in(Arc::new(disk.clone())).expect("a writable folder");
        for _ in 0..2 {
            let contents = seal(&disk, &committer, &mut totals).expect("a writable folder");
            committer.commit(contents).expect("a writable folder");
        }
        committer.checkpoint().expect("a writable folder");
        run(&memory, 2, &mut BTreeMap::new()).expect("nothing strikes");
    }
    let dumped = folder.path().join("dumped");
    memory.write_to(&dumped).expect("a writable folder");
    let outputs = |root: &Path| -> Vec<String> {
        let mut found = Vec::new();
        let disk = Disk::new(root);
        for table in ["events", "counts", "rejects", "_walbook/log", "_walbook/checkpoint"] {
            for name in disk.list(table).expect("a folder") {
                let below = disk.list(&format!("{table}/{name}")).unwrap_or_default();
                found.push(format!("{table}/{name} {below:?}"));
            }
        }
        found
    };
    assert_eq!(outputs(disk.root()), outputs(&dumped));
    assert_eq!(disk.list("_walbook/staging").expect("a folder").len(), 1);
}
