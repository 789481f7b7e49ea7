//! The commit log: reading entries, and putting one — the only atomic act in the product.

use std::io::ErrorKind;

use crate::store::{ObjectOperations, Store};

use super::digested;
use crate::book::error::At;
use crate::book::write::staging::{Staging, gone_is_fine};
use crate::book::{BookError, Entry, layout};

/// An entry of the log, with its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEntry {
    /// The entry.
    pub entry: Entry,
    /// SHA-256 of its line, which the next entry has as `previous`.
    pub digest: String,
    /// How many bytes its file has.
    pub bytes: u64,
}

/// The outcome of putting an entry.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::book) enum Put {
    /// It is in the log and survives a crash.
    Done,
    /// It is not and never will be in the log, which has moved on without this run.
    Lost(String),
}

/// Forgets what is kept in memory of a book that was in this place before: called before a log is read as a whole.
///
/// # Errors
/// [`BookError::Io`].
pub(in crate::book) fn forget_another_book(store: &dyn Store) -> Result<(), BookError> {
    store.objects().map_or(Ok(()), ObjectOperations::forget_another_book).at("read", layout::LOG)
}

/// Reads entry `number`; `None` when the log does not hold it.
///
/// # Errors
/// [`BookError::Damaged`] when it is not as written, [`BookError::UnknownFormat`], [`BookError::Io`].
pub fn read_entry(store: &dyn Store, number: u64) -> Result<Option<LoggedEntry>, BookError> {
    let path = layout::entry_path(number);
    let Some(bytes) = read_bytes(store, &path)? else { return Ok(None) };
    let (entry, digest): (Entry, String) = digested::read(&path, &bytes)?;
    if entry.entry != number {
        let reason = format!("it holds entry {}", entry.entry);
        return Err(BookError::Damaged { path, reason });
    }
    Ok(Some(LoggedEntry { entry, digest, bytes: bytes.len() as u64 }))
}

/// Reads entry `number`, which is part of the log: others refer to it.
///
/// # Errors
/// [`BookError::Swept`] when it was swept meanwhile; [`BookError::Damaged`] when it is missing; those of [`read_entry`].
pub fn required(store: &dyn Store, number: u64) -> Result<LoggedEntry, BookError> {
    match read_entry(store, number)? {
        Some(logged) => Ok(logged),
        None => Err(missing(store, number)?),
    }
}

/// The error for an entry that is not there, though later ones are.
///
/// # Errors
/// [`BookError::Io`].
pub(in crate::book) fn missing(store: &dyn Store, number: u64) -> Result<BookError, BookError> {
    if swept_to(store)? >= Some(number) {
        return Ok(BookError::Swept { entry: number });
    }
    let missing = missing_range(&numbers(store)?, number);
    Ok(BookError::damaged(&layout::entry_path(number), format!("{missing}, but later entries exist")))
}

/// Says that entry `number` is missing, and up to which one others are; `present` has those that are there, ascending.
pub(in crate::book) fn missing_range(present: &[u64], number: u64) -> String {
    match present.iter().find(|next| **next > number) {
        Some(next) if *next > number + 1 => format!("it is missing, and so are all up to entry {}", next - 1),
        _ => "it is missing".to_owned(),
    }
}

/// The newest entry that was swept, or is about to be: a base stands for it and all before. `None` where no entry ever was.
///
/// # Errors
/// [`BookError::Io`].
pub fn swept_to(store: &dyn Store) -> Result<Option<u64>, BookError> {
    Ok(numbers_in(store, layout::BASES)?.pop())
}

/// The digest of entry `number`, which may have megabytes of counts, without decoding it; `None` when the log does not hold it.
///
/// # Errors
/// [`BookError::Damaged`] when it is not as written, [`BookError::Io`].
pub(in crate::book) fn read_digest(store: &dyn Store, number: u64) -> Result<Option<String>, BookError> {
    let path = layout::entry_path(number);
    let bytes = read_bytes(store, &path)?;
    bytes.map(|bytes| digested::first_line(&path, &bytes).map(|(_, digest)| digest)).transpose()
}

