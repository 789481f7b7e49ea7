//! Questions about a book: `walbook query`, `walbook events` and `walbook verify`.

use clap::{Args, ValueEnum, ValueHint};

use super::StoreArgs;
use super::heading::{COUNTING, FILTER, OUTPUT, VIEW};
use crate::change::{Day, Operation};
use crate::query::{Format, GroupBy, RowKey, TablePattern};
use crate::settings::values;
use crate::store::BookLocation;

/// Which changes to select.
#[derive(Debug, Args)]
pub struct FilterArgs {
    /// First day, as in 2026-11-22
    #[arg(long, env = "WALBOOK_FROM_DAY", value_name = "DAY", help_heading = FILTER)]
    pub from: Option<Day>,
    /// Last day, inclusive
    #[arg(long, env = "WALBOOK_TO_DAY", value_name = "DAY", help_heading = FILTER)]
    pub to: Option<Day>,
    /// Tables whose schema.table matches, as in 'public.*'
    ///
    /// A * stands for any text, a ? for any one character.
    #[arg(long, env = "WALBOOK_TABLE", value_name = "PATTERN", help_heading = FILTER)]
    pub table: Option<TablePattern>,
    /// One operation only
    #[arg(
        long, env = "WALBOOK_OP", value_name = "OP", value_parser = values::operation(), ignore_case = true,
        help_heading = FILTER
    )]
    pub op: Option<Operation>,
}

/// `walbook query`
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// The book
    #[arg(env = "WALBOOK_BOOK", value_parser = values::book(), value_hint = ValueHint::DirPath)]
    pub book: BookLocation,
    /// Which changes.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Columns to sum by
    ///
    /// In the order in which they are printed and sorted.
    #[arg(
        long, env = "WALBOOK_BY", value_delimiter = ',', default_value = "day,table,op", value_name = "COLUMN,…",
        value_parser = values::group_by(), help_heading = COUNTING
    )]
    pub by: Vec<GroupBy>,
    /// Print this view instead of counts
    #[arg(
        long, env = "WALBOOK_VIEW", value_name = "NAME", help_heading = VIEW,
        conflicts_with_all = ["from", "to", "table", "op"]
    )]
    pub view: Option<String>,
    /// Only rows of the view for which this SQL is true
    ///
    /// An expression over the view's columns, as in 'orders > 10'. See docs/sql.md.
    #[arg(long = "where", env = "WALBOOK_WHERE", value_name = "EXPRESSION", requires = "view", help_heading = VIEW)]
    pub condition: Option<String>,
    /// Order of a view's rows, as in 'orders DESC, region'
    #[arg(long, env = "WALBOOK_ORDER", value_name = "COLUMN [DESC],…", requires = "view", help_heading = VIEW)]
    pub order: Option<String>,
    /// Largest number of a view's rows
    #[arg(long, env = "WALBOOK_LIMIT", value_name = "N", requires = "view", help_heading = VIEW)]
    pub limit: Option<usize>,
    /// How its object store is reached.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Output format
    #[arg(
        long, env = "WALBOOK_FORMAT", default_value = "table", value_parser = values::format(), help_heading = OUTPUT
    )]
    pub format: Format,
}

/// `walbook events`
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// The book
    #[arg(env = "WALBOOK_BOOK", value_parser = values::book(), value_hint = ValueHint::DirPath)]
    pub book: BookLocation,
    /// Which changes.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Only changes for which this SQL expression is true
    ///
    /// As in "key.id = '42'". It may name day, schema, "table", op, topic, partition, "offset", kafka_time, commit_time, lsn, commit_lsn, xid, and
    /// values of the row as text: new.x after the change, old.x before it, key.x of either. See docs/sql.md.
    #[arg(long = "where", env = "WALBOOK_WHERE", value_name = "EXPRESSION", help_heading = FILTER)]
    pub condition: Option<String>,
    /// How its object store is reached.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Largest number of changes to print
    #[arg(long, env = "WALBOOK_LIMIT", default_value_t = 100, value_name = "N", help_heading = OUTPUT)]
    pub limit: usize,
    /// Output format
    #[arg(
        long, env = "WALBOOK_FORMAT", default_value = "table", value_parser = values::format(), help_heading = OUTPUT
    )]
    pub format: Format,
}

/// `walbook rejects`
#[derive(Debug, Args)]
pub struct RejectsArgs {
    /// The book
    #[arg(env = "WALBOOK_BOOK", value_parser = values::book(), value_hint = ValueHint::DirPath)]
    pub book: BookLocation,
    /// First day of Kafka's timestamp, as in 2026-11-22
    ///
    /// Records without a usable timestamp, as those of slots and files, may be of any day, and are always among them.
    #[arg(long, env = "WALBOOK_FROM_DAY", value_name = "DAY", help_heading = FILTER)]
    pub from: Option<Day>,
    /// Last day, inclusive
    #[arg(long, env = "WALBOOK_TO_DAY", value_name = "DAY", help_heading = FILTER)]
    pub to: Option<Day>,
    /// One topic, slot or file only
    #[arg(long, env = "WALBOOK_SOURCE", value_name = "NAME", help_heading = FILTER)]
    pub source: Option<String>,
    /// One partition only
    #[arg(long, env = "WALBOOK_PARTITION", value_name = "N", help_heading = FILTER)]
    pub partition: Option<i32>,
    /// Reasons that contain this text, in upper or lower case
    #[arg(long, env = "WALBOOK_REASON", value_name = "TEXT", help_heading = FILTER)]
    pub reason: Option<String>,
    /// How its object store is reached.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Largest number of rejects to print
    #[arg(long, env = "WALBOOK_LIMIT", default_value_t = 100, value_name = "N", help_heading = OUTPUT)]
    pub limit: usize,
    /// Continue behind an earlier answer, which names its cursor
    #[arg(long, env = "WALBOOK_CURSOR", value_name = "CURSOR", value_parser = values::cursor, help_heading = OUTPUT)]
    pub cursor: Option<RowKey>,
    /// Output format
    ///
    /// As csv and json, keys, values and headers are whole, as text and in base64.
    #[arg(
        long, env = "WALBOOK_FORMAT", default_value = "table", value_parser = values::format(), help_heading = OUTPUT
    )]
    pub format: Format,
}

/// `walbook verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The book
    #[arg(env = "WALBOOK_BOOK", value_parser = values::book(), value_hint = ValueHint::DirPath)]
    pub book: BookLocation,
    /// How its object store is reached.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Output format
    #[arg(long, env = "WALBOOK_FORMAT", default_value = "table", help_heading = OUTPUT)]
    pub format: ReportFormat,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Aligned columns for people.
    Table,
    /// One JSON object.
    Json,
}
