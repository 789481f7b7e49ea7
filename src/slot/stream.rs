//! The stream of a slot: what the server sends, and what it is told.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::SlotError;
use crate::change::Lsn;
use crate::postgres::{CopyStream, Received};

/// Seconds from 1970-01-01 to 2000-01-01, where PostgreSQL's clock begins (PostgreSQL, protocol-replication).
const POSTGRES_EPOCH: Duration = Duration::from_secs(946_684_800);

/// A slot that is read.
pub(super) struct SlotStream {
    copy: CopyStream,
}

/// What the server sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// A line that stands at an LSN.
    Line(Lsn, &'a [u8]),
    /// All that was committed before this LSN was sent; whether an answer is asked for.
    Keepalive(Lsn, bool),
    /// Nothing within the time.
    Nothing,
    /// The server ended the stream.
    Ended,
}

impl SlotStream {
    pub(super) fn new(copy: CopyStream) -> SlotStream {
        SlotStream { copy }
    }

    /// Whether a message is here already.
    pub(super) fn has_message(&self) -> bool {
        self.copy.has_payload()
    }

    /// The next message, if it comes within `patience`.
    pub(super) fn receive(&mut self, patience: Duration) -> Result<Message<'_>, SlotError> {
        let payload = match self.copy.receive(patience)? {
            Received::Data(payload) => payload,
            Received::Nothing => return Ok(Message::Nothing),
            Received::Ended => return Ok(Message::Ended),
        };
        let wrong =
            || SlotError::Protocol(format!("a message of {} bytes with tag {:?}", payload.len(), payload.first()));
        let lsn = |at: usize| {
            let bytes = payload.get(at..at + 8)?.try_into().expect("eight bytes");
            Lsn::from_i64(i64::from_be_bytes(bytes))
        };
        match payload.first() {
            // XLogData: start, end and time (64 bits each), then the line.
            Some(b'w') if payload.len() >= 25 => Ok(Message::Line(lsn(1).ok_or_else(wrong)?, &payload[25..])),
            // Keepalive: end and time (64 bits each), then whether an answer is asked for.
            Some(b'k') if payload.len() == 18 => Ok(Message::Keepalive(lsn(1).ok_or_else(wrong)?, payload[17] != 0)),
            _ => Err(wrong()),
        }
    }

    /// Tells the server what arrived and what is confirmed, and asks it to answer if `ask`.
    pub(super) fn tell(&mut self, received: Lsn, confirmed: Lsn, ask: bool) -> Result<(), SlotError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH + POSTGRES_EPOCH).unwrap_or_default();
        let mut message = [0; 34];
        message[0] = b'r';
        // Written, flushed, applied: only what is confirmed counts as the last two.
        for (place, lsn) in [received, confirmed, confirmed].into_iter().enumerate() {
            message[1 + place * 8..9 + place * 8].copy_from_slice(&lsn.as_i64().to_be_bytes());
        }
        let micros = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        message[25..33].copy_from_slice(&micros.to_be_bytes());
        message[33] = u8::from(ask);
        Ok(self.copy.send(&message)?)
    }

    /// Ends the stream politely.
    pub(super) fn finish(self, patience: Duration) {
        self.copy.finish(patience);
    }
}
