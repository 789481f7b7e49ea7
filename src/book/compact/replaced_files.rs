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
/// By how much a clock may be set back before the time in an entry counts for nothing.
const LONGEST_STEP: Duration = Duration::from_secs(86_400);

/// Removes the files that were replaced longer than ten minutes ago, by the time in the entry that did so.
///
/// # Errors
/// [`BookError::Io`]; what is left is removed another time.
pub fn remove_replaced_files(store: &dyn Store) -> Result<(), BookError> {
    let names = match store.list(REPLACED) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        names => names.at("list", REPLACED)?,
    };
    let now = write_time(store);
    for name in names {
        let Some(number) = replaced_entry(&name) else { continue };
        // Of an entry that is no longer in the log it is long ago.
        let written_at = commit_log::read_entry(store, number)?.map_or(0, |logged| logged.entry.written_at);
        let age = now.saturating_sub(written_at);
        // A time in the future is of a clock that was set back since: the files wait for it, but not for ever.
        if age > GRACE.as_micros() as i64 || age < -(LONGEST_STEP.as_micros() as i64) {
            let folder = format!("{REPLACED}/{name}");
            gone_is_fine(store.remove_folder(&folder)).at("remove", &folder)?;
        }
    }
    Ok(())
}
