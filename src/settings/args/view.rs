//! `walbook view`: aggregates that users declare.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::heading::{INPUT, OUTPUT, VIEW};
use super::{ReportFormat, StoreArgs};
use crate::change::GroupLimit;
use crate::settings::values;
use crate::store::BookLocation;

/// `walbook view`
#[derive(Debug, Args)]
pub struct ViewArgs {
    /// What to do
    pub action: ViewAction,
    /// The book
    #[arg(env = "WALBOOK_BOOK", value_parser = values::book(), value_hint = ValueHint::DirPath)]
    pub book: BookLocation,
    /// The declaration to create, or the name to show or drop
    pub view: Option<String>,
    /// A file with declarations to create
    ///
    /// Each ends with a semicolon.
    #[arg(long, env = "WALBOOK_FILE", value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = INPUT)]
    pub file: Option<PathBuf>,
    /// The most groups and distinct values of all views
    ///
    /// Of build: they are in memory.
    #[arg(
        long, env = "WALBOOK_VIEW_MAX_GROUPS", default_value_t = GroupLimit::DEFAULT, value_name = "N", help_heading = VIEW
    )]
    pub view_max_groups: u64,
    /// How its object store is reached.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Output format
    ///
    /// Of list and show.
    #[arg(long, env = "WALBOOK_FORMAT", default_value = "table", value_name = "FORMAT", help_heading = OUTPUT)]
    pub format: ReportFormat,
}

/// What to do with views.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ViewAction {
    /// Declare a view; the next start of a run builds it from the book's events, and keeps it
    Create,
    /// Build the views that are not, without a run; ends a run that has the book
    Build,
    /// Print all views
    List,
    /// Print one view's declaration and state
    Show,
    /// Drop a view; the run that has the book removes its files
    Drop,
}