fn read_bytes(store: &dyn Store, path: &str) -> Result<Option<Vec<u8>>, BookError> {
    match store.read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.at("read", path).map(Some),
    }
}

/// The numbers of all entries, ascending; empty where there is no log. Lists the whole folder.
///
/// # Errors
/// [`BookError::Io`].
pub fn numbers(store: &dyn Store) -> Result<Vec<u64>, BookError> {
    numbers_in(store, layout::LOG)
}

/// The number of the newest entry, without listing the log: some look-ups after the newest checkpoint.
///
/// In a log with a gap this may be an entry before the gap; a start notices the gap.
///
/// # Errors
/// [`BookError::Io`].
pub fn newest(store: &dyn Store) -> Result<Option<u64>, BookError> {
    let holds = |number: u64| {
        let path = layout::entry_path(number);
        store.exists(&path).at("look up", &path)
    };
    let mut known = match numbers_in(store, layout::CHECKPOINTS)?.pop() {
        Some(held) if holds(held)? => held,
        // Entries that were swept may have left some behind, after which none follows.
        _ => return Ok(numbers(store)?.pop()),
    };
    let mut step = 1;
    while holds(known + step)? {
        known += step;
        step *= 2;
    }
    // Entry `known` exists and `known + step` does not.
    while step > 1 {
        step /= 2;
        if holds(known + step)? {
            known += step;
        }
    }
    Ok(Some(known))
}

/// Makes `newest`, the newest entry that a reader has seen, survive a crash: its name is visible before the writer syncs it.
///
/// # Errors
/// [`BookError::Io`].
pub fn ensure_durable(store: &dyn Store, newest: &Entry) -> Result<(), BookError> {
    // A writer places files only after it has synced the log: one look instead of a sync for each question.
    if let Some(file) = newest.added.first()
        && store.exists(&file.path).at("look up", &file.path)?
    {
        return Ok(());
    }
    match store.sync_folder(layout::LOG) {
        // There is no writer here, or this reader may not sync: the writer's own sync follows in a moment.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput
                    | ErrorKind::PermissionDenied
                    | ErrorKind::ReadOnlyFilesystem
                    | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        synced => synced.at("sync", layout::LOG),
    }
}

/// Makes the names of all entries survive a crash, before an entry is put after one that this process has only read: else a power
/// cut could keep the later name and lose the earlier one.
///
/// # Errors
/// [`BookError::Io`].
pub(in crate::book) fn sync(store: &dyn Store) -> Result<(), BookError> {
    store.sync_folder(layout::LOG).at("sync", layout::LOG)
}

/// Puts an entry as [`put`] does, for a process that does not own the book.
///
/// The owner's staging folder is removed before another run may sweep, so that it cannot put an entry any more. Nobody removes that of a
/// process beside the run: if it is suspended until an entry of its number was swept, the number is free. Then its entry is removed; readers
/// ignore it, because the base was there before the number was free.
///
/// # Errors
/// As [`put`].
pub(in crate::book) fn put_beside(staging: &Staging, number: u64, bytes: &[u8]) -> Result<Put, BookError> {
    match put(staging, number, bytes)? {
        // On an object store every put has looked already.
        Put::Done if staging.store().objects().is_none() => unless_swept(staging.store(), number),
        put => Ok(put),
    }
}

/// Whether the log has the entry with this digest as its entry `number`, for a process beside the run whose put was answered otherwise.
///
/// # Errors
/// As [`read_entry`].
pub(in crate::book) fn holds(store: &dyn Store, number: u64, digest: &str) -> Result<bool, BookError> {
    let is_there = read_entry(store, number)?.is_some_and(|logged| logged.digest == digest);
    Ok(is_there && swept_to(store)? < Some(number))
}

