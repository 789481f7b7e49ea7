//! The stream of a slot: messages from the server, and the status that is sent back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::SlotError;
use crate::change::Lsn;
use crate::postgres::{CopyStream, ReceivedPayload};

/// Seconds from 1970-01-01 to 2000-01-01, where PostgreSQL's clock begins (PostgreSQL, protocol-replication).
const POSTGRES_EPOCH: Duration = Duration::from_secs(946_684_800);

/// The stream of a slot.
pub(super) struct SlotStream {
    copy: CopyStream,
}

/// What the server sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StreamMessage<'a> {
    /// A line of the plugin, and its LSN.
    Line(Lsn, &'a [u8]),
    /// All that was committed before this LSN was sent; whether a status is requested.
    Keepalive(Lsn, bool),
    /// Nothing arrived within the timeout.
    Timeout,
    /// The server ended the stream.
    Ended,
}

impl SlotStream {
    pub(super) fn new(copy: CopyStream) -> SlotStream {
        SlotStream { copy }
    }

    /// Whether a message has arrived already.
    pub(super) fn has_message(&self) -> bool {
        self.copy.has_payload()
    }

    /// How many bytes were received altogether, also of a message that is not complete.
    pub(super) fn received(&self) -> u64 {
        self.copy.received()
    }

    /// The next message, if it arrives within `timeout`.
    pub(super) fn receive(&mut self, timeout: Duration) -> Result<StreamMessage<'_>, SlotError> {
        let payload = match self.copy.receive(timeout)? {
            ReceivedPayload::Data(payload) => payload,
            ReceivedPayload::Nothing => return Ok(StreamMessage::Timeout),
            ReceivedPayload::Ended => return Ok(StreamMessage::Ended),
        };
        let wrong =
            || SlotError::Protocol(format!("a message of {} bytes with tag {:?}", payload.len(), payload.first()));
        let lsn = |at: usize| {
            let bytes = payload.get(at..at + 8)?.try_into().expect("eight bytes");
            Lsn::from_i64(i64::from_be_bytes(bytes))
        };
        match payload.first() {
            // XLogData: start, end and time (64 bits each), then the line.
            Some(b'w') if payload.len() >= 25 => Ok(StreamMessage::Line(lsn(1).ok_or_else(wrong)?, &payload[25..])),
            // Keepalive: end and time (64 bits each), then whether a status is requested.
            Some(b'k') if payload.len() == 18 => {
                Ok(StreamMessage::Keepalive(lsn(1).ok_or_else(wrong)?, payload[17] != 0))
            }
            _ => Err(wrong()),
        }
    }

    /// Sends what was received and what is confirmed; requests a keepalive if `request_reply`.
    pub(super) fn send_status(&mut self, received: Lsn, confirmed: Lsn, request_reply: bool) -> Result<(), SlotError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH + POSTGRES_EPOCH).unwrap_or_default();
        let mut message = [0; 34];
        message[0] = b'r';
        // Written, flushed, applied: only what is confirmed counts as the last two.
        for (number, lsn) in [received, confirmed, confirmed].into_iter().enumerate() {
            message[1 + number * 8..9 + number * 8].copy_from_slice(&lsn.as_i64().to_be_bytes());
        }
        let micros = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        message[25..33].copy_from_slice(&micros.to_be_bytes());
        message[33] = u8::from(request_reply);
        Ok(self.copy.send(&message)?)
    }

    /// Ends the stream, and waits up to `timeout` for the server's end of it.
    pub(super) fn finish(self, timeout: Duration) {
        self.copy.finish(timeout);
    }
}
