//! A run from beginning to end: open the book, fence it, plan, start the clock, serve, run the workers, finish.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use super::interruptible::run_interruptibly;
use super::lead::{LeadingRun, StartingRun};
use super::open_book::open_book;
use super::options::{MakeOrigin, RunOptions};
use super::source_watch::SourceWatch;
use super::worker::{Workers, run_workers};
use super::{LeaseKeeper, RunError};
use crate::book::BookError;
use crate::book::log::commit_log;
use crate::change::{Failure, FailureKind};
use crate::cluster::{Cluster, ClusterError, UNKNOWN_BOOK};
use crate::control::{Progress, Shutdown};
use crate::parse::PARSER_VERSION;
use crate::server::{Access, Server, StartPhase};
use crate::store::Store;
use crate::table::{FileOutput, RowFormat};

/// Runs until the origin's end, a request to end, or a failure; the leading process also serves, if it gets a server.
///
/// # Errors
/// The first failure of any part of the run.
pub fn start(
    options: &RunOptions,
    make_origin: MakeOrigin,
    mut server: Option<(Server, Access)>,
    shutdown: &Shutdown,
    progress: &Progress,
) -> Result<(), Failure> {
    let make = Arc::clone(&make_origin);
    let made = run_interruptibly("origin", shutdown, move || {
        let origin = make()?;
        origin.check()?;
        Ok(origin)
    });
    let origin = made.map_err(|failure| first_failure(shutdown, failure))?;
    let phase = StartPhase::default();
    phase.set("waiting for the other processes of the cluster");
    if let Some((server, _)) = &mut server {
        server.announce_start(phase.clone())?;
    }
    // Nothing is written before all processes have agreed.
    let mut cluster = options.cluster.clone();
    cluster.settings.push(("the id of the book".to_owned(), book_id(options)));
    let mut cluster = Cluster::form(&options.shape, &cluster, shutdown)?;
    let run = StartingRun {
        options: options.clone(),
        origin,
        make_origin,
        store: options.book.shared(),
        lease: LeaseKeeper::new(options.lease_timeout, shutdown),
        contacts: cluster.contacts().cloned(),
        phase,
        shutdown: shutdown.clone(),
        progress: progress.clone(),
    };
    let lease = run.lease.clone();
    let ended = match run_all(run, server, &mut cluster).and_then(|()| refuse_rejects(options, progress)) {
        Ok(()) => cluster.finish(shutdown),
        Err(failure) => {
            let failure = first_failure(shutdown, failure);
            cluster.fail(&failure);
            Err(failure)
        }
    };
    let is_orderly = |failure: &Failure| failure.kind() == FailureKind::Requested;
    if ended.as_ref().err().is_none_or(is_orderly) {
        lease.release();
    }
    ended
}

/// The failure that came first: another process, or another part of this one, may have failed before.
fn first_failure(shutdown: &Shutdown, failure: Failure) -> Failure {
    shutdown.fail(failure);
    shutdown.take_failure().unwrap_or_else(|| Failure::new("the run failed"))
}

/// Fails a run that must not have had rejects, after all of it is committed.
fn refuse_rejects(options: &RunOptions, progress: &Progress) -> Result<(), Failure> {
    // Only the leading process knows of any; it fails the others.
    match progress.rejects().rejects {
        rejects if options.fail_on_rejects && rejects > 0 => Err(RunError::Rejects { rejects }.into()),
        _ => Ok(()),
    }
}

/// The id of the book as this process finds it: all must see one directory. What is wrong with it is said when it is opened.
fn book_id(options: &RunOptions) -> String {
    let store = &options.book;
    let newest = commit_log::newest(store).ok().flatten();
    let entry = newest.and_then(|newest| commit_log::read_entry(store, newest).ok().flatten());
    entry.map_or_else(|| UNKNOWN_BOOK.to_owned(), |logged| logged.entry.book)
}

