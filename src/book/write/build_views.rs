//! Views from all events of the book: for one that was just declared, or whose files are not as they were written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use tracing::info;

use super::kept_views::damaged;
use crate::book::error::At;
use crate::book::log::entry::AddedFile;
use crate::book::log::named_files::NamedFiles;
use crate::book::read::checksum;
use crate::book::read::listing::Listing;
use crate::book::{BookError, Entry, State};
use crate::change::Day;
use crate::store::Store;
use crate::store::layout::{FilePlace, Table, staged_path};
use crate::views::{View, ViewContents, ViewInputs, batches};

/// Computes views of all events up to the state, in the order of `views`. Files of the entries in `tail` may still be in staging.
///
/// # Errors
/// [`BookError::Missing`] and [`BookError::Damaged`] for a file of events that is not as committed; [`BookError::Io`].
pub(in crate::book) fn build_views(
    store: &Arc<dyn Store>,
    state: &State,
    tail: &[Entry],
    views: &[&View],
    threads: usize,
) -> Result<Vec<ViewContents>, BookError> {
    let began = Instant::now();
    let listing = Listing { store: &**store, state, tail };
    let (paths, missing) = listing.files(Table::Events, &|_| true)?;
    missing?;
    let mut named = NamedFiles::new(state.newest_entry().unwrap_or(0), state.commit);
    let mut files: Vec<EventFile> = Vec::new();
    for (path, staged_by) in paths {
        // A file that no entry names is not part of the book.
        if let (Some(file), Some(place)) = (named.find(&**store, &path)?, FilePlace::parse(&path)) {
            files.push(EventFile { file, day: place.day, staged_by });
        }
    }
    let rows: u64 = files.iter().map(|of| of.file.rows).sum();
    let names: Vec<&str> = views.iter().map(|view| view.name()).collect();
    info!(views = names.join(", "), files = files.len(), events = rows, "building views from the events");
    let (next, built) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..threads.clamp(1, files.len().max(1)) {
            scope.spawn(|| {
                let mut contents: Vec<ViewContents> = views.iter().map(|_| ViewContents::default()).collect();
                let mut inputs = ViewInputs::new(views.iter().copied());
                let mut failed = None;
                while let (None, Some(file)) = (&failed, files.get(next.fetch_add(1, Ordering::Relaxed))) {
                    failed = add_file(&**store, file, views, &mut inputs, &mut contents).err();
                }
                if failed.is_some() {
                    next.store(files.len(), Ordering::Relaxed);
                }
                let result = failed.map_or(Ok(contents), Err);
                built.lock().unwrap_or_else(PoisonError::into_inner).push(result);
            });
        }
    });
    let mut all: Vec<ViewContents> = views.iter().map(|_| ViewContents::default()).collect();
    for of_thread in built.into_inner().unwrap_or_else(PoisonError::into_inner) {
        all.iter_mut().zip(of_thread?).for_each(|(all, contents)| all.merge(contents));
    }
    let groups: usize = all.iter().map(|contents| contents.groups.len()).sum();
    info!(groups, seconds = began.elapsed().as_secs_f64(), "built views from the events");
    Ok(all)
}

/// A file of events.
struct EventFile {
    file: AddedFile,
    day: Day,
    /// The generation in whose staging folder it may still be.
    staged_by: Option<String>,
}

fn add_file(
    store: &dyn Store,
    EventFile { file, day, staged_by }: &EventFile,
    views: &[&View],
    inputs: &mut ViewInputs,
    contents: &mut [ViewContents],
) -> Result<(), BookError> {
    let path = &file.path;
    let staged = staged_by.as_ref().map(|generation| staged_path(generation, path));
    let read = match staged.map(|staged| store.read(&staged)) {
        // It may be in its place by now.
        Some(Ok(bytes)) => Ok(bytes),
        _ => store.read(path),
    };
    let bytes = Bytes::from(read.at("read", path)?);
    if let Some(what) = checksum::difference_of(&bytes, file) {
        return Err(BookError::damaged(path, what));
    }
    let unreadable = |reason: String| BookError::damaged(path, reason);
    for batch in batches(bytes).map_err(unreadable)? {
        let batch = batch.map_err(unreadable)?;
        let days = [(*day, batch.num_rows())];
        let of_views = inputs.read(&batch, &days).map_err(unreadable)?;
        for ((view, contents), input) in views.iter().zip(contents.iter_mut()).zip(of_views) {
            if let Some(input) = input {
                contents.add(view.deltas(input).map_err(|reason| damaged(view, reason))?);
            }
        }
    }
    Ok(())
}
