//! The way to a server: TCP or a Unix socket, with TLS around it or not.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The message that ends a session: its tag, and its length (PostgreSQL, protocol-message-formats).
const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// A plain connection.
pub(super) enum Plain {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Bytes in both directions.
pub(super) trait Bytes: Read + Write + Send {}

impl<T: Read + Write + Send> Bytes for T {}

/// A connection whose waiting is bounded.
pub(super) struct Socket {
    bytes: Box<dyn Bytes>,
    /// The same connection, for its timeouts.
    plain: Plain,
    patience: Option<Duration>,
}

impl Plain {
    pub(super) fn try_clone(&self) -> io::Result<Plain> {
        match self {
            Plain::Tcp(stream) => stream.try_clone().map(Plain::Tcp),
            Plain::Unix(stream) => stream.try_clone().map(Plain::Unix),
        }
    }

    pub(super) fn set_patience(&self, reading: Option<Duration>, writing: Option<Duration>) -> io::Result<()> {
        match self {
            Plain::Tcp(stream) => stream.set_read_timeout(reading).and_then(|()| stream.set_write_timeout(writing)),
            Plain::Unix(stream) => stream.set_read_timeout(reading).and_then(|()| stream.set_write_timeout(writing)),
        }
    }
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Plain::Tcp(stream) => stream.read(buffer),
            Plain::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Plain {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Plain::Tcp(stream) => stream.write(buffer),
            Plain::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Plain::Tcp(stream) => stream.flush(),
            Plain::Unix(stream) => stream.flush(),
        }
    }
}

impl Socket {
    /// How long a farewell may take.
    const FAREWELL: Duration = Duration::from_millis(100);

    /// How long one write may take: what is written is short, so only a dead peer takes longer.
    const WRITE: Duration = Duration::from_secs(20);

    /// A connection with TLS around it or not; `plain` is the same connection.
    pub(super) fn new(bytes: Box<dyn Bytes>, plain: Plain) -> Socket {
        Socket { bytes, plain, patience: None }
    }

    /// Reads what is there; `None` when nothing came within `patience`, `Some(0)` at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<Option<usize>> {
        // Zero would mean "for ever".
        let patience = patience.max(Duration::from_millis(1));
        if self.patience != Some(patience) {
            self.plain.set_patience(Some(patience), Some(Self::WRITE))?;
            self.patience = Some(patience);
        }
        match self.bytes.read(buffer) {
            Ok(count) => Ok(Some(count)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Writes all of `buffer`.
    pub(super) fn write(&mut self, buffer: &[u8]) -> io::Result<()> {
        self.bytes.write_all(buffer)?;
        self.bytes.flush()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A server that hears no farewell notes a broken connection in its log; one that does not listen is not waited for.
        if self.plain.set_patience(Some(Self::FAREWELL), Some(Self::FAREWELL)).is_ok() {
            let _ = self.write(&TERMINATE);
        }
        // It may be closed already.
        let _ = match &self.plain {
            Plain::Tcp(stream) => stream.shutdown(Shutdown::Both),
            Plain::Unix(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}
