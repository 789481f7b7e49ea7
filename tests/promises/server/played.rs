//! A run that a test plays beside a server: where its source ends, and what it has read.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use walbook::book::Snapshot;
use walbook::book::entry::SourceKind;
use walbook::change::{End, Interval, Partition, PartitionStart};
use walbook::live::ClosedEpoch;
use walbook::process::{Progress, Quiet};
use walbook::query::{Event, Totals};
use walbook::server::{Access, ServedRun, ServerSettings, listen_on};
use walbook::testing::book_builder::Contents;

use super::any_port;
use super::client::get;
use crate::readers::random::day;

/// Asks for the status until it is as it should be.
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

/// What the source says when it is asked where its partitions end.
type Ends = Result<Vec<(Partition, End)>, String>;

fn partition(number: i32) -> Partition {
    Partition { topic: "shop".to_owned(), number }
}

/// A run that a test plays.
pub(super) struct Played {
    pub(super) address: SocketAddr,
    epochs: Sender<ClosedEpoch>,
    ends: Arc<Mutex<Ends>>,
    pub(super) quiet: Quiet,
}

impl Played {
    pub(super) fn serve(root: &Path, source: SourceKind, end: End) -> Played {
        let book = Snapshot::take(root).expect("a book");
        Played::serve_after(&book, root, source, end)
    }

    /// A run that has opened the book as it was in a snapshot.
    pub(super) fn serve_after(book: &Snapshot, root: &Path, source: SourceKind, end: End) -> Played {
        let (epochs, listener) = channel();
        let (ends, quiet) = (Arc::new(Mutex::new(Ok(vec![(partition(0), end)]))), Quiet::default());
        let server = listen_on(any_port()).expect("a port is free");
        let address = server.address();
        let answers = Arc::clone(&ends);
        let run = ServedRun {
            epochs: listener,
            generation: book.state().generation.clone(),
            counts: Totals::read(book).expect("counts"),
            partitions: vec![PartitionStart { partition: partition(0), from: 100, until: None }],
            source,
            commit_interval: Duration::from_secs(10),
            discover_interval: Duration::from_secs(10),
            progress: Progress::new(),
            ask_ends: Some(Box::new(move || answers.lock().unwrap_or_else(PoisonError::into_inner).clone())),
            quiet: quiet.clone(),
            ask_slot: None,
        };
        server.serve_run(ServerSettings { book: root.to_owned(), access: Access::default() }, run).expect("a book");
        Played { address, epochs, ends, quiet }
    }

    /// Where the source ends from now on.
    pub(super) fn ends(&self, end: Result<End, String>) {
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = end.map(|end| vec![(partition(0), end)]);
    }

    /// The topic gets a partition that the run has not found yet.
    pub(super) fn grow(&self, number: i32, end: End) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.as_mut().expect("the source answers").push((partition(number), end));
    }

    /// Reads up to an offset.
    pub(super) fn read(&self, epoch: u64, from: i64, to: i64) {
        let positions = vec![(partition(0), Interval { from, to })];
        self.epochs.send(ClosedEpoch { epoch, positions, ..ClosedEpoch::default() }).expect("the server listens");
    }
}
