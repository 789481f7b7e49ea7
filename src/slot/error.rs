//! Why a slot cannot be read, or must not be.

use std::io;

use crate::change::Lsn;
use crate::postgres::PostgresError;

/// What a slot, or the server behind it, can refuse.
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
    /// Somebody else reads the slot.
    #[error(
        "slot {slot:?} is held by the server process with pid {pid} for {seconds} s already: stop the other reader (or end it: SELECT pg_terminate_backend({pid})) and start again"
    )]
    Held {
        /// The slot.
        slot: String,
        /// The server's process that reads it.
        pid: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Somebody else moved the slot on.
    #[error(
        "slot {slot:?} was confirmed up to {confirmed}, but only what lies before {position} is in hand: the {} bytes of WAL from {position} to {confirmed} were consumed by somebody else and are gone", confirmed.as_i64() - position.as_i64()
    )]
    RanAhead {
        /// The slot.
        slot: String,
        /// What is in hand.
        position: Lsn,
        /// Where the slot stands.
        confirmed: Lsn,
    },
    /// The server gave the slot up.
    #[error(
        "slot {slot:?} is lost: {reason}; what comes after {position} cannot be read any more. Drop the slot and begin anew"
    )]
    Lost {
        /// The slot.
        slot: String,
        /// The server's words.
        reason: String,
        /// What is in hand.
        position: String,
    },
    /// The slot that was read before is not there any more.
    #[error("slot {slot:?} does not exist any more: what comes after {position} cannot be read")]
    Vanished {
        /// The slot.
        slot: String,
        /// What is in hand.
        position: Lsn,
    },
    /// The server is another one, or its history is.
    #[error("{0}")]
    OtherHistory(String),
    /// The server was promoted while it was read.
    #[error(
        "the server was promoted to timeline {timeline} after everything up to {position} was read: start again, and the book goes on from there"
    )]
    Promoted {
        /// Its timeline now.
        timeline: u32,
        /// What is in hand.
        position: Lsn,
    },
    /// A large transaction could not be kept on disk.
    #[error("could not keep a large transaction in {folder}: {source}; --spill-dir names another folder")]
    Spill {
        /// Where.
        folder: String,
        /// Why.
        source: io::Error,
    },
    /// The server sent what the protocol does not know.
    #[error("the server sent what could not be understood: {0}")]
    Protocol(String),
    /// The end was asked for before anything could begin.
    #[error("asked to end while waiting for the slot")]
    Stopped,
}

impl SlotError {
    /// Whether the same try may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            SlotError::Postgres(error) => error.is_retryable(),
            // Perhaps it is being promoted.
            SlotError::Standby => true,
            // Waiting was tried already, or somebody has to act.
            SlotError::Setup(_) | SlotError::NoSlot { .. } | SlotError::Held { .. } => false,
            SlotError::RanAhead { .. } | SlotError::Lost { .. } | SlotError::Vanished { .. } => false,
            SlotError::OtherHistory(_) | SlotError::Promoted { .. } | SlotError::Spill { .. } => false,
            SlotError::Protocol(_) | SlotError::Stopped => false,
        }
    }

    /// Whether changes are gone for good: exit code 3.
    pub fn is_data_loss(&self) -> bool {
        matches!(
            self,
            SlotError::RanAhead { .. }
                | SlotError::Lost { .. }
                | SlotError::Vanished { .. }
                | SlotError::OtherHistory(_)
        )
    }

    /// Whether the command was given wrong settings, or the server is not set up for it: exit code 2.
    pub fn is_usage(&self) -> bool {
        match self {
            SlotError::Setup(_) | SlotError::NoSlot { .. } | SlotError::Held { .. } | SlotError::Standby => true,
            SlotError::Postgres(error) => error.is_usage(),
            _ => false,
        }
    }
}
