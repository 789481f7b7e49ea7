//! A connection in copy-both mode: payloads in both directions until one side ends it.

use std::io;
use std::time::{Duration, Instant};

use postgres_protocol::message::backend::{
    COPY_DATA_TAG, COPY_DONE_TAG, Message, NOTICE_RESPONSE_TAG, PARAMETER_STATUS_TAG,
};
use postgres_protocol::message::frontend::{self, CopyData};

use super::PostgresError;
use super::wire::{Wire, parse};

/// Payloads in both directions.
pub struct CopyStream {
    wire: Wire,
    server: String,
}

/// The outcome of waiting for a payload.
#[derive(Debug, PartialEq, Eq)]
pub enum ReceivedPayload<'a> {
    /// A payload.
    Data(&'a [u8]),
    /// Nothing within the time.
    Nothing,
    /// The server ended the stream.
    Ended,
}

impl CopyStream {
    pub(super) fn new(wire: Wire) -> CopyStream {
        let server = wire.server().to_owned();
        CopyStream { wire, server }
    }

    /// Whether [`CopyStream::receive`] can return without waiting.
    pub fn has_payload(&self) -> bool {
        self.wire.has_frame()
    }

    /// How many bytes were received altogether, also of a payload that is not complete.
    pub fn received(&self) -> u64 {
        self.wire.received()
    }

    /// The next payload, if it arrives within `timeout`.
    ///
    /// # Errors
    /// The server's error, or that the connection broke.
    pub fn receive(&mut self, timeout: Duration) -> Result<ReceivedPayload<'_>, PostgresError> {
        let Some(frame) = self.wire.frame(timeout)? else { return Ok(ReceivedPayload::Nothing) };
        let broken = |error: io::Error| PostgresError::broken(&self.server, &error);
        match frame.tag {
            COPY_DATA_TAG => Ok(ReceivedPayload::Data(frame.body)),
            COPY_DONE_TAG => Ok(ReceivedPayload::Ended),
            NOTICE_RESPONSE_TAG | PARAMETER_STATUS_TAG => Ok(ReceivedPayload::Nothing),
            _ => match parse(&frame).map_err(broken)? {
                Message::ErrorResponse(body) => Err(PostgresError::from_fields(body.fields())),
                // After CopyDone come CommandComplete and ReadyForQuery.
                _ => Ok(ReceivedPayload::Ended),
            },
        }
    }

    /// Sends a payload.
    ///
    /// # Errors
    /// That the connection broke.
    pub fn send(&mut self, payload: &[u8]) -> Result<(), PostgresError> {
        self.wire.send(|message| {
            CopyData::new(payload)?.write(message);
            Ok(())
        })
    }

    /// Ends the stream: sends CopyDone and waits at most `timeout` for the server's.
    pub fn finish(mut self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let done = self.wire.send(|message| {
            frontend::copy_done(message);
            Ok(())
        });
        // Errors do not matter here: the server notices a closed connection as well.
        while done.is_ok() && Instant::now() < deadline {
            match self.receive(deadline.saturating_duration_since(Instant::now())) {
                Ok(ReceivedPayload::Data(_) | ReceivedPayload::Nothing) => {}
                Ok(ReceivedPayload::Ended) | Err(_) => return,
            }
        }
    }
}