/// Runs with all processes connected.
fn run_all(run: StartingRun, server: Option<(Server, Access)>, cluster: &mut Cluster) -> Result<(), Failure> {
    let StartingRun { options, store, shutdown, progress, .. } = &run;
    let (options, store) = (options.clone(), Arc::clone(store));
    let (shutdown, progress) = (shutdown.clone(), progress.clone());
    let (leader, origin, _watch, upkeep) = if options.shape.is_leader() {
        let LeadingRun { share, origin, upkeep } = run_interruptibly("lead", &shutdown, move || run.lead(server))?;
        (Some(share), origin, None, Some(upkeep))
    } else {
        let watch = |contacts| SourceWatch::start(Arc::clone(&run.origin), contacts, shutdown.clone());
        // Until the workers have ended.
        let watch = run.contacts.map(watch).transpose()?;
        (None, run.origin, watch, None)
    };
    let generation = leader.as_ref().map(|leader| {
        let committer = leader.committing.committer.lock().unwrap_or_else(PoisonError::into_inner);
        committer.generation().to_owned()
    });
    let output = |format| FileOutput {
        store: Arc::clone(&store),
        format,
        parser: PARSER_VERSION,
        commit_bytes: options.commit_bytes,
        shutdown: shutdown.clone(),
    };
    let of_workers = Arc::clone(&origin);
    let ended = run_workers(Workers {
        workers: options.shape.workers,
        cluster,
        leader,
        source: Arc::new(move |worker| of_workers.source(worker)),
        events: output(RowFormat::events()),
        rejects: output(RowFormat::rejects()),
        progress,
        shutdown: shutdown.clone(),
    });
    drop(upkeep);
    match (generation, ended) {
        (None, ended) => ended,
        (Some(_), Ok(())) => origin.finish(),
        (Some(generation), Err(failure)) => Err(fenced_first(&*store, &generation, failure)),
    }
}

/// Creates the book of a run that is still to start, so that views can be declared in it before.
///
/// # Errors
/// As [`start`], of a directory in which no book can be made.
pub fn create_book(options: &RunOptions) -> Result<(), Failure> {
    open_book(options, &options.book.shared())?.fence(|_| Ok::<_, BookError>(BTreeMap::new()))?;
    Ok(())
}

/// The failure of a run, unless another run has taken the book meanwhile: then that is why its source failed. The failure of another
/// process stays as it is: all processes end with the same code.
fn fenced_first(store: &dyn Store, generation: &str, failure: Failure) -> Failure {
    if failure.is::<ClusterError>() {
        return failure;
    }
    let newest = commit_log::newest(store)
        .ok()
        .flatten()
        .and_then(|newest| commit_log::read_entry(store, newest).ok().flatten());
    match newest {
        Some(newest) if newest.entry.generation != generation => {
            let (entry, other) = (newest.entry.entry, newest.entry.generation);
            let reason = format!("entry {entry} is of generation {other}; seen before that: {}", failure.chain());
            BookError::Fenced { reason }.into()
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Book;
    use crate::book::log::entry::BookSettings;
    use crate::run::versions;
    use crate::store::Disk;

    #[test]
    fn only_the_own_failure_of_a_run_that_lost_its_book_is_a_fence() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store: Arc<dyn Store> = Arc::new(Disk::new(folder.path()));
        let settings = BookSettings { time_zone: "UTC".to_owned(), day_from: "auto".to_owned() };
        let book = Book::open(Arc::clone(&store), settings, versions()).expect("a place for a book");
        let owner = book.fence(|_| Ok::<_, BookError>(BTreeMap::new())).expect("a new book");
        let of_peer = || ClusterError::Failed {
            peer: "process 1".to_owned(),
            kind: FailureKind::DataLoss,
            message: String::new(),
        };
        for (generation, failure, kind) in [
            ("g0000000000-00000000", Failure::new("the slot is held"), FailureKind::Fenced),
            ("g0000000000-00000000", of_peer().into(), FailureKind::DataLoss),
            (owner.generation(), Failure::new("the slot is held"), FailureKind::Other),
        ] {
            assert_eq!(fenced_first(&*store, generation, failure).kind(), kind);
        }
    }
}
