//! Views from all events of the book: for one that was just declared, or whose files are not as they were written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use std::{mem, thread};

use bytes::Bytes;
use tracing::info;

use crate::book::error::At;
use crate::book::log::entry::AddedFile;
use crate::book::log::named_files::NamedFiles;
use crate::book::read::checksum;
use crate::book::read::event_batches::event_batches;
use crate::book::read::listing::Listing;
use crate::book::read::row_file::first_found;
use crate::book::{BookError, Entry, State};
use crate::change::{Day, GroupLimit};
use crate::store::Store;
use crate::store::layout::{RowsPlace, Table};
use crate::views::{View, ViewContents, ViewInputs};

/// Groups and distinct values that a thread may have before it hands them on: what threads have together is bounded.
const MOST_UNMERGED: usize = 250_000;

/// Computes views of all events up to the state, in the order of `views`. Files of the entries in `tail` may still be in staging.
///
/// `limit` has the groups of the other views.
///
/// # Errors
/// [`BookError::TooManyGroups`]; [`BookError::Missing`] and [`BookError::Damaged`] for a file of events that is not as committed; [`BookError::Io`].
pub(in crate::book) fn build_views(
    store: &Arc<dyn Store>,
    state: &State,
    tail: &[Entry],
    views: &[&View],
    threads: usize,
    limit: &GroupLimit,
) -> Result<Vec<ViewContents>, BookError> {
    let began = Instant::now();
    let listing = Listing { store: &**store, state, tail };
    let (paths, missing) = listing.files(Table::Events, &|_| true)?;
    missing?;
    let mut named = NamedFiles::new(state.newest_entry().unwrap_or(0), state.commit);
    let mut files: Vec<EventFile> = Vec::new();
    for (path, staged) in paths {
        // A file that no entry names is not part of the book.
        if let (Some(file), Some(place)) = (named.find(&**store, &path)?, RowsPlace::parse(&path)) {
            files.push(EventFile { file, day: place.day(), staged });
        }
    }
    let rows: u64 = files.iter().map(|of| of.file.rows).sum();
    let names: Vec<&str> = views.iter().map(|view| view.name()).collect();
    info!(views = names.join(", "), files = files.len(), events = rows, "building views from the events");
    let next = AtomicUsize::new(0);
    let built = Built { views, limit, contents: Mutex::new(Ok(empty(views))) };
    thread::scope(|scope| {
        for _ in 0..threads.clamp(1, files.len().max(1)) {
            scope.spawn(|| {
                let mut builder =
                    Builder { built: &built, inputs: ViewInputs::new(views.iter().copied()), own: empty(views) };
                let mut add_all = || {
                    while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                        builder.add_file(&**store, file)?;
                    }
                    builder.merge()
                };
                if let Err(error) = add_all() {
                    next.store(files.len(), Ordering::Relaxed);
                    built.fail(error);
                }
            });
        }
    });
    let all = built.contents.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    let groups: usize = all.iter().map(|contents| contents.groups.len()).sum();
    info!(groups, seconds = began.elapsed().as_secs_f64(), "built views from the events");
    Ok(all)
}

/// A file of events.
struct EventFile {
    file: AddedFile,
    day: Day,
    /// Where in staging it may still be.
    staged: Option<String>,
}

/// What all threads have built.
struct Built<'a> {
    views: &'a [&'a View],
    limit: &'a GroupLimit,
    /// By view; or the first error.
    contents: Mutex<Result<Vec<ViewContents>, BookError>>,
}

impl Built<'_> {
    /// Adds what a thread has computed.
    fn merge(&self, own: Vec<ViewContents>) -> Result<(), BookError> {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(all) = &mut *contents else { return Ok(()) };
        all.iter_mut().zip(own).for_each(|(all, own)| all.merge(own));
        let mut limit = self.limit.clone();
        self.views.iter().zip(all).for_each(|(view, all)| limit.add(view.number(), all.size() as i64));
        Ok(limit.check()?)
    }

    fn fail(&self, error: BookError) {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        if contents.is_ok() {
            *contents = Err(error);
        }
    }
}

/// A thread that builds views.
struct Builder<'a> {
    built: &'a Built<'a>,
    inputs: ViewInputs,
    /// What is not merged yet, by view.
    own: Vec<ViewContents>,
}

impl Builder<'_> {
    /// Adds the events of a file.
    fn add_file(&mut self, store: &dyn Store, file: &EventFile) -> Result<(), BookError> {
        let path = &file.file.path;
        let columns = self.inputs.event_columns();
        let Builder { built, inputs, own } = self;
        for batch in event_batches(file.read(store)?, &columns).map_err(|reason| BookError::damaged(path, reason))? {
            let batch = batch.map_err(|reason| BookError::damaged(path, reason))?;
            let give = |view: usize, input| {
                let deltas = built.views[view].deltas(input);
                own[view].add(deltas.map_err(|reason| format!("view {}: {reason}", built.views[view].name()))?);
                Ok::<_, String>(())
            };
            let days = [(file.day, batch.num_rows())];
            inputs.read(&batch, &days, give).map_err(|reason| BookError::damaged(path, reason))?;
            if own.iter().map(ViewContents::size).sum::<usize>() >= MOST_UNMERGED {
                built.merge(mem::replace(own, empty(built.views)))?;
            }
        }
        Ok(())
    }

    fn merge(&mut self) -> Result<(), BookError> {
        self.built.merge(mem::replace(&mut self.own, empty(self.built.views)))
    }
}

fn empty(views: &[&View]) -> Vec<ViewContents> {
    views.iter().map(|_| ViewContents::default()).collect()
}

impl EventFile {
    /// Its bytes, if they are as committed.
    fn read(&self, store: &dyn Store) -> Result<Bytes, BookError> {
        let path = &self.file.path;
        let read = first_found(store, path, self.staged.as_deref(), |path| store.read(path));
        let bytes = Bytes::from(read.at("read", path)?);
        match checksum::difference_of(&bytes, &self.file) {
            Some(what) => Err(BookError::damaged(path, what)),
            None => Ok(bytes),
        }
    }
}
