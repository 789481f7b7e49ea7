//! A server's life: listen, read the book, answer.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::board::{Board, Live};
use super::follow;
use super::moment::Moment;
use super::partitions::Partitions;
use super::routes::Answering;
use super::run::{AskEnds, RunView, begin_asking};
use super::slot::{self, AskSlot};
use super::view::now_micros;
use super::{Access, ServeError, epochs, listen};
use crate::book::entry::SourceKind;
use crate::book::{CompleteTo, Level};
use crate::change::{Partition, PartitionStart};
use crate::live::ClosedEpoch;
use crate::process::{Progress, Quiet};
use crate::query::Totals;

/// What a server needs.
pub struct ServerSettings {
    /// The book's directory.
    pub book: PathBuf,
    /// Who may ask.
    pub access: Access,
}

/// A run beside which a server serves.
pub struct ServedRun {
    /// The epochs that it closes.
    pub epochs: Receiver<ClosedEpoch>,
    /// Who it is in the log: what others write is not of it.
    pub generation: String,
    /// The counts that it begins with.
    pub counts: Totals,
    /// The partitions that it reads from the beginning, and where it begins in each.
    pub partitions: Vec<PartitionStart>,
    /// Where records come from.
    pub source: SourceKind,
    /// How long a commit takes records.
    pub commit_interval: Duration,
    /// How often it looks for new partitions.
    pub discover_interval: Duration,
    /// What its workers count.
    pub progress: Progress,
    /// Asks where partitions end; none where nobody can be asked.
    pub ask_ends: Option<Box<AskEnds>>,
    /// What its source knows to be empty behind what was read, if that is one partition.
    pub quiet: Quiet,
    /// Asks how the slot is that it reads; none where it reads no slot.
    pub ask_slot: Option<Box<AskSlot>>,
}

/// A server that listens already, and does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// Takes an address, before anything else is begun.
///
/// # Errors
/// [`ServeError::Listen`].
pub fn listen_on(address: SocketAddr) -> Result<Server, ServeError> {
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Server { listener, address })
}

impl Server {
    /// Where it listens; with the port that the system has chosen where none was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves a book that somebody else may write, as long as the process lives.
    ///
    /// # Errors
    /// [`ServeError`] when there is no book, or it is damaged.
    pub fn serve_book(self, settings: ServerSettings) -> Result<(), ServeError> {
        let (durable, follower) = follow::read(&settings.book, None)?;
        let board = Arc::new(Board::new(&settings.book, durable, None, None));
        follow::begin(Arc::clone(&board), follower);
        self.answer(board, settings.access)
    }

    /// Serves the book that a run of this process writes, and what the run has read beyond. The run must have opened the
    /// book and not committed yet.
    ///
    /// # Errors
    /// As [`Server::serve_book`].
    pub fn serve_run(self, settings: ServerSettings, run: ServedRun) -> Result<(), ServeError> {
        let ServedRun {
            epochs,
            generation,
            counts,
            partitions,
            source,
            commit_interval,
            discover_interval,
            progress,
            ask_ends,
            quiet,
            ask_slot,
        } = run;
        let (mut durable, mut follower) = follow::read(&settings.book, Some(counts))?;
        // Another run may have taken the book over in the meantime: what this one reads counts no more, and what it knew of
        // the counts may not be what the newest entry left.
        let is_own = durable.generation == generation;
        if !is_own {
            (durable, follower) = follow::read(&settings.book, None)?;
        }
        let live = is_own.then(|| begin_live(&durable, &partitions));
        let view =
            RunView::new(source, generation, commit_interval, discover_interval, progress, ask_ends.is_some(), quiet);
        let board = Arc::new(Board::new(&settings.book, durable, live, Some(view)));
        follow::begin(Arc::clone(&board), follower);
        epochs::begin(Arc::clone(&board), epochs);
        if let Some(ask_ends) = ask_ends {
            begin_asking(Arc::clone(&board), ask_ends);
        }
        if let Some(ask_slot) = ask_slot {
            slot::begin_asking(Arc::clone(&board), ask_slot);
        }
        self.answer(board, settings.access)
    }

    fn answer(self, board: Arc<Board>, access: Access) -> Result<(), ServeError> {
        let mut access = access;
        access.names.retain(|name| !name.is_empty());
        let address = self.address;
        let answering = Answering::new(board, access);
        listen::begin(self.listener, answering).map_err(|source| ServeError::Listen { address, source })
    }
}

/// A run that has closed no epoch yet: what it begins with is what the book holds.
fn begin_live(durable: &super::board::Durable, starts: &[PartitionStart]) -> Live {
    let moment = &durable.moment;
    let level = Level::Live { epoch: 0 };
    let complete_to = CompleteTo { level, ..moment.complete_to.clone() };
    let next_offsets = moment.complete_to.positions.iter().flat_map(|(topic, positions)| {
        positions.iter().map(|(number, next)| (Partition { topic: topic.clone(), number: *number }, *next))
    });
    let read = starts.iter().map(|start| (start.partition.clone(), start.from));
    Live {
        partitions: Partitions::starting_at(read, next_offsets),
        moment: Arc::new(Moment { totals: moment.totals.clone(), complete_to, time_zone: moment.time_zone.clone() }),
        epoch: 0,
        closed_at: now_micros(),
        rejects: 0,
    }
}
