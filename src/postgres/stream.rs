//! A connection in CopyBoth: bytes in both directions until one side ends it.

use std::io;
use std::time::{Duration, Instant};

use postgres_protocol::message::backend::{
    COPY_DATA_TAG, COPY_DONE_TAG, Message, NOTICE_RESPONSE_TAG, PARAMETER_STATUS_TAG,
};
use postgres_protocol::message::frontend::{self, CopyData};

use super::PostgresError;
use super::wire::{Wire, parse};

/// A stream of payloads.
pub struct CopyStream {
    wire: Wire,
    server: String,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
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

    /// Whether [`CopyStream::receive`] has something to give without waiting.
    pub fn has_payload(&self) -> bool {
        self.wire.has_frame()
    }

    /// The next payload, if it comes within `patience`.
    ///
    /// # Errors
    /// The server's error, or that the connection broke.
    pub fn receive(&mut self, patience: Duration) -> Result<Received<'_>, PostgresError> {
        let Some(frame) = self.wire.frame(patience)? else { return Ok(Received::Nothing) };
        let broken = |error: io::Error| PostgresError::broken(&self.server, &error);
        match frame.tag {
            COPY_DATA_TAG => Ok(Received::Data(frame.body)),
            COPY_DONE_TAG => Ok(Received::Ended),
            NOTICE_RESPONSE_TAG | PARAMETER_STATUS_TAG => Ok(Received::Nothing),
            _ => match parse(&frame).map_err(broken)? {
                Message::ErrorResponse(body) => Err(PostgresError::from_fields(body.fields())),
                // After CopyDone the server says what it has done, and is ready again.
                _ => Ok(Received::Ended),
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

    /// Ends the stream politely: says so, and waits at most `patience` for the server to say so too.
    pub fn finish(mut self, patience: Duration) {
        let until = Instant::now() + patience;
        let done = self.wire.send(|message| {
            frontend::copy_done(message);
            Ok(())
        });
        // Whoever ends does not care how: the server notices a closed connection as well.
        while done.is_ok() && Instant::now() < until {
            match self.receive(until.saturating_duration_since(Instant::now())) {
                Ok(Received::Data(_) | Received::Nothing) => {}
                Ok(Received::Ended) | Err(_) => return,
            }
        }
    }
}
