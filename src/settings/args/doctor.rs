//! `walbook doctor`

use clap::{Args, ValueHint};

use super::heading::{KAFKA, OUTPUT, POSTGRESQL};
use super::{ReportFormat, StoreArgs};
use crate::settings::values;
use crate::store::BookLocation;

/// `walbook doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// A book to check
    #[arg(env = "WALBOOK_BOOK", value_parser = values::book(), value_hint = ValueHint::DirPath)]
    pub book: Option<BookLocation>,
    /// The PostgreSQL server and database
    ///
    /// A URL postgresql://user@host:port/database or key=value words. The PG… variables and ~/.pgpass count as they do for
    /// psql.
    #[arg(long, env = "WALBOOK_POSTGRES", hide_env_values = true, value_name = "URL", help_heading = POSTGRESQL)]
    pub postgres: Option<String>,
    /// The slot; without it, all slots that need attention
    #[arg(long, env = "WALBOOK_SLOT", value_name = "NAME", help_heading = POSTGRESQL)]
    pub slot: Option<String>,
    /// Kafka's brokers, separated by commas
    #[arg(long, env = "WALBOOK_BROKERS", value_name = "HOST:PORT,…", help_heading = KAFKA)]
    pub brokers: Option<String>,
    /// The topic
    #[arg(long, env = "WALBOOK_TOPIC", value_name = "TOPIC", help_heading = KAFKA)]
    pub topic: Option<String>,
    /// A setting of librdkafka; may be repeated
    ///
    /// In the variable, semicolons separate several settings.
    #[arg(
        short = 'X', long = "set", env = "WALBOOK_SET", hide_env_values = true, value_name = "KEY=VALUE",
        help_heading = KAFKA
    )]
    pub set: Vec<String>,
    /// How its object store is reached.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Output format
    #[arg(long, env = "WALBOOK_FORMAT", default_value = "table", help_heading = OUTPUT)]
    pub format: ReportFormat,
}
