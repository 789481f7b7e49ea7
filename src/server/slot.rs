//! The replication slot of a run, as its server tells.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tracing::debug;

use super::board::Board;
use super::view::now_micros;
use crate::book::rfc3339;

/// How often the server is asked.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// How long an answer holds when no other one comes, in microseconds.
const HOLDS: i64 = 60_000_000;

/// A replication slot as people look at it.
#[derive(Clone, Debug)]
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

/// How a slot was when its server last answered.
pub(super) struct KnownSlot {
    pub(super) slot: SlotView,
    /// When that was asked, in microseconds since 1970-01-01 UTC.
    pub(super) asked_at: i64,
}

impl KnownSlot {
    /// What is told of it: of an old answer only what does not change while nobody looks.
    pub(super) fn told(&self, now: i64) -> Value {
        let is_old = now - self.asked_at > HOLDS;
        let SlotView { name, active, confirmed_lsn, restart_lsn, lag_bytes, retained_bytes, wal_status } = &self.slot;
        json!({
            "name": name,
            "asked_at": rfc3339(self.asked_at),
            "active": (!is_old).then_some(active),
            "confirmed_lsn": confirmed_lsn,
            "restart_lsn": restart_lsn,
            "lag_bytes": lag_bytes.filter(|_| !is_old),
            "retained_bytes": retained_bytes.filter(|_| !is_old),
            "wal_status": wal_status,
        })
    }
}

/// Asks how a slot is; `None` when it is gone.
pub type AskSlot = dyn Fn() -> Result<Option<SlotView>, String> + Send;

/// Asks for the slot as long as the process lives.
pub(super) fn begin_asking(board: Arc<Board>, ask: Box<AskSlot>) {
    let asking = move || {
        loop {
            let asked_at = now_micros();
            match ask() {
                Ok(slot) => board.set_slot(slot.map(|slot| KnownSlot { slot, asked_at })),
                Err(error) => debug!(error, "could not ask how the slot is"),
            }
            thread::sleep(ASK_AGAIN);
        }
    };
    thread::Builder::new().name("serve-slot".to_owned()).spawn(asking).expect("a thread can be started");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_slot_whose_server_is_silent_only_old_positions_are_told() {
        let slot = SlotView {
            name: "shop".to_owned(),
            active: true,
            confirmed_lsn: Some("0/16B2F00".to_owned()),
            restart_lsn: None,
            lag_bytes: Some(7),
            retained_bytes: Some(9),
            wal_status: Some("reserved".to_owned()),
        };
        let known = KnownSlot { slot, asked_at: 1_000_000 };
        let fresh = known.told(60_000_000);
        assert_eq!(
            (&fresh["active"], &fresh["lag_bytes"], &fresh["retained_bytes"]),
            (&true.into(), &7.into(), &9.into())
        );
        let old = known.told(61_000_001);
        assert_eq!([&old["active"], &old["lag_bytes"], &old["retained_bytes"]], [&Value::Null; 3]);
        assert_eq!((&old["name"], &old["confirmed_lsn"]), (&"shop".into(), &"0/16B2F00".into()));
        assert_eq!(old["asked_at"], "1970-01-01T00:00:01.000000Z");
    }
}
