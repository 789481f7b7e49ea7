//! `walbook rebuild`: what follows from log and events, again.

use clap::{Args, ValueHint};

use super::heading::{OUTPUT, VIEW};
use super::{ReportFormat, StoreArgs};
use crate::change::GroupLimit;
use crate::settings::values;
use crate::store::BookLocation;

/// `walbook rebuild`
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// The book
    #[arg(env = "WALBOOK_BOOK", value_parser = values::book(), value_hint = ValueHint::DirPath)]
    pub book: BookLocation,
    /// The most groups and distinct values of all views
    ///
    /// They are in memory.
    #[arg(
        long, env = "WALBOOK_VIEW_MAX_GROUPS", default_value_t = GroupLimit::DEFAULT, value_name = "N", help_heading = VIEW
    )]
    pub view_max_groups: u64,
    /// How its object store is reached.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Output format
    #[arg(long, env = "WALBOOK_FORMAT", default_value = "table", value_name = "FORMAT", help_heading = OUTPUT)]
    pub format: ReportFormat,
}
