//! The commands, and the options that all of them have.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum, ValueHint};

use super::heading::{GLOBAL, LOGGING};
use super::{
    CaptureArgs, CompactArgs, CompletionsArgs, DemoArgs, DoctorArgs, EventsArgs, ManArgs, PruneArgs, QueryArgs,
    RebuildArgs, RejectsArgs, RunArgs, ServeArgs, SlotArgs, VerifyArgs, ViewArgs,
};

/// Keeps the day book of a PostgreSQL write-ahead log: counts per table, day and operation, exactly once, in Parquet
#[derive(Debug, Parser)]
#[command(name = "walbook", version, max_term_width = 110)]
pub struct WalbookArgs {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Format of log lines
    #[arg(
        long, global = true, env = "WALBOOK_LOG_FORMAT", default_value = "human", value_name = "FORMAT", help_heading = LOGGING
    )]
    pub log_format: LogFormat,
    /// Lowest level of log lines: error, warn, info, debug
    ///
    /// Also accepts a filter of the tracing crate, as in walbook::source=debug,info.
    #[arg(long, global = true, env = "WALBOOK_LOG", default_value = "info", value_name = "FILTER", help_heading = LOGGING)]
    pub log: String,
    /// A TOML file with settings; flags and variables win over it
    ///
    /// Its keys are the long names of the flags. A table with the name of a command, such as query, holds for that command only.
    #[arg(
        long, global = true, env = "WALBOOK_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath,
        help_heading = GLOBAL
    )]
    pub config: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try walbook with nothing installed: a small shop's changes from a built-in broker
    Demo(DemoArgs),
    /// Copy a PostgreSQL replication slot to a Kafka topic, each change exactly once
    Capture(Box<CaptureArgs>),
    /// Read Kafka topics, a replication slot or a file into a book, each record exactly once
    Run(Box<RunArgs>),
    /// Print counts from a book, also while a run writes it
    Query(QueryArgs),
    /// Print single changes from a book, newest first
    Events(EventsArgs),
    /// Print the records that could not be read, with the reason of each, newest first
    Rejects(RejectsArgs),
    /// Serve the page and the HTTP API of a book, also while a run writes it
    Serve(ServeArgs),
    /// Recount a book, and check its log, offsets, sizes, rows and checksums
    Verify(VerifyArgs),
    /// Merge the small files of days that are over, also beside a run
    Compact(CompactArgs),
    /// Remove events and rejects of old days; counts and views stay
    Prune(PruneArgs),
    /// Write counts, views and checkpoint anew from log and events, after damage
    Rebuild(RebuildArgs),
    /// Declare, build, show or drop views: your own aggregates, in SQL
    View(ViewArgs),
    /// Create, show or drop a PostgreSQL replication slot
    Slot(SlotArgs),
    /// Check server, slot, topic and book, and print how to fix each problem
    Doctor(DoctorArgs),
    /// Print the completion script of a shell
    Completions(CompletionsArgs),
    /// Print the manual pages
    Man(ManArgs),
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text for people.
    Human,
    /// One JSON object a line.
    Json,
}
