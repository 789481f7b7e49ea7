//! `walbook compact`: merges the small files of days, by itself or beside the run that has the book.

use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use serde_json::json;
use tracing::info;

use super::owner::{LOOK_INTERVAL, Owner, check_user, is_free};
use crate::book::compact::{CompactionBeside, DayPhase, closed_days, days_with_several_files, remove_replaced_files};
use crate::book::log::entry::BookSettings;
use crate::book::{Book, BookError, Committer, Entry, LeaseWatch, Snapshot, State};
use crate::change::{Day, Failure, FailureKind, WithContext};
use crate::commands::answers::print;
use crate::commands::signals;
use crate::control::{Shutdown, with_lowest_priority};
use crate::run::{LEASE_TIMEOUT, versions};
use crate::settings::SettingsError;
use crate::settings::args::{CompactArgs, ReportFormat};
use crate::store::layout::Table;
use crate::store::{BookStore, Store};

/// What was done to a day.
struct CompactedDay {
    table: Table,
    day: Day,
    files: [u64; 2],
    bytes: [u64; 2],
    rows: u64,
}

/// Merges the days that were named, or all closed ones.
pub(in crate::commands) fn compact(args: &CompactArgs) -> Result<(), Failure> {
    // Says what is wrong with a path or a book before anything is made there.
    let book = args.store.of(&args.book)?;
    let snapshot = Snapshot::take(&book)?;
    check_days(&args.day, snapshot.state())?;
    let shutdown = Shutdown::new();
    signals::listen(&shutdown).context("could not listen to signals")?;
    let store = book.shared();
    check_user(&book)?;
    let of = match args.day.is_empty() {
        true => all_closed(&*store, snapshot.state())?,
        false => args.day.iter().flat_map(|day| [(Table::Events, *day), (Table::Rejects, *day)]).collect(),
    };
    let settings = snapshot.state().settings.clone();
    drop(snapshot);
    let mut done = Vec::new();
    if !of.is_empty() {
        let mut compacting =
            Compacting { book: &book, store, settings, shutdown: &shutdown, owner: None, done: &mut done };
        compacting.run(&of)?;
    }
    let is_ended = shutdown.is_requested();
    print(|out| match args.format {
        ReportFormat::Table => print_table(&done, out),
        ReportFormat::Json => writeln!(out, "{}", json!({ "days": done.iter().map(as_json).collect::<Vec<_>>() })),
    })?;
    match is_ended {
        true => Err(Failure::new("ended by a signal: what is printed is done, nothing else has changed")),
        false => Ok(()),
    }
}

/// Refuses a day that the book does not have.
fn check_days(days: &[Day], state: &State) -> Result<(), Failure> {
    let has = |day: &Day| {
        let rejects = state.rejects.as_ref().is_some_and(|rejects| rejects.contains_key(day));
        state.days.contains_key(day) || rejects
    };
    match days.iter().find(|day| !has(day)) {
        Some(day) => Err(SettingsError::Wrong(format!("--day {day}: the book has nothing of that day")).into()),
        None => Ok(()),
    }
}

fn all_closed(store: &dyn Store, state: &State) -> Result<Vec<(Table, Day)>, BookError> {
    let mut of = Vec::new();
    for table in [Table::Events, Table::Rejects] {
        let closed = closed_days(store, state, &days_with_several_files(state, table), table)?;
        of.extend(closed.into_iter().map(|day| (table, day)));
    }
    of.sort_by_key(|(table, day)| (*day, *table));
    Ok(of)
}

/// A command under way.
struct Compacting<'a> {
    book: &'a BookStore,
    store: Arc<dyn Store>,
    settings: BookSettings,
    shutdown: &'a Shutdown,
    /// The book, once this process has taken it over because no run has it.
    owner: Option<Owner>,
    done: &'a mut Vec<CompactedDay>,
}

