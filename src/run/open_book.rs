//! Opening the book of a run, before it is taken over.

use std::path::Path;
use std::sync::Arc;

use super::RunError;
use super::options::RunOptions;
use crate::book::Book;
use crate::book::log::commit_log;
use crate::book::log::entry::{BookSettings, Versions};
use crate::change::{Failure, WithContext};
use crate::parse::{DayRule, PARSER_VERSION};
use crate::store::Store;

/// Opens the book with the zone and day rule that were asked for, else with its own, else with the defaults.
pub(super) fn open_book(options: &RunOptions, store: &Arc<dyn Store>) -> Result<Book, Failure> {
    let path = || options.book.location().to_string();
    let directory = options.book.location().directory();
    if let Some(parent) = directory.and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty())
        && !parent.is_dir()
    {
        return Err(RunError::NoParent { parent: parent.display().to_string() }.into());
    }
    if directory.is_some_and(|directory| directory.exists() && !directory.is_dir()) {
        return Err(RunError::BookIsFile { path: path() }.into());
    }
    let own = match commit_log::newest(&**store)? {
        Some(newest) => commit_log::read_entry(&**store, newest)?.map(|logged| logged.entry.settings),
        None => None,
    };
    let own = own.unwrap_or_else(|| BookSettings { time_zone: "UTC".to_owned(), day_from: "auto".to_owned() });
    let wanted = BookSettings {
        time_zone: options.time_zone.clone().unwrap_or(own.time_zone),
        day_from: options.day_from.clone().unwrap_or(own.day_from),
    };
    if DayRule::from_names(&wanted.time_zone, &wanted.day_from).is_none() {
        let BookSettings { time_zone, day_from } = wanted;
        return Err(RunError::UnknownDayRule { time_zone, day_from }.into());
    }
    Book::open(Arc::clone(store), wanted, versions()).context(path())
}

/// The versions of this program, as entries record them.
pub fn versions() -> Versions {
    Versions {
        walbook: env!("CARGO_PKG_VERSION").to_owned(),
        parser: PARSER_VERSION,
        tzdata: chrono_tz::IANA_TZDB_VERSION.to_owned(),
    }
}