/// The numbered files of a folder, ascending; other names are ignored.
pub(in crate::book) fn numbers_in(store: &dyn Store, folder: &str) -> Result<Vec<u64>, BookError> {
    let names = match store.list(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.at("list", folder)?,
    };
    Ok(names.iter().filter_map(|name| layout::number(name)).collect())
}

/// Puts `bytes` as entry `number`, or changes nothing.
///
/// # Errors
/// [`BookError::Fenced`] when the entry is in the log but this run's staging folder is gone already;
/// [`BookError::StagingGone`]; [`BookError::Damaged`] when the entry before is missing; [`BookError::Io`].
pub(in crate::book) fn put(staging: &Staging, number: u64, bytes: &[u8]) -> Result<Put, BookError> {
    let store = staging.store();
    let path = layout::entry_path(number);
    if let Some(objects) = store.objects() {
        return put_entry(store, objects, number, bytes);
    }
    let name = format!("entry-{number:020}.json.inprogress");
    match staging.write(&name, bytes) {
        Err(BookError::Fenced { reason }) => return Ok(Put::Lost(reason)),
        written => written?,
    }
    if let Some(lost) = lost_before(store, number)? {
        return Ok(lost);
    }
    if let Err(error) = store.hard_link(&staging.path(&name), &path) {
        // NFS may have linked it and lost the answer: compare the file.
        match store.read(&path) {
            Ok(present) if present == bytes => {}
            Ok(_) => return Ok(Put::Lost(format!("entry {number} of the log is another run's"))),
            Err(absent) if absent.kind() == ErrorKind::NotFound => {
                return match staging.explain(error, "link", &path) {
                    BookError::Fenced { reason } => Ok(Put::Lost(reason)),
                    failed => Err(failed),
                };
            }
            Err(unknown) => return Err(unknown).at("read back", &path),
        }
    }
    staging.remove(&name)?;
    sync(store)?;
    Ok(Put::Done)
}

/// Why no entry of this number can follow any more, where the one before is gone because it was swept.
///
/// # Errors
/// [`BookError::Damaged`] when it is missing otherwise: in a log that was cut its number is free again; [`BookError::Io`].
fn lost_before(store: &dyn Store, number: u64) -> Result<Option<Put>, BookError> {
    let Some(before) = number.checked_sub(1) else { return Ok(None) };
    let path = layout::entry_path(before);
    if store.exists(&path).at("look up", &path)? {
        return Ok(None);
    }
    match swept_to(store)? >= Some(before) {
        true => Ok(Some(Put::Lost(format!("the log was swept up to entry {number} and beyond")))),
        false => Err(BookError::damaged(&path, "it was there when this run began, and is missing")),
    }
}

/// Takes back an entry that was put under a number that is free again because it was swept; else it is done.
fn unless_swept(store: &dyn Store, number: u64) -> Result<Put, BookError> {
    if swept_to(store)? < Some(number) {
        return Ok(Put::Done);
    }
    // Before the entry: it may be the one for which the base stands.
    store.sync_folder(layout::BASES).at("sync", layout::BASES)?;
    let path = layout::entry_path(number);
    gone_is_fine(store.remove_file(&path)).at("remove", &path)?;
    Ok(Put::Lost(format!("entry {number} of the log was another's, and was swept")))
}

/// As [`put`], on an object store, by one request.
///
/// The run that owns the book may sleep as well until its number was swept: its staging folder is gone then, and does not stop the request.
fn put_entry(store: &dyn Store, objects: &dyn ObjectOperations, number: u64, bytes: &[u8]) -> Result<Put, BookError> {
    if let Some(lost) = lost_before(store, number)? {
        return Ok(lost);
    }
    let path = layout::entry_path(number);
    match objects.put_new(&path, bytes).at("put", &path)? {
        true => unless_swept(store, number),
        false => Ok(Put::Lost(format!("entry {number} of the log is another run's"))),
    }
}
