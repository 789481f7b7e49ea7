//! A run that a test imitates for a server: where its source ends, what it has read, and its commits.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::book_builder::Contents;
use serde_json::Value;
use walbook::book::log::entry::SourceKind;
use walbook::book::{CommittedEntry, Snapshot};
use walbook::change::{ClosedEpoch, End, Epoch, Interval, Partition, PartitionStart};
use walbook::cluster::Contacts;
use walbook::control::{Progress, SourceProgress};
use walbook::query::{Event, Totals};
use walbook::server::{Access, AskSlot, ServedRun, ServerSettings, SlotReport, listen_on};

use super::any_port;
use super::client::get;
use crate::readers::loop_of_rows::newest_entry;
use crate::readers::random::day;

/// Asks for the status until it is as expected.
#[track_caller]
pub(super) fn await_status(address: SocketAddr, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let status = get(address, "/api/status").json();
        if is(&status) {
            return status;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "not {what}: {status:#}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// One change, and markers before it.
pub(super) fn up_to(offset: i64) -> Contents {
    let (topic, schema, table, op) = ("shop".to_owned(), "public".to_owned(), "t".to_owned(), "INSERT".to_owned());
    let event = Event { topic, offset, schema, table, op, ..Event::default() };
    Contents { events: vec![(day(0), event)], rejects: Vec::new() }
}

/// The source's answer to where its partitions end.
type Ends = Result<Vec<(Partition, End)>, String>;

fn partition(number: i32) -> Partition {
    Partition { topic: "shop".to_owned(), number }
}

/// A slot as its server reports it.
fn slot() -> SlotReport {
    SlotReport {
        name: "shop".to_owned(),
        active: true,
        confirmed_lsn: Some("0/16B2F00".to_owned()),
        restart_lsn: Some("0/16B2E00".to_owned()),
        lag_bytes: Some(7),
        retained_bytes: Some(9),
        wal_status: Some("reserved".to_owned()),
    }
}

/// A run that a test imitates.
pub(super) struct Played {
    pub(super) address: SocketAddr,
    root: PathBuf,
    epochs: Sender<ClosedEpoch>,
    committed: Sender<CommittedEntry>,
    ends: Arc<Mutex<Ends>>,
    pub(super) source_progress: SourceProgress,
}

impl Played {
    pub(super) fn serve(root: &Path, source: SourceKind, end: End) -> Played {
        let book = Snapshot::take(root).expect("a book");
        Played::serve_after(&book, root, source, end)
    }

    /// The same for a run that has opened the book as it was in a snapshot.
    pub(super) fn serve_after(book: &Snapshot, root: &Path, source: SourceKind, end: End) -> Played {
        Played::begin(book, root, source, end, None)
    }

    /// A run of topics by several processes.
    pub(super) fn serve_in_cluster(root: &Path, end: End, contacts: Contacts) -> Played {
        let book = Snapshot::take(root).expect("a book");
        Played::begin(&book, root, SourceKind::Kafka, end, Some(contacts))
    }

    fn begin(book: &Snapshot, root: &Path, source: SourceKind, end: End, contacts: Option<Contacts>) -> Played {
        let (epochs, listener) = channel();
        let (committed, commits) = channel();
        let (ends, source_progress) = (Arc::new(Mutex::new(Ok(vec![(partition(0), end)]))), SourceProgress::default());
        let server = listen_on(any_port()).expect("a port is free");
        let address = server.address();
        let answers = Arc::clone(&ends);
        let run = ServedRun {
            epochs: listener,
            commits,
            state: Arc::new(book.state().clone()),
            counts: Totals::read(book).expect("counts"),
            partitions: vec![PartitionStart::new(partition(0), 100, None)],
            views: Vec::new(),
            source,
            commit_interval: Duration::from_secs(10),
            discover_interval: Duration::from_secs(10),
            progress: Progress::new(),
            ask_ends: Some(Box::new(move || answers.lock().unwrap_or_else(PoisonError::into_inner).clone())),
            source_progress: source_progress.clone(),
            contacts,
            ask_slot: (source == SourceKind::Slot).then(|| -> Box<AskSlot> { Box::new(|| Ok(Some(slot()))) }),
        };
        server.serve_run(ServerSettings { book: root.into(), access: Access::default() }, run).expect("a book");
        Played { address, root: root.to_owned(), epochs, committed, ends, source_progress }
    }

    /// Sets where the source ends from now on.
    pub(super) fn ends(&self, end: Result<End, String>) {
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = end.map(|end| vec![(partition(0), end)]);
    }

    /// Adds a partition that the run has not discovered yet.
    pub(super) fn grow(&self, number: i32, end: End) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.as_mut().expect("the source answers").push((partition(number), end));
    }

    /// Closes an epoch in which the run has read a range of offsets.
    pub(super) fn read(&self, epoch: u64, from: i64, to: i64) {
        let positions = vec![(partition(0), Interval { from, to })];
        self.epochs
            .send(ClosedEpoch { epoch, positions, ..ClosedEpoch::default() })
            .expect("the server receives epochs");
    }

    /// Reports the newest commit of the book.
    pub(super) fn commit(&self) {
        self.committed.send(newest_commit(&self.root)).expect("the server receives commits");
    }
}

/// The newest commit of a book, as its committer reports it.
pub(super) fn newest_commit(root: &Path) -> CommittedEntry {
    let state = Snapshot::take(root).expect("a book").state().clone();
    CommittedEntry { entry: Arc::new(newest_entry(root)), state: Arc::new(state), end: Epoch::MAX }
}
