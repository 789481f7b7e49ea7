//! The commit log: reading entries, and putting one — the only atomic act in the product.

use std::io;

use crate::store::Store;

use super::error::At;
use super::staging::Staging;
use super::{BookError, Entry, digested, layout};

/// An entry as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEntry {
    /// The entry.
    pub entry: Entry,
    /// SHA-256 of its line: what the next entry names as `previous`.
    pub digest: String,
}

/// What became of an entry that was to be put.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It is in the log, and survives a crash.
    Done,
    /// It is not and never will be: the log has moved on without this run.
    Lost(String),
}

/// Reads entry `number`; `None` when the log does not hold it.
///
/// # Errors
/// [`BookError::Damaged`] when it is not as written, [`BookError::UnknownFormat`], [`BookError::Io`].
pub fn read_entry(store: &dyn Store, number: u64) -> Result<Option<LoggedEntry>, BookError> {
    let path = layout::entry_path(number);
    let bytes = match store.read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.at("read", &path)?,
    };
    let (entry, digest): (Entry, String) = digested::read(&path, &bytes)?;
    if entry.entry != number {
        let reason = format!("it holds entry {}", entry.entry);
        return Err(BookError::Damaged { path, reason });
    }
    Ok(Some(LoggedEntry { entry, digest }))
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
/// In a log with a gap it may tell an entry before the gap; a start notices the gap.
///
/// # Errors
/// [`BookError::Io`].
pub fn newest(store: &dyn Store) -> Result<Option<u64>, BookError> {
    let holds = |number: u64| {
        let path = layout::entry_path(number);
        store.exists(&path).at("look up", &path)
    };
    let mut known = numbers_in(store, layout::CHECKPOINTS)?.pop().unwrap_or(0);
    if !holds(known)? {
        return Ok(numbers(store)?.pop());
    }
    let mut step = 1;
    while holds(known + step)? {
        known += step;
        step *= 2;
    }
    // `known` is there and `known + step` is not.
    while step > 1 {
        step /= 2;
        if holds(known + step)? {
            known += step;
        }
    }
    Ok(Some(known))
}

/// The numbered files of a folder, ascending; other names are none of ours.
pub(super) fn numbers_in(store: &dyn Store, folder: &str) -> Result<Vec<u64>, BookError> {
    let names = match store.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.at("list", folder)?,
    };
    Ok(names.iter().filter_map(|name| layout::number(name)).collect())
}

/// Puts `bytes` as entry `number`, or changes nothing.
///
/// # Errors
/// [`BookError::Fenced`] when the entry is in the log but this run's staging folder is gone already; [`BookError::Io`].
pub(super) fn put(staging: &Staging, number: u64, bytes: &[u8]) -> Result<Put, BookError> {
    let store = staging.store();
    let path = layout::entry_path(number);
    let name = format!("entry-{number:020}.json.inprogress");
    match staging.write(&name, bytes) {
        Err(BookError::Fenced { reason }) => return Ok(Put::Lost(reason)),
        written => written?,
    }
    if let Some(before) = number.checked_sub(1).map(layout::entry_path) {
        // Old entries may be swept: a run that slept so long would find its number free again.
        if !store.exists(&before).at("look up", &before)? {
            return Ok(Put::Lost(format!("entry {} is gone from the log", number - 1)));
        }
    }
    if let Err(error) = store.hard_link(&staging.path(&name), &path) {
        // NFS may have done it and lost the answer: only what stands there counts.
        match store.read(&path) {
            Ok(there) if there == bytes => {}
            Ok(_) => return Ok(Put::Lost(format!("entry {number} of the log is another run's"))),
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => {
                return match staging.explain(error, "link", &path) {
                    BookError::Fenced { reason } => Ok(Put::Lost(reason)),
                    failed => Err(failed),
                };
            }
            Err(unknown) => return Err(unknown).at("read back", &path),
        }
    }
    staging.remove(&name)?;
    store.sync_folder(layout::LOG).at("sync", layout::LOG)?;
    Ok(Put::Done)
}
