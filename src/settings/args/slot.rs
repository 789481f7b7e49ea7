//! A replication slot: as a source of changes, and `walbook slot`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::ReportFormat;
use super::heading::{OUTPUT, POSTGRESQL};

/// A replication slot, and the way to it.
#[derive(Debug, Args)]
pub struct SlotSourceArgs {
    /// The PostgreSQL server and database
    ///
    /// A URL postgresql://user@host:port/database or key=value words. The PG… variables and ~/.pgpass count as they do for
    /// psql; a password is best kept in one of these.
    #[arg(long, env = "WALBOOK_POSTGRES", hide_env_values = true, value_name = "URL", help_heading = POSTGRESQL)]
    pub postgres: Option<String>,
    /// The logical replication slot; it must use test_decoding
    #[arg(long, env = "WALBOOK_SLOT", value_name = "NAME", help_heading = POSTGRESQL)]
    pub slot: Option<String>,
    /// Create the slot if it does not exist
    ///
    /// Refused when changes were read from a slot of that name before, because those in between would be missing. On
    /// PostgreSQL 17 and newer it becomes a failover slot.
    #[arg(long, env = "WALBOOK_CREATE_SLOT", help_heading = POSTGRESQL)]
    pub create_slot: bool,
    /// A further option of test_decoding; may be repeated
    ///
    /// Several options may also be separated by commas.
    #[arg(
        long, env = "WALBOOK_PLUGIN_OPTION", value_delimiter = ',', value_name = "KEY=VALUE", help_heading = POSTGRESQL
    )]
    pub plugin_option: Vec<String>,
    /// Directory for transactions too large for memory
    ///
    /// Its disk must have room for the largest transaction [default: the system's directory for temporary files]
    #[arg(
        long, env = "WALBOOK_SPILL_DIR", value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = POSTGRESQL
    )]
    pub spill_dir: Option<PathBuf>,
}

/// `walbook slot`
#[derive(Debug, Args)]
pub struct SlotArgs {
    /// What to do
    pub action: SlotAction,
    /// The PostgreSQL server and database
    ///
    /// A URL postgresql://user@host:port/database or key=value words. The PG… variables and ~/.pgpass count as they do for
    /// psql.
    #[arg(long, env = "WALBOOK_POSTGRES", hide_env_values = true, value_name = "URL", help_heading = POSTGRESQL)]
    pub postgres: String,
    /// The slot; without it, status shows all slots
    #[arg(long, env = "WALBOOK_SLOT", value_name = "NAME", help_heading = POSTGRESQL)]
    pub slot: Option<String>,
    /// Drop without asking
    #[arg(long, env = "WALBOOK_YES", help_heading = POSTGRESQL)]
    pub yes: bool,
    /// How status is printed
    #[arg(long, env = "WALBOOK_FORMAT", default_value = "table", help_heading = OUTPUT)]
    pub format: ReportFormat,
}

/// What to do with a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SlotAction {
    /// Create it with test_decoding, as a failover slot where the server supports that (17 and newer).
    Create,
    /// Show what it retains, how far behind it is, and whether it needs attention.
    Status,
    /// Drop it.
    Drop,
}
