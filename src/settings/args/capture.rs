//! `walbook capture`

use clap::Args;

use super::SlotSourceArgs;
use super::heading::{INPUT, KAFKA};
use crate::change::Lsn;

/// `walbook capture`
#[derive(Debug, Args)]
pub struct CaptureArgs {
    /// The slot to read.
    #[command(flatten)]
    pub source: SlotSourceArgs,
    /// Kafka's brokers, separated by commas
    #[arg(long, env = "WALBOOK_BROKERS", value_name = "HOST:PORT,…", help_heading = KAFKA)]
    pub brokers: String,
    /// The topic to write, used by this slot alone
    ///
    /// The position is kept in the topic TOPIC.walbook-position.
    #[arg(long, env = "WALBOOK_TOPIC", value_name = "TOPIC", help_heading = KAFKA)]
    pub topic: String,
    /// Create the topic if it does not exist
    #[arg(long, env = "WALBOOK_CREATE_TOPIC", help_heading = KAFKA)]
    pub create_topic: bool,
    /// Partitions of a topic that is created
    ///
    /// The changes of one table stay in one partition, in order. With one partition all changes are in order.
    #[arg(long, env = "WALBOOK_PARTITIONS", default_value_t = 1, value_name = "N", help_heading = KAFKA)]
    pub partitions: i32,
    /// A setting of librdkafka; may be repeated
    ///
    /// In the variable, semicolons separate several settings.
    #[arg(
        short = 'X', long = "set", env = "WALBOOK_SET", hide_env_values = true, value_name = "KEY=VALUE",
        help_heading = KAFKA
    )]
    pub set: Vec<String>,
    /// End when the topic has all that the server has now
    #[arg(long, env = "WALBOOK_ONCE", conflicts_with = "until_lsn", help_heading = INPUT)]
    pub once: bool,
    /// End when the topic has everything up to this LSN
    #[arg(long, env = "WALBOOK_UNTIL_LSN", value_name = "LSN", help_heading = INPUT)]
    pub until_lsn: Option<Lsn>,
    /// The topic already has everything up to this LSN
    ///
    /// For a topic that has records but no position.
    #[arg(long, env = "WALBOOK_ASSUME_POSITION", value_name = "LSN", help_heading = INPUT)]
    pub assume_position: Option<Lsn>,
}
