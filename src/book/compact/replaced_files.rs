//! The files that compactions have replaced: kept for readers that have listed them, then removed.

use std::io::ErrorKind;
use std::time::Duration;

use crate::book::BookError;
use crate::book::error::At;
use crate::book::layout::{REPLACED, replaced_entry};
use crate::book::log::commit_log;
use crate::book::write::entry_parts::write_time;
use crate::book::write::staging::gone_is_fine;
use crate::store::Store;

/// How long a reader that has listed files may take to open them.
const GRACE: Duration = Duration::from_secs(600);

/// Removes the files that were replaced longer than [`GRACE`] ago, by the time in the entry that did so.
///
/// # Errors
/// [`BookError::Io`]; what is left is removed another time.
pub(super) fn remove_old(store: &dyn Store) -> Result<(), BookError> {
    let names = match store.list(REPLACED) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        names => names.at("list", REPLACED)?,
    };
    let now = write_time(store);
    for name in names {
        let Some(number) = replaced_entry(&name) else { continue };
        // Of an entry that is no longer in the log it is long ago.
        let written_at = commit_log::read_entry(store, number)?.map_or(0, |logged| logged.entry.written_at);
        // A time in the future is of a clock that was set back.
        if u128::from(now.abs_diff(written_at)) > GRACE.as_micros() {
            let folder = format!("{REPLACED}/{name}");
            gone_is_fine(store.remove_folder(&folder)).at("remove", &folder)?;
        }
    }
    Ok(())
}
