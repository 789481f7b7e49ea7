//! Files that are not as they were written: refused or recounted, never believed, never a panic.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::MemoryStore;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use walbook::book::log::commit_log;
use walbook::book::{Book, BookError, Committer, CountsFile};
use walbook::change::{Classified, CountKey, TableName};
use walbook::store::Store as _;
use walbook::store::layout;

use super::world::{Row, check_complete, day, next, open, run, seal, seal_as, settings, truth, versions};

/// A book of some commits; without a checkpoint, the whole log counts.
fn book(checkpoint: bool) -> MemoryStore {
    let store = MemoryStore::new();
    run(&store, 3, &mut BTreeMap::new()).expect("nothing strikes");
    if !checkpoint {
        for path in store.files().into_keys().filter(|path| path.starts_with(layout::CHECKPOINTS)) {
            store.remove_file(&path).expect("it is there");
        }
    }
    store
}

fn refused(store: &MemoryStore) -> BookError {
    match Book::open(Arc::new(store.clone()), settings(), versions()) {
        Err(error) => error,
        Ok(_) => panic!("opened a damaged book"),
    }
}

/// Each byte flipped, each length cut short, in turn.
fn damages(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let flipped = (0..bytes.len()).map(|at| {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 1 << (at % 8);
        damaged
    });
    flipped.chain((0..bytes.len()).map(|length| bytes[..length].to_vec()))
}

#[test]
fn a_damaged_log_is_refused() {
    let store = book(false);
    for number in 0..4 {
        let path = layout::entry_path(number);
        let whole = store.read(&path).expect("it is there");
        for damaged in damages(&whole) {
            store.damage(&path, damaged.clone()).expect("it is there");
            let error = refused(&store);
            let named = matches!(&error, BookError::Damaged { path: named, .. } if *named == path);
            assert!(named, "{error} for {}", String::from_utf8_lossy(&damaged));
        }
        store.damage(&path, whole).expect("it is there");
    }
    open(&store).expect("it is whole again");
}

#[test]
fn a_log_with_a_gap_is_refused() {
    for number in 0..3 {
        let store = book(false);
        store.remove_file(&layout::entry_path(number)).expect("it is there");
        let error = refused(&store);
        assert!(matches!(&error, BookError::Damaged { path, .. } if *path == layout::entry_path(number)), "{error}");
    }
}

#[test]
fn a_log_that_lost_its_end_is_refused() {
    let store = book(true);
    for number in (0..4).rev() {
        store.remove_file(&layout::entry_path(number)).expect("it is there");
        // A checkpoint knows better; to go on would write the same rows again.
        assert!(matches!(refused(&store), BookError::Damaged { .. }));
    }
}

#[test]
fn counts_show_that_a_log_lost_its_end() {
    // A lost commit on days that are known, and the same when it brought their first changes.
    for (commits, lost) in [(3, 1), (3, 2), (1, 1), (3, 3)] {
        let store = book_with_real_events(commits);
        for number in (commits - lost + 1..=commits).rev() {
            store.remove_file(&layout::entry_path(number)).expect("it is there");
        }
        let entries = commit_log::numbers(&store).expect("readable");
        let error = refused(&store);
        let named = matches!(&error, BookError::Damaged { path, reason }
            if path == layout::LOG && reason.contains("lost its end"));
        assert!(named, "{lost} of {commits}: {error}");
        assert_eq!((error.exit_code(), commit_log::numbers(&store).expect("readable")), (1, entries));
        // Where the stamps cannot be read, the days are evidence.
        for number in 0..2 {
            store.damage(&layout::counts_path(day(number)), b"PAR1".to_vec()).expect("it is there");
        }
        let opened = Book::open(Arc::new(store.clone()), settings(), versions());
        assert_eq!(opened.is_err(), lost == commits, "{lost} of {commits}");
    }
}

#[test]
fn counts_of_another_book_are_no_evidence() {
    let (store, other) = (book_with_real_events(1), book_with_real_events(3));
    let path = layout::counts_path(day(1));
    store.damage(&path, other.read(&path).expect("it is there")).expect("it is there");
    let counts: BTreeMap<_, _> = counts(&store).expect("it is recounted").into_iter().collect();
    assert_eq!(counts, truth(&next(open(&store).expect("whole").state())));
}

#[test]
fn an_entry_of_another_book_is_refused() {
    let (store, other) = (book(false), book(false));
    let path = layout::entry_path(2);
    store.damage(&path, other.read(&path).expect("it is there")).expect("it is there");
    assert!(matches!(refused(&store), BookError::Unsound { entry: 2, .. }));
}