impl Compacting<'_> {
    fn run(&mut self, of: &[(Table, Day)]) -> Result<(), Failure> {
        let path = self.book.location().to_path();
        let no_book = || BookError::NoBook { path: path.clone() };
        if is_free(&self.store, self.shutdown)? {
            self.take_over()?;
        } else {
            info!("a run has the book: merging beside it");
        }
        let mut beside: Option<CompactionBeside> = None;
        for (table, day) in of {
            if self.shutdown.is_requested() {
                break;
            }
            self.check_owned()?;
            match &mut self.owner {
                Some(owner) => {
                    let compacted = compact_owned(&mut owner.committer, (*table, *day), self.shutdown)?;
                    self.done.extend(compacted);
                }
                None => {
                    let beside = match &mut beside {
                        Some(beside) => beside,
                        none => none.insert(CompactionBeside::begin(&self.store, versions(), &no_book)?),
                    };
                    let is_cancelled = || self.shutdown.is_requested();
                    // The run has the processor first.
                    let merge = || beside.compact((*table, *day), DayPhase::Closed, &is_cancelled);
                    let merged = with_lowest_priority("merge", merge).context("could not start a thread")?;
                    if let Some(entry) = merged? {
                        self.done.extend(compacted_by(&entry, (*table, *day)));
                        await_placed(beside, &entry, (*table, *day), self)?;
                    }
                }
            }
        }
        self.check_owned()?;
        if let Some(beside) = beside {
            beside.finish()?;
        }
        if let Some(owner) = self.owner.take() {
            remove_replaced_files(&*self.store)?;
            owner.release();
        }
        Ok(())
    }

    /// Ends with the reason when a run has taken the book from this process: then merges are cancelled.
    fn check_owned(&self) -> Result<(), Failure> {
        self.shutdown.take_failure().map_or(Ok(()), Err)
    }

    /// Becomes the owner of a book that no run has: what was put and is not in its place is placed.
    fn take_over(&mut self) -> Result<(), Failure> {
        let opened = Book::open(Arc::clone(&self.store), self.settings.clone(), versions())?;
        self.owner = Some(Owner::of(opened, self.shutdown)?);
        Ok(())
    }
}

/// Merges a day of a book that this process owns.
fn compact_owned(
    committer: &mut Committer,
    of: (Table, Day),
    shutdown: &Shutdown,
) -> Result<Option<CompactedDay>, Failure> {
    let is_cancelled = || shutdown.is_requested() || shutdown.has_failed();
    let (compactor, state) = (committer.compactor(), committer.state().clone());
    let Some(merged) = compactor.merge_day(&state, &[], of, DayPhase::Closed, &is_cancelled)? else {
        return Ok(None);
    };
    match committer.compact(&merged)? {
        Some(entry) => Ok(compacted_by(&entry, of)),
        None => {
            compactor.discard(&merged)?;
            Ok(None)
        }
    }
}

/// Waits until the run has put merged files in their places; takes the book over if the run ends meanwhile.
fn await_placed(
    beside: &CompactionBeside,
    entry: &Entry,
    of: (Table, Day),
    compacting: &mut Compacting<'_>,
) -> Result<(), Failure> {
    let mut watch = LeaseWatch::new(Arc::clone(&compacting.store), LEASE_TIMEOUT);
    while !beside.is_placed(entry, of)? && !compacting.shutdown.is_requested() {
        if watch.look(Instant::now())?.is_some() {
            match compacting.take_over() {
                // Another one was faster.
                Err(failure) if failure.kind() == FailureKind::Fenced => watch.begin_again(),
                taken => return taken,
            }
        }
        thread::sleep(LOOK_INTERVAL);
    }
    Ok(())
}

fn compacted_by(entry: &Entry, (table, day): (Table, Day)) -> Option<CompactedDay> {
    let removed = entry.compaction.as_ref()?.removed;
    let bytes = entry.added.iter().map(|file| file.bytes).sum();
    let files = [entry.removed.len() as u64, entry.added.len() as u64];
    Some(CompactedDay { table, day, files, bytes: [removed.bytes, bytes], rows: removed.rows })
}

fn print_table(done: &[CompactedDay], out: &mut dyn Write) -> std::io::Result<()> {
    if done.is_empty() {
        return writeln!(out, "Nothing to merge: no such day has several small files.");
    }
    for CompactedDay { table, day, files: [before, after], bytes: [bytes_before, bytes_after], rows } in done {
        let (table, rows) = (table.folder(), rows.to_string());
        writeln!(
            out,
            "{day}  {table:7}  {before} files of {bytes_before} bytes → {after} of {bytes_after}; {rows} rows"
        )?;
    }
    Ok(())
}

fn as_json(CompactedDay { table, day, files, bytes, rows }: &CompactedDay) -> serde_json::Value {
    json!({
        "day": day,
        "table": table.folder(),
        "files_before": files[0],
        "files_after": files[1],
        "bytes_before": bytes[0],
        "bytes_after": bytes[1],
        "rows": rows,
    })
}
