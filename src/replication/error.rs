//! Why a slot cannot be read, or must not be.

use std::io;

use super::SilenceLimit;
use crate::change::{Classified, FailureKind, Lsn};
use crate::postgres::PostgresError;
use crate::store::SpillError;

/// An error of a slot, or of the server behind it.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// PostgreSQL's own reason.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The server or the slot is not set up for this, or a setting is wrong.
    #[error("{0}")]
    Setup(String),
    /// The server is a standby.
    #[error(
        "the server is a standby: read from the primary (several hosts and target_session_attrs=read-write in --postgres find it)"
    )]
    Standby,
    /// There is no such slot.
    #[error("there is no slot {slot:?} on this server; make it with --create-slot or walbook slot create")]
    NoSlot {
        /// Its name.
        slot: String,
    },
    /// Another process reads the slot.
    #[error(
        "slot {slot:?} is held by the server process with pid {pid} for {seconds} s already: stop the other reader (or end it: SELECT pg_terminate_backend({pid})) and start again"
    )]
    Held {
        /// The slot.
        slot: String,
        /// The server's process that reads it.
        pid: String,
        /// How long this process has waited for it.
        seconds: u64,
    },
    /// The slot stands beyond what was read: another client has moved it, or it was dropped and created again.
    #[error(
        "slot {slot:?} was confirmed up to {confirmed}, but only changes up to {position} were read: the {} bytes of WAL from {position} to {confirmed} are gone: they were consumed by another client, or the slot was dropped and created again", confirmed.as_i64() - position.as_i64()
    )]
    RanAhead {
        /// The slot.
        slot: String,
        /// The LSN up to which everything was read.
        position: Lsn,
        /// The LSN up to which the slot is confirmed.
        confirmed: Lsn,
    },
    /// The server has invalidated the slot.
    #[error(
        "slot {slot:?} is lost: {reason}; what comes after {position} cannot be read any more. Drop the slot and begin anew"
    )]
    Lost {
        /// The slot.
        slot: String,
        /// The server's reason.
        reason: String,
        /// The LSN up to which everything was read.
        position: String,
    },
    /// The slot that was read before does not exist any more.
    #[error("slot {slot:?} does not exist any more: what comes after {position} cannot be read")]
    Vanished {
        /// The slot.
        slot: String,
        /// The LSN up to which everything was read.
        position: Lsn,
    },
    /// It is another server, or its history is not the one that was read.
    #[error("{0}")]
    OtherHistory(String),
    /// The server repeats another history than the one that was read.
    #[error(
        "the server was set back to an older state and has gone another way since (or, if a version of walbook that did not record them read it, --plugin-option was changed): {seen}. What was read from {shared} to {position} ({} bytes of WAL) may never have happened on it, and what it wrote there since cannot be continued from: restore the server that was read, or begin anew",
        position.as_i64() - shared.as_i64()
    )]
    SetBack {
        /// What differs.
        seen: String,
        /// Up to where both histories are known to be the same.
        shared: Lsn,
        /// The LSN up to which everything was read.
        position: Lsn,
    },
    /// The plugin's options are others than before, and the server repeats what was read with those.
    #[error(
        "the plugin options changed from {} to {} while the slot is confirmed only up to {confirmed}, and everything up to {position} was read: with other options the server repeats other transactions, so whether it is still the same history cannot be compared. Start once more with the former --plugin-option, let it end well, and change it then",
        named(known),
        named(now)
    )]
    OptionsChanged {
        /// The options with which was read.
        known: String,
        /// The options now.
        now: String,
        /// The LSN up to which everything was read.
        position: Lsn,
        /// The LSN up to which the slot is confirmed.
        confirmed: Lsn,
    },
    /// The database that was read does not exist any more.
    #[error(
        "{message}: everything up to {position} was read from it, and what comes after it cannot be read. If --postgres names another database than before, correct it"
    )]
    NoDatabase {
        /// The server's message.
        message: String,
        /// The LSN up to which everything was read.
        position: Lsn,
    },
    /// The server was promoted while it was read.
    #[error(
        "the server was promoted to timeline {timeline} after everything up to {position} was read: start again, and the book continues from there"
    )]
    Promoted {
        /// Its timeline now.
        timeline: u32,
        /// The LSN up to which everything was read.
        position: Lsn,
    },
    /// A large transaction could not be written to a temporary file or read back.
    #[error("could not keep a large transaction in {folder}: {source}; --spill-dir names another folder")]
    Spill {
        /// The file's folder.
        folder: String,
        /// The error of the file system.
        source: io::Error,
    },
    /// A transaction has more changes than can be numbered.
    #[error("the transaction that ends at {commit_lsn} has {count} changes, and at most {} can be numbered", i32::MAX)]
    TooManyChanges {
        /// Its end.
        commit_lsn: Lsn,
        /// The number of its changes.
        count: u64,
    },
    /// The server sent something that is not part of the protocol.
    #[error("the server sent what could not be understood: {0}")]
    Protocol(String),
    /// The end was requested while waiting for the slot.
    #[error("asked to end while waiting for the slot")]
    Stopped,
}

