//! The replication slot of a run, as its server tells.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use tracing::debug;

use super::board::Board;

/// How often the server is asked.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// A replication slot as people look at it.
#[derive(Clone, Debug, Serialize)]
pub struct SlotView {
    /// Its name.
    pub name: String,
    /// Whether somebody reads it.
    pub active: bool,
    /// Up to where it was confirmed, `X/Y`.
    pub confirmed_lsn: Option<String>,
    /// The oldest WAL that the server keeps for it, `X/Y`.
    pub restart_lsn: Option<String>,
    /// Bytes of WAL that are written and not confirmed.
    pub lag_bytes: Option<i64>,
    /// Bytes of WAL that the server keeps for it.
    pub retained_bytes: Option<i64>,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: Option<String>,
}

/// Asks how a slot is; `None` when it is gone.
pub type AskSlot = dyn Fn() -> Result<Option<SlotView>, String> + Send;

/// Asks for the slot as long as the process lives.
pub(super) fn begin_asking(board: Arc<Board>, ask: Box<AskSlot>) {
    let asking = move || {
        loop {
            match ask() {
                Ok(slot) => board.set_slot(slot),
                Err(error) => debug!(error, "could not ask how the slot is"),
            }
            thread::sleep(ASK_AGAIN);
        }
    };
    thread::Builder::new().name("serve-slot".to_owned()).spawn(asking).expect("a thread can be started");
}
