//! `walbook prune`: retention.

use clap::{Args, ValueHint};

use super::heading::{FILTER, OUTPUT};
use super::{ReportFormat, StoreArgs};
use crate::change::Day;
use crate::settings::values;
use crate::store::BookLocation;

/// `walbook prune`
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// The book
    #[arg(env = "WALBOOK_BOOK", value_parser = values::book(), value_hint = ValueHint::DirPath)]
    pub book: BookLocation,
    /// The first day whose events and rejects stay, as in 2026-11-22
    ///
    /// Days are those of the book's time zone. Rejects without a timestamp are on no day, and stay.
    #[arg(long, env = "WALBOOK_BEFORE", value_name = "DAY", help_heading = FILTER)]
    pub before: Day,
    /// How its object store is reached.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Output format
    #[arg(long, env = "WALBOOK_FORMAT", default_value = "table", value_name = "FORMAT", help_heading = OUTPUT)]
    pub format: ReportFormat,
}