#[test]
fn a_newer_format_is_named() {
    let store = book(false);
    let path = layout::entry_path(3);
    let text = String::from_utf8(store.read(&path).expect("it is there")).expect("JSON");
    let line = text.lines().next().expect("a line").replace("\"format\":1", "\"format\":5,\"more\":true");
    use sha2::Digest as _;
    let digest: String = sha2::Sha256::digest(line.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    store.damage(&path, format!("{line}\n{{\"sha256\":\"{digest}\"}}\n").into_bytes()).expect("it is there");
    let error = refused(&store);
    assert!(matches!(error, BookError::UnknownFormat { format: 5, known: 4, .. }), "{error}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn a_damaged_checkpoint_is_skipped_while_the_log_is_whole() {
    let store = book(true);
    let path = layout::checkpoint_path(3);
    let whole = store.read(&path).expect("it is there");
    let expected = Book::open(Arc::new(store.clone()), settings(), versions()).expect("whole").state().clone();
    for damaged in damages(&whole).step_by(7) {
        store.damage(&path, damaged).expect("it is there");
        let mut found =
            Book::open(Arc::new(store.clone()), settings(), versions()).expect("the log is whole").state().clone();
        // Only the checkpoint knows that the newest entry is redone.
        found.redone_to = expected.redone_to;
        assert_eq!(found, expected);
    }
    store.remove_file(&layout::entry_path(0)).expect("it is there");
    assert!(matches!(refused(&store), BookError::Damaged { .. }));
}

#[test]
fn entries_below_a_checkpoint_are_not_needed() {
    let store = book(true);
    for number in 0..3 {
        store.remove_file(&layout::entry_path(number)).expect("it is there");
    }
    let committer = open(&store).expect("the checkpoint holds them");
    assert_eq!(committer.state().entries, 5);
    assert_eq!(commit_log::newest(&store).expect("readable"), Some(4));
}

#[test]
fn the_newest_entry_is_found_without_a_list() {
    let store = MemoryStore::new();
    assert_eq!(commit_log::newest(&store).expect("readable"), None);
    for entries in 1..40 {
        open(&store).expect("nothing strikes");
        assert_eq!(commit_log::newest(&store).expect("readable"), Some(entries - 1));
        assert_eq!(commit_log::numbers(&store).expect("readable"), (0..entries).collect::<Vec<_>>());
    }
}

#[test]
fn a_checkpoint_is_written_every_64_entries_and_two_are_kept() {
    let store = MemoryStore::new();
    for _ in 0..200 {
        open(&store).expect("nothing strikes");
    }
    let checkpoints = store.list(layout::CHECKPOINTS).expect("readable");
    assert_eq!(checkpoints, ["00000000000000000127.json", "00000000000000000191.json"]);
    assert_eq!(store.list(layout::STAGING).expect("readable").len(), 1, "only the newest generation's");
}

#[test]
fn an_entry_of_megabytes_gets_a_checkpoint_of_its_own() {
    let store = MemoryStore::new();
    let mut committer = open(&store).expect("nothing strikes");
    let mut totals = BTreeMap::new();
    // The tables of each commit have names of their own.
    let mut commit = |committer: &mut Committer, more: &str| {
        let mut contents = seal(&store, committer, &mut totals).expect("nothing strikes");
        for delta in &mut contents.deltas {
            delta.key.table = Arc::new(TableName::new("public", &format!("{}{more}", delta.key.table.table)));
            delta.total = delta.added;
        }
        committer.commit(contents).expect("nothing strikes");
    };
    commit(&mut committer, "1");
    assert!(store.list(layout::CHECKPOINTS).expect("readable").is_empty(), "two small entries need none");
    commit(&mut committer, &"x".repeat(300_000));
    assert_eq!(store.list(layout::CHECKPOINTS).expect("readable"), ["00000000000000000002.json"]);
    // What a start finds counts too.
    store.remove_file(&layout::checkpoint_path(2)).expect("it is there");
    drop(committer);
    let mut committer = open(&store).expect("nothing strikes");
    assert_eq!(store.list(layout::CHECKPOINTS).expect("readable"), ["00000000000000000003.json"]);
    commit(&mut committer, "3");
    assert_eq!(store.list(layout::CHECKPOINTS).expect("readable").len(), 1, "what is folded does not count again");
}

/// Event files as they really are, as far as a recount reads them.
fn as_parquet(rows: &[Row]) -> Vec<u8> {
    let keys: Vec<&CountKey> = rows.iter().filter_map(|(_, _, _, key)| key.as_ref()).collect();
    let column = |text: fn(&CountKey) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(keys.iter().map(|key| text(key))))
    };
    let columns = [
        ("data", column(|_| "not read")),
        ("schema", column(|key| &key.table.schema)),
        ("table", column(|key| &key.table.table)),
        ("op", column(|key| key.op.as_str())),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a plain schema");
    writer.write(&batch).expect("memory takes all");
    writer.into_inner().expect("memory takes all")
}

/// A book whose event files are Parquet, without a checkpoint.
fn book_with_real_events(commits: u64) -> MemoryStore {
    let store = MemoryStore::new();
    let mut committer = open(&store).expect("nothing strikes");
    let mut totals = BTreeMap::new();
    for _ in 0..commits {
        let contents = seal_as(as_parquet, &store, &committer, &mut totals).expect("nothing strikes");
        committer.commit(contents).expect("nothing strikes");
    }
    store
}

/// All counts, as a start hands them over.
fn counts(store: &MemoryStore) -> Result<Vec<(CountKey, i64)>, BookError> {
    open(store)?.initial_counts()
}

#[test]
fn a_counts_file_that_is_missing_damaged_or_old_is_recounted() {
    let path = layout::counts_path(day(0));
    let old = {
        let store = MemoryStore::new();
        run(&store, 1, &mut BTreeMap::new()).expect("nothing strikes");
        store.read(&path).expect("it is there")
    };
    let spoil: [&dyn Fn(&MemoryStore); 4] = [
        &|store| store.remove_file(&path).expect("it is there"),
        &|store| store.damage(&path, b"PAR1".to_vec()).expect("it is there"),
        &|store| {
            let file = CountsFile::read(day(0), Bytes::from(store.read(&path).expect("there"))).expect("whole");
            let mut file = file;
            let mut counts: Vec<_> = file.by_key().collect();
            counts[0].1 -= 1;
            file.counts = counts.into_iter().collect();
            store.damage(&path, file.encode()).expect("it is there");
        },
        // Of another book, too.
        &|store| store.damage(&path, old.clone()).expect("it is there"),
    ];
    for (number, spoil) in spoil.into_iter().enumerate() {
        let store = book_with_real_events(3);
        spoil(&store);
        let mut committer = open(&store).expect("the log is whole");
        let counts: BTreeMap<_, _> = committer.initial_counts().expect("events are whole").into_iter().collect();
        assert_eq!(counts, truth(&next(committer.state())), "case {number}");
        let file = CountsFile::read(day(0), Bytes::from(store.read(&path).expect("there again"))).expect("whole");
        assert_eq!((file.stamp.entry, file.stamp.commit), (4, 3), "case {number}");
        assert!(file.by_key().all(|(key, count)| counts[&key] == count), "case {number}");
    }
}

#[test]
fn events_that_do_not_add_up_are_refused() {
    let store = book_with_real_events(3);
    store.remove_file(&layout::counts_path(day(0))).expect("it is there");
    let folder = layout::events_folder(day(0));
    let gone = format!("{folder}/{}", store.list(&folder).expect("there").remove(0));
    store.remove_file(&gone).expect("it is there");
    let error = counts(&store).expect_err("an event file is gone");
    assert!(matches!(&error, BookError::Missing { path, .. } if *path == gone), "{error}");
}

#[test]
fn a_damaged_event_file_is_not_recounted() {
    let store = book_with_real_events(3);
    store.remove_file(&layout::counts_path(day(0))).expect("it is there");
    let folder = layout::events_folder(day(0));
    let path = format!("{folder}/{}", store.list(&folder).expect("there").remove(0));
    let whole = store.read(&path).expect("it is there");
    for damaged in damages(&whole).step_by(23) {
        store.damage(&path, damaged).expect("it is there");
        let error = counts(&store).expect_err("a byte is wrong");
        assert!(matches!(&error, BookError::Damaged { path: named, .. } if *named == path), "{error}");
    }
    store.damage(&path, whole).expect("it is there");
    counts(&store).expect("the events are whole again");
}

#[test]
fn a_damaged_counts_file_is_never_used() {
    let store = book(true);
    let whole = store.read(&layout::counts_path(day(0))).expect("it is there");
    CountsFile::read(day(0), Bytes::from(whole.clone())).expect("whole");
    for damaged in damages(&whole) {
        assert!(CountsFile::read(day(0), Bytes::from(damaged)).is_err());
    }
    assert!(CountsFile::read(day(1), Bytes::from(whole)).is_err(), "another day's file");
}

#[test]
fn a_file_that_is_gone_from_staging_and_from_its_place_is_named() {
    let store = book(false);
    let lost = store.files().into_keys().find(|path| path.starts_with("events/")).expect("there are events");
    // Without its checkpoint the newest entry is redone again.
    let newest = commit_log::read_entry(&store, 3).expect("readable").expect("there").entry.added[0].path.clone();
    store.remove_file(&newest).expect("it is there");
    let error = open(&store).err().expect("a committed file is gone");
    assert!(matches!(&error, BookError::Missing { path, entry: 3, .. } if *path == newest), "{error}");
    assert_ne!(lost, newest);
    check_complete(&book(true), &BTreeMap::new());
}

#[test]
fn a_recount_skips_what_no_entry_names() {
    for name in ["c0000000002-w009-0.parquet", "c0000000002-w009-1.parquet", "notes.txt"] {
        let store = book_with_real_events(3);
        store.remove_file(&layout::counts_path(day(0))).expect("it is there");
        let folder = layout::events_folder(day(0));
        let copied = store.list(&folder).expect("there").remove(0);
        let mut stranger = store.create(&format!("{folder}/{name}")).expect("a free name");
        let whole = store.read(&format!("{folder}/{copied}")).expect("it is there");
        // Rows that would be counted twice, or bytes that a decoder may choke on.
        let bytes = if name.contains("-0") { whole } else { b"PAR1 no Parquet PAR1".to_vec() };
        std::io::Write::write_all(&mut stranger, &bytes).expect("memory takes all");
        let counts: BTreeMap<_, _> = counts(&store).expect("the committed events are whole").into_iter().collect();
        assert_eq!(counts, truth(&next(open(&store).expect("whole").state())), "{name}");
    }
}
