//! A server of a run in memory.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use walbook::book::log::entry::SourceKind;
use walbook::book::{CommittedEntry, Snapshot};
use walbook::change::ClosedEpoch;
use walbook::control::{Progress, SourceProgress};
use walbook::query::Totals;
use walbook::server::{Access, ServedRun, ServerSettings, listen_on};

use super::any_port;

/// Serves a run of the book in a directory that has begun, and says where.
pub(super) fn serve_run(root: &Path, epochs: Receiver<ClosedEpoch>, commits: Receiver<CommittedEntry>) -> SocketAddr {
    let server = listen_on(any_port()).expect("a port is free");
    let address = server.address();
    let book = Snapshot::take(root).expect("a book");
    let served = ServedRun {
        epochs,
        commits,
        state: Arc::new(book.state().clone()),
        counts: Totals::read(&book).expect("counts"),
        partitions: Vec::new(),
        views: book.state().views.values().map(|view| view.declared.clone()).collect(),
        source: SourceKind::Kafka,
        commit_interval: Duration::from_secs(10),
        discover_interval: Duration::from_secs(10),
        progress: Progress::new(),
        ask_ends: None,
        source_progress: SourceProgress::default(),
        contacts: None,
        ask_slot: None,
    };
    server.serve_run(ServerSettings { book: root.into(), access: Access::default() }, served).expect("a book");
    address
}
