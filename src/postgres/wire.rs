//! The protocol's messages on a socket: a tag, a length, a body.

use std::io;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use postgres_protocol::message::backend::{ERROR_RESPONSE_TAG, Header, Message};

use super::PostgresError;
use super::socket::Socket;

/// Bytes requested in one read.
const READ_SIZE: usize = 256 * 1024;
/// The length of a message of the login that no PostgreSQL server exceeds. The text of another protocol reads as a length of
/// a gigabyte or more.
const MAX_LOGIN_MESSAGE: usize = 64 * 1024;

/// A connection that sends and receives messages.
pub(super) struct Wire {
    socket: Socket,
    /// Where the server is, for messages.
    server: String,
    /// Bytes received; those in `begin..end` are not parsed yet.
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    /// How many bytes were received altogether.
    received: u64,
    /// Whether the other side has shown that it is a PostgreSQL server, and so may send long messages.
    is_logged_in: bool,
}

/// A message whose body is still in the buffer.
pub(super) struct MessageFrame<'a> {
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
}

impl Wire {
    pub(super) fn new(socket: Socket, server: String) -> Wire {
        Wire { socket, server, buffer: vec![0; READ_SIZE], begin: 0, end: 0, received: 0, is_logged_in: false }
    }

    /// Allows messages of any length from now on.
    pub(super) fn complete_login(&mut self) {
        self.is_logged_in = true;
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    pub(super) fn broken(&self, error: &io::Error) -> PostgresError {
        PostgresError::broken(&self.server, error)
    }

    /// Sends the message that `write` encodes.
    pub(super) fn send(&mut self, write: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> Result<(), PostgresError> {
        let mut message = BytesMut::new();
        write(&mut message).and_then(|()| self.socket.write(&message)).map_err(|error| self.broken(&error))
    }

    /// How many bytes were received altogether, also of a message that is not complete.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Whether a whole message has been received already.
    pub(super) fn has_frame(&self) -> bool {
        let received = &self.buffer[self.begin..self.end];
        let header = Header::parse(received).ok().flatten();
        header.is_some_and(|header| received.len() > length(header))
    }

    /// The next message, or `None` when it is not complete within `timeout`.
    pub(super) fn frame(&mut self, timeout: Duration) -> Result<Option<MessageFrame<'_>>, PostgresError> {
        let mut deadline: Option<Instant> = None;
        let total = loop {
            let received = &self.buffer[self.begin..self.end];
            let header = match Header::parse(received) {
                Err(error) if self.is_logged_in => return Err(PostgresError::broken(&self.server, &error)),
                Ok(Some(header)) if self.is_logged_in || length(header) <= MAX_LOGIN_MESSAGE => Some(header),
                Ok(None) => None,
                Err(_) | Ok(Some(_)) => return Err(not_postgres(&self.server, received[0])),
            };
            // The length counts itself, but not the tag.
            let wanted = header.map_or(5, |header| length(header) + 1);
            if header.is_some() && received.len() >= wanted {
                break wanted;
            }
            self.make_room(wanted);
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + timeout);
            let left = deadline.saturating_duration_since(Instant::now());
            match self.socket.read(&mut self.buffer[self.end..], left) {
                Ok(Some(0)) => return Err(self.broken(&io::Error::other("the server closed the connection"))),
                Ok(Some(count)) => {
                    self.end += count;
                    self.received += count as u64;
                }
                Ok(None) if left.is_zero() || Instant::now() >= deadline => return Ok(None),
                Ok(None) => {}
                Err(error) => return Err(self.broken(&error)),
            }
        };
        let frame = &self.buffer[self.begin..self.begin + total];
        self.begin += total;
        Ok(Some(MessageFrame { tag: frame[0], body: &frame[5..] }))
    }

    /// The next message, parsed; an error of the server is an `Err`, notices are skipped.
    pub(super) fn message(&mut self, timeout: Duration) -> Result<Message, PostgresError> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = match self.frame(left)? {
                Some(frame) => parse(&frame),
                None => Err(io::Error::other(format!("no answer within {} s", timeout.as_secs()))),
            };
            match message.map_err(|error| self.broken(&error))? {
                Message::ErrorResponse(body) => return Err(PostgresError::from_fields(body.fields())),
                Message::NoticeResponse(_) | Message::ParameterStatus(_) | Message::NotificationResponse(_) => {}
                message => return Ok(message),
            }
        }
    }

    /// Makes room for a message of `wanted` bytes at `begin`, and some for what follows it.
    fn make_room(&mut self, wanted: usize) {
        if self.begin == self.end {
            (self.begin, self.end) = (0, 0);
        }
        if self.begin + wanted.max(READ_SIZE / 4) > self.buffer.len() || self.end == self.buffer.len() {
            self.buffer.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        if wanted > self.buffer.len() {
            self.buffer.resize(wanted, 0);
        } else if self.buffer.len() > READ_SIZE && self.end < READ_SIZE && wanted <= READ_SIZE {
            // One large message must not keep its memory until the connection ends.
            self.buffer.truncate(READ_SIZE);
            self.buffer.shrink_to_fit();
        }
    }
}

/// The bytes of a message after its tag.
fn length(header: Header) -> usize {
    usize::try_from(header.len()).expect("parse refuses a negative length")
}

/// The error for an answer that is no message of the protocol.
fn not_postgres(server: &str, tag: u8) -> PostgresError {
    // A server that cannot start a process for the session says so in the text of an older protocol
    // (PostgreSQL, `report_fork_failure_to_client`).
    if tag == ERROR_RESPONSE_TAG {
        let message = "the server could not start a session, or is not PostgreSQL".to_owned();
        return PostgresError::Connect { server: server.to_owned(), message };
    }
    PostgresError::Settings(format!(
        "the server at {server} is not PostgreSQL: it answers in another protocol; check the host and the port"
    ))
}

/// Parses a message that is not one of CopyBoth.
pub(super) fn parse(frame: &MessageFrame<'_>) -> io::Result<Message> {
    let mut bytes = BytesMut::with_capacity(frame.body.len() + 5);
    bytes.extend_from_slice(&[frame.tag]);
    let length = u32::try_from(frame.body.len() + 4).map_err(io::Error::other)?;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(frame.body);
    Message::parse(&mut bytes)?.ok_or_else(|| io::Error::other("a message is incomplete"))
}

/// Parses a tag and a body as a message of the server, and an error's fields.
#[cfg(feature = "fuzzing")]
pub fn fuzz_message(bytes: &[u8]) {
    let Some((tag, body)) = bytes.split_first() else { return };
    if let Ok(Message::ErrorResponse(body)) = parse(&MessageFrame { tag: *tag, body }) {
        let _ = PostgresError::from_fields(body.fields()).to_string();
    }
}
