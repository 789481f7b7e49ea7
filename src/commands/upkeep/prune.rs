//! `walbook prune`: takes the events and rejects of old days out of a book, by itself or beside the run that has it.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use chrono::Utc;
use chrono_tz::Tz;
use serde_json::json;
use tracing::info;

use super::owner::{LOOK_INTERVAL, Owner, check_user, is_free};
use crate::book::compact::remove_replaced_files;
use crate::book::prune::{is_moved_away, prune_beside};
use crate::book::{Book, BookError, Entry, LeaseWatch, Pruned, Snapshot, State};
use crate::change::{Day, Failure, FailureKind, WithContext};
use crate::commands::answers::print;
use crate::commands::signals;
use crate::control::Shutdown;
use crate::run::{LEASE_TIMEOUT, versions};
use crate::settings::SettingsError;
use crate::settings::args::{PruneArgs, ReportFormat};
use crate::store::{BookStore, Store};

/// Prunes the days before one.
pub(in crate::commands) fn prune(args: &PruneArgs) -> Result<(), Failure> {
    // Says what is wrong with a path or a book before anything is changed there.
    let book = args.store.of(&args.book)?;
    let snapshot = Snapshot::take(&book)?;
    check(args.before, snapshot.state())?;
    check_user(&book)?;
    let settings = snapshot.state().settings.clone();
    drop(snapshot);
    let shutdown = Shutdown::new();
    signals::listen(&shutdown).context("could not listen to signals")?;
    let store = book.shared();
    let take_over = || {
        let opened = Book::open(Arc::clone(&store), settings.clone(), versions())?;
        Owner::of(opened, &shutdown)
    };
    let pruned = match is_free(&store, &shutdown)? {
        true => {
            let mut owner = take_over()?;
            let entry = owner.committer.prune(args.before)?;
            let pruned = of_entry(owner.committer.state(), entry.as_deref());
            remove_replaced_files(&*store)?;
            owner.release();
            pruned
        }
        false if shutdown.is_requested() => return Err(Failure::new("ended by a signal: nothing has changed")),
        false => {
            info!("a run has the book: it moves the files away");
            let no_book = || BookError::NoBook { path: book.location().to_path() };
            let entry = prune_beside(&store, &versions(), args.before, &no_book)?;
            if let Some(entry) = &entry {
                await_moved(&store, entry, &shutdown, &take_over)?;
            }
            of_entry(Snapshot::take(&book)?.state(), entry.as_ref())
        }
    };
    shutdown.take_failure().map_or(Ok(()), Err)?;
    report(&book, args.before, pruned, args.format)
}

/// What an entry has pruned; of one after which another process has pruned again, what that one has.
fn of_entry(state: &State, entry: Option<&Entry>) -> Option<Pruned> {
    state.pruned.filter(|pruned| entry.is_some_and(|entry| pruned.entry >= entry.entry))
}

/// Refuses a day that has not begun, and what could not be built again afterwards.
fn check(before: Day, state: &State) -> Result<(), Failure> {
    // A book is made with a zone of this list only.
    let zone: Tz = state.settings.time_zone.parse().unwrap_or(Tz::UTC);
    let today = Day::from(Utc::now().with_timezone(&zone).date_naive());
    if before > today {
        return Err(SettingsError::Wrong(format!(
            "--before {before}: that day has not begun; today is {today} in {zone}, and --before {today} keeps today only"
        ))
        .into());
    }
    if let Some(pruned) = state.pruned.filter(|pruned| pruned.before > before) {
        return Err(SettingsError::Wrong(format!(
            "--before {before}: days before {} are pruned already",
            pruned.before
        ))
        .into());
    }
    match state.unbuilt_view() {
        Some(name) => Err(SettingsError::Wrong(format!(
            "view {name} is declared and not built: it would miss the days that are pruned; build it first (walbook view build, \
             or a new start of the run), or drop it"
        ))
        .into()),
        None => Ok(()),
    }
}

/// Waits until the run has moved the files away; takes the book over if the run ends meanwhile.
fn await_moved(
    store: &Arc<dyn Store>,
    entry: &Entry,
    shutdown: &Shutdown,
    take_over: &dyn Fn() -> Result<Owner, Failure>,
) -> Result<(), Failure> {
    let mut watch = LeaseWatch::new(Arc::clone(store), LEASE_TIMEOUT);
    while !is_moved_away(&**store, entry)? && !shutdown.is_requested() {
        if watch.look(Instant::now())?.is_some() {
            match take_over() {
                // Another one was faster.
                Err(failure) if failure.kind() == FailureKind::Fenced => watch.begin_again(),
                Err(failure) => return Err(failure),
                Ok(owner) => {
                    owner.release();
                    return Ok(());
                }
            }
        }
        thread::sleep(LOOK_INTERVAL);
    }
    Ok(())
}

fn report(book: &BookStore, before: Day, pruned: Option<Pruned>, format: ReportFormat) -> Result<(), Failure> {
    let (files, bytes) = pruned.map_or((0, None), |pruned| (pruned.files, pruned.bytes.bytes()));
    print(|out| match format {
        ReportFormat::Json => {
            writeln!(out, "{}", json!({ "before": before, "files": files, "bytes": bytes }))
        }
        ReportFormat::Table if files == 0 => {
            writeln!(out, "Nothing to prune: {} has no events or rejects of days before {before}.", book.location())
        }
        ReportFormat::Table => {
            let bytes = bytes.map_or(String::new(), |bytes| format!(" of {bytes} bytes"));
            writeln!(
                out,
                "Events and rejects of days before {before} are pruned: {files} files{bytes}. Counts, and the views that were there, have all days. \
                 The files stay ten minutes for readers that have listed them; a run, or the next prune or compact, removes them."
            )
        }
    })
}
