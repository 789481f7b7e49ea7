//! `walbook compact`: merges the small files of days.

use clap::{Args, ValueHint};

use super::heading::{FILTER, OUTPUT};
use super::{ReportFormat, StoreArgs};
use crate::change::Day;
use crate::settings::values;
use crate::store::BookLocation;

/// `walbook compact`
#[derive(Debug, Args)]
pub struct CompactArgs {
    /// The book
    #[arg(env = "WALBOOK_BOOK", value_parser = values::book(), value_hint = ValueHint::DirPath)]
    pub book: BookLocation,
    /// A day to merge, as in 2026-11-22; may be repeated [default: all closed days]
    ///
    /// A day is closed when it is over in the book's time zone and nothing has come to it for an hour. A day that is named is
    /// merged whatever comes to it.
    #[arg(long, env = "WALBOOK_DAY", value_delimiter = ',', value_name = "DAY", help_heading = FILTER)]
    pub day: Vec<Day>,
    /// How its object store is reached.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Output format
    #[arg(long, env = "WALBOOK_FORMAT", default_value = "table", value_name = "FORMAT", help_heading = OUTPUT)]
    pub format: ReportFormat,
}
