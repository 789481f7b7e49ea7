//! `walbook compact`: merges the small files of days.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::ReportFormat;
use super::heading::{FILTER, OUTPUT};
use crate::change::Day;

/// `walbook compact`
#[derive(Debug, Args)]
pub struct CompactArgs {
    /// The book
    #[arg(env = "WALBOOK_BOOK", value_hint = ValueHint::DirPath)]
    pub book: PathBuf,
    /// A day to merge, as in 2026-11-22; may be repeated [default: all closed days]
    ///
    /// A day is closed when it is over in the book's time zone and nothing has come to it for an hour. A day that is named is
    /// merged whatever comes to it.
    #[arg(long, env = "WALBOOK_DAY", value_delimiter = ',', value_name = "DAY", help_heading = FILTER)]
    pub day: Vec<Day>,
    /// Output format
    #[arg(long, env = "WALBOOK_FORMAT", default_value = "table", value_name = "FORMAT", help_heading = OUTPUT)]
    pub format: ReportFormat,
}
