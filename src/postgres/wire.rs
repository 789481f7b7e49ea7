//! Messages on a socket: a tag, a length, a body.

use std::io;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use postgres_protocol::message::backend::{Header, Message};

use super::PostgresError;
use super::socket::Socket;

/// Bytes asked for in one read.
const READ: usize = 256 * 1024;

/// A connection that speaks in messages.
pub(super) struct Wire {
    socket: Socket,
    /// Where the server is, for messages.
    server: String,
    /// What was read; the bytes in `begin..end` were not looked at yet.
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
}

/// A message, its body still in the buffer.
pub(super) struct Frame<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

impl Wire {
    pub(super) fn new(socket: Socket, server: String) -> Wire {
        Wire { socket, server, buffer: vec![0; READ], begin: 0, end: 0 }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    pub(super) fn broken(&self, error: &io::Error) -> PostgresError {
        PostgresError::broken(&self.server, error)
    }

    /// Sends what `write` writes.
    pub(super) fn send(&mut self, write: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> Result<(), PostgresError> {
        let mut message = BytesMut::new();
        write(&mut message).and_then(|()| self.socket.write(&message)).map_err(|error| self.broken(&error))
    }

    /// Whether a whole message was read already.
    pub(super) fn has_frame(&self) -> bool {
        let there = &self.buffer[self.begin..self.end];
        let header = Header::parse(there).ok().flatten();
        header.is_some_and(|header| usize::try_from(header.len()).is_ok_and(|length| there.len() > length))
    }

    /// The next message, or `None` when it did not come whole within `patience`.
    pub(super) fn frame(&mut self, patience: Duration) -> Result<Option<Frame<'_>>, PostgresError> {
        let mut until: Option<Instant> = None;
        let total = loop {
            let there = &self.buffer[self.begin..self.end];
            let header = Header::parse(there).map_err(|error| PostgresError::broken(&self.server, &error))?;
            // The length counts itself, but not the tag.
            let wanted = header.map_or(5, |header| usize::try_from(header.len()).expect("it was checked") + 1);
            if header.is_some() && there.len() >= wanted {
                break wanted;
            }
            self.make_room(wanted);
            let until = *until.get_or_insert_with(|| Instant::now() + patience);
            let left = until.saturating_duration_since(Instant::now());
            match self.socket.read(&mut self.buffer[self.end..], left) {
                Ok(Some(0)) => return Err(self.broken(&io::Error::other("the server closed it"))),
                Ok(Some(count)) => self.end += count,
                Ok(None) if left.is_zero() || Instant::now() >= until => return Ok(None),
                Ok(None) => {}
                Err(error) => return Err(self.broken(&error)),
            }
        };
        let frame = &self.buffer[self.begin..self.begin + total];
        self.begin += total;
        Ok(Some(Frame { tag: frame[0], body: &frame[5..] }))
    }

    /// The next message, parsed; an error of the server is an error, and notices are left out.
    pub(super) fn message(&mut self, patience: Duration) -> Result<Message, PostgresError> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let message = match self.frame(left)? {
                Some(frame) => parse(&frame),
                None => Err(io::Error::other(format!("no answer within {} s", patience.as_secs()))),
            };
            match message.map_err(|error| self.broken(&error))? {
                Message::ErrorResponse(body) => return Err(PostgresError::from_fields(body.fields())),
                Message::NoticeResponse(_) | Message::ParameterStatus(_) | Message::NotificationResponse(_) => {}
                message => return Ok(message),
            }
        }
    }

    /// Makes room for a message of `wanted` bytes at `begin`, and for what may follow it.
    fn make_room(&mut self, wanted: usize) {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        if self.begin + wanted.max(READ / 4) > self.buffer.len() || self.end == self.buffer.len() {
            self.buffer.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        if wanted > self.buffer.len() {
            self.buffer.resize(wanted, 0);
        } else if self.buffer.len() > READ && self.end < READ && wanted <= READ {
            // One large message must not hold its room for ever.
            self.buffer.truncate(READ);
            self.buffer.shrink_to_fit();
        }
    }
}

/// Parses a message that is not one of CopyBoth.
pub(super) fn parse(frame: &Frame<'_>) -> io::Result<Message> {
    let mut bytes = BytesMut::with_capacity(frame.body.len() + 5);
    bytes.extend_from_slice(&[frame.tag]);
    let length = u32::try_from(frame.body.len() + 4).map_err(io::Error::other)?;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(frame.body);
    Message::parse(&mut bytes)?.ok_or_else(|| io::Error::other("a message is not whole"))
}
