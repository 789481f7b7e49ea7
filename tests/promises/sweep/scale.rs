//! How long a start takes after many entries. `WALBOOK_LONG=1 cargo test --release --test promises sweep::scale -- --nocapture` makes 100 000 entries
//! and a million counts, and prints the times before and after a sweep.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use walbook::book::log::entry::{BookSettings, Versions};
use walbook::book::sweep::Sweep;
use walbook::book::{Book, BookError, CommitContents, Committer, verify};
use walbook::change::{Interval, Partition, Tally};
use walbook::query::Event;
use walbook::store::Disk;

use crate::readers::random::day;
use crate::support::book_builder::{BookBuilder, Contents};

const TOPIC: &str = "shop";
/// What a start may take until its first commit, besides the interval between commits.
const LONGEST_START: Duration = Duration::from_secs(2);

fn event(offset: i64, table: u64) -> Event {
    Event {
        topic: TOPIC.to_owned(),
        offset,
        schema: "public".to_owned(),
        table: format!("table_{table}"),
        op: "INSERT".to_owned(),
        data: "table public.t: INSERT: id[bigint]:1".to_owned(),
        ..Event::default()
    }
}

/// Starts a run and commits once.
fn start(root: &Path) -> (Committer, Duration) {
    let begin = Instant::now();
    let settings = BookSettings { time_zone: "UTC".to_owned(), day_from: "auto".to_owned() };
    let versions = Versions { walbook: "test".to_owned(), parser: 1, tzdata: "test".to_owned() };
    let book = Book::open(Arc::new(Disk::new(root)), settings, versions).expect("a book");
    let mut committer = book.fence(|_| Ok::<_, BookError>(Default::default())).expect("nobody else has it");
    assert!(!committer.initial_counts().expect("readable").is_empty());
    let partition = Partition { topic: TOPIC.to_owned(), number: 0 };
    let from = committer.state().next_offset(&partition).expect("known");
    let read = (partition, Interval { from, to: from + 1 }, Tally { markers: 1, ..Tally::default() });
    let commit = committer.next_commit();
    committer.commit(CommitContents { commit, positions: vec![read], ..CommitContents::default() }).expect("a commit");
    (committer, begin.elapsed())
}

#[test]
fn a_start_after_many_entries_is_quick() {
    let is_long = std::env::var_os("WALBOOK_LONG").is_some();
    let (commits, days, keys) = if is_long { (100_000, 100, 1_000_000) } else { (200, 3, 300) };
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.expect("a temporary folder");
    let root = folder.path();
    let mut book = BookBuilder::open(root, "UTC", &[(TOPIC, 1)]).expect("a book");
    let mut next = 0;
    let mut events = |days: std::ops::Range<u64>, tables: std::ops::Range<u64>| {
        let each = days.flat_map(|number| tables.clone().map(move |table| (day(number), table)));
        let events = each.map(|(day, table)| {
            next += 1;
            (day, event(next - 1, table))
        });
        Contents { events: events.collect(), rejects: Vec::new() }
    };
    for commit in 0..commits {
        let of = commit * days / commits;
        book.commit(events(of..of + 1, 0..1)).expect("a commit");
    }
    for of in 0..days {
        book.commit(events(of..of + 1, 0..keys / days)).expect("a commit");
    }
    drop(book);
    let (mut committer, before) = start(root);
    committer.expect_sweep();
    for _ in 0..2 {
        committer.checkpoint().expect("nothing fails");
        drop(committer);
        (committer, _) = start(root);
    }
    let (begin, mut swept) = (Instant::now(), 0);
    while let Sweep::Swept { entries, .. } =
        committer.sweeper().with_least(1).sweep(Duration::ZERO, &|| false).expect("nothing fails")
    {
        swept += entries;
    }
    let sweeping = begin.elapsed();
    drop(committer);
    let (_, after) = start(root);
    println!("{swept} entries swept in {sweeping:?}; from start to first commit {before:?} before, {after:?} after");
    assert!(swept > commits && after < LONGEST_START, "{swept} entries swept, {after:?}");
    if !is_long {
        let report = verify(root, &mut |_| {}).expect("a report");
        assert!(report.ok, "{report:#?}");
    }
}
