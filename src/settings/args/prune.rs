//! `walbook prune`: retention.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::ReportFormat;
use super::heading::{FILTER, OUTPUT};
use crate::change::Day;

/// `walbook prune`
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// The book
    #[arg(env = "WALBOOK_BOOK", value_hint = ValueHint::DirPath)]
    pub book: PathBuf,
    /// The first day whose events and rejects stay, as in 2026-11-22
    ///
    /// Days are those of the book's time zone. Rejects without a timestamp are on no day, and stay.
    #[arg(long, env = "WALBOOK_BEFORE", value_name = "DAY", help_heading = FILTER)]
    pub before: Day,
    /// Output format
    #[arg(long, env = "WALBOOK_FORMAT", default_value = "table", value_name = "FORMAT", help_heading = OUTPUT)]
    pub format: ReportFormat,
}
