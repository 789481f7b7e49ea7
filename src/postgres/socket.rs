//! A socket to the server: TCP or Unix, with TLS around it or not; reads and writes have time limits.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The message that ends a session: its tag, and its length (PostgreSQL, protocol-message-formats).
const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// A socket without TLS.
pub(super) enum PlainSocket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Bytes in both directions.
pub(super) trait ByteStream: Read + Write + Send {}

impl<T: Read + Write + Send> ByteStream for T {}

/// A socket of a session, whose reads and writes have time limits.
pub(super) struct Socket {
    stream: Box<dyn ByteStream>,
    /// The same connection, for its timeouts.
    plain: PlainSocket,
    read_timeout: Option<Duration>,
}

impl PlainSocket {
    pub(super) fn try_clone(&self) -> io::Result<PlainSocket> {
        match self {
            PlainSocket::Tcp(stream) => stream.try_clone().map(PlainSocket::Tcp),
            PlainSocket::Unix(stream) => stream.try_clone().map(PlainSocket::Unix),
        }
    }

    /// The address of the other side; `None` for a Unix socket.
    pub(super) fn peer_address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            PlainSocket::Tcp(stream) => stream.peer_addr().map(Some),
            PlainSocket::Unix(_) => Ok(None),
        }
    }

    pub(super) fn set_timeouts(&self, read: Duration, write: Duration) -> io::Result<()> {
        match self {
            PlainSocket::Tcp(stream) => {
                stream.set_read_timeout(Some(read)).and_then(|()| stream.set_write_timeout(Some(write)))
            }
            PlainSocket::Unix(stream) => {
                stream.set_read_timeout(Some(read)).and_then(|()| stream.set_write_timeout(Some(write)))
            }
        }
    }
}

impl Read for PlainSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            PlainSocket::Tcp(stream) => stream.read(buffer),
            PlainSocket::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for PlainSocket {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            PlainSocket::Tcp(stream) => stream.write(buffer),
            PlainSocket::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            PlainSocket::Tcp(stream) => stream.flush(),
            PlainSocket::Unix(stream) => stream.flush(),
        }
    }
}

impl Socket {
    /// How long ending a session may take.
    pub(super) const TERMINATE_TIMEOUT: Duration = Duration::from_millis(100);

    /// How long one write may take: messages are short, so only a dead peer takes longer.
    const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

    /// A connection with TLS around it or not; `plain` is the same connection.
    pub(super) fn new(stream: Box<dyn ByteStream>, plain: PlainSocket) -> Socket {
        Socket { stream, plain, read_timeout: None }
    }

    /// Reads what has arrived; `None` when nothing arrived within `timeout`, `Some(0)` at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<Option<usize>> {
        // Zero would mean "no limit".
        let timeout = timeout.max(Duration::from_millis(1));
        if self.read_timeout != Some(timeout) {
            self.plain.set_timeouts(timeout, Self::WRITE_TIMEOUT)?;
            self.read_timeout = Some(timeout);
        }
        match self.stream.read(buffer) {
            Ok(count) => Ok(Some(count)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Writes all of `buffer`.
    pub(super) fn write(&mut self, buffer: &[u8]) -> io::Result<()> {
        self.stream.write_all(buffer)?;
        self.stream.flush()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Without a Terminate message the server logs a broken connection.
        if self.plain.set_timeouts(Self::TERMINATE_TIMEOUT, Self::TERMINATE_TIMEOUT).is_ok() {
            let _ = self.write(&TERMINATE);
        }
        // It may be closed already.
        let _ = match &self.plain {
            PlainSocket::Tcp(stream) => stream.shutdown(Shutdown::Both),
            PlainSocket::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}
