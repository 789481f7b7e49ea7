//! Wrong usage or settings.

use crate::change::{Classified, FailureKind};
use crate::cluster::ClusterError;
use crate::postgres::PostgresError;
use crate::replication::SlotError;
use crate::source::kafka::KafkaError;
use crate::store::StoreError;

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
    /// A setting is missing or wrong.
    #[error("{0}")]
    Wrong(String),
    /// The cluster's shape, or a file that protects its connections, is wrong.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A setting of the connection to PostgreSQL is wrong.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// An option of the plugin is wrong.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// A setting of librdkafka is wrong.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The book, or an option of its object store, is wrong.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SettingsError {
    /// A required setting that was not given.
    pub(crate) fn missing(flag: &str) -> SettingsError {
        SettingsError::Wrong(format!("{flag} is required (or its variable, or its key in the settings file)"))
    }
}

impl Classified for SettingsError {
    fn kind(&self) -> FailureKind {
        FailureKind::Usage
    }
}
