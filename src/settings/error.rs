//! What is wrong with what was typed.

use crate::cluster::PeersError;
use crate::postgres::PostgresError;
use crate::slot::SlotError;
use crate::source::kafka::KafkaError;

/// Wrong usage or settings: exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The settings file cannot be read.
    #[error("could not read the settings file {path}: {message}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// A flag's value does not fit.
    #[error("{0}")]
    Wrong(String),
    /// The cluster's shape does not fit.
    #[error(transparent)]
    Peers(#[from] PeersError),
    /// A setting of the connection to PostgreSQL does not fit.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// An option of the plugin does not fit.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// A setting of librdkafka does not fit.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}