/// Options as a message names them.
fn named(options: &str) -> &str {
    if options.is_empty() { "none" } else { options }
}

impl From<SpillError> for SlotError {
    fn from(error: SpillError) -> SlotError {
        SlotError::Spill { folder: error.folder.display().to_string(), source: error.source }
    }
}

impl SlotError {
    /// This error for a reader that has read everything up to `position`: without the slot, what comes after it is lost.
    pub fn after(self, position: Lsn) -> SlotError {
        match self {
            SlotError::NoSlot { slot } => SlotError::Vanished { slot, position },
            SlotError::Lost { slot, reason, .. } => SlotError::Lost { slot, reason, position: position.to_string() },
            // invalid_catalog_name: a database takes its slots with it.
            SlotError::Postgres(error) if error.code() == Some("3D000") => {
                SlotError::NoDatabase { message: error.to_string(), position }
            }
            error => error,
        }
    }

    /// Whether another try may succeed for a reader with this limit: also where the slot is held, if it may be held by the server
    /// process of a session that was ended by silence.
    pub fn is_retryable_after(&self, silence_limit: &SilenceLimit) -> bool {
        self.is_retryable() || matches!(self, SlotError::Held { .. }) && silence_limit.has_ended_session()
    }

    /// Whether another try may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            SlotError::Postgres(error) => error.is_retryable(),
            // It may be promoted soon.
            SlotError::Standby => true,
            // The time to wait is over, or a person must act.
            SlotError::Setup(_) | SlotError::NoSlot { .. } | SlotError::Held { .. } => false,
            SlotError::RanAhead { .. } | SlotError::Lost { .. } | SlotError::Vanished { .. } => false,
            SlotError::OtherHistory(_) | SlotError::SetBack { .. } | SlotError::NoDatabase { .. } => false,
            SlotError::OptionsChanged { .. } => false,
            SlotError::Promoted { .. } | SlotError::Spill { .. } => false,
            SlotError::TooManyChanges { .. } | SlotError::Protocol(_) | SlotError::Stopped => false,
        }
    }
}

impl Classified for SlotError {
    fn kind(&self) -> FailureKind {
        match self {
            SlotError::RanAhead { .. }
            | SlotError::Lost { .. }
            | SlotError::Vanished { .. }
            | SlotError::OtherHistory(_)
            | SlotError::SetBack { .. }
            | SlotError::NoDatabase { .. } => FailureKind::DataLoss,
            // The server is not set up for it.
            SlotError::Setup(_) | SlotError::NoSlot { .. } | SlotError::Held { .. } | SlotError::Standby => {
                FailureKind::Usage
            }
            // The former options still fit.
            SlotError::OptionsChanged { .. } => FailureKind::Usage,
            SlotError::Postgres(error) => error.kind(),
            SlotError::Promoted { .. }
            | SlotError::Spill { .. }
            | SlotError::TooManyChanges { .. }
            | SlotError::Protocol(_)
            | SlotError::Stopped => FailureKind::Other,
        }
    }
}
