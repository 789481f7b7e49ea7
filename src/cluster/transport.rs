//! A connection to another process, plain or TLS, whose two directions are used by different threads.
//!
//! TLS is one state for both directions. It is locked while bytes are turned into others, never while a socket blocks:
//! otherwise the reader would wait for the writer, the writer for the peer, and the peer for its own writer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::control::Deadline;

/// Bytes that are received from the socket at once.
const MAX_READ: usize = 64 << 10;

type Tls = Arc<Mutex<rustls::Connection>>;

/// The direction from the peer.
pub(super) struct ReceivingHalf {
    socket: TcpStream,
    tls: Option<Tls>,
    /// Encrypted bytes that the TLS state has not processed yet.
    received: Vec<u8>,
    /// When reading must have ended, during a handshake.
    deadline: Option<Deadline>,
}

/// The direction to the peer.
pub(super) struct SendingHalf {
    socket: TcpStream,
    tls: Option<Tls>,
    encrypted: Vec<u8>,
}

/// Both directions of a plain connection.
pub(super) fn plain(socket: TcpStream, deadline: Deadline) -> io::Result<(ReceivingHalf, SendingHalf)> {
    halves(socket, None, deadline)
}

/// Both directions of a connection that TLS protects; exchanges what TLS needs first.
pub(super) fn encrypted(
    socket: TcpStream,
    mut tls: rustls::Connection,
    deadline: Deadline,
) -> io::Result<(ReceivingHalf, SendingHalf)> {
    tls.set_buffer_limit(None);
    let mut stream = Timed { socket: &socket, deadline };
    while tls.is_handshaking() {
        tls.complete_io(&mut stream)?;
    }
    halves(socket, Some(Arc::new(Mutex::new(tls))), deadline)
}

fn halves(socket: TcpStream, tls: Option<Tls>, deadline: Deadline) -> io::Result<(ReceivingHalf, SendingHalf)> {
    socket.set_nodelay(true)?;
    let sending = SendingHalf { socket: socket.try_clone()?, tls: tls.clone(), encrypted: Vec::new() };
    Ok((ReceivingHalf { socket, tls, received: Vec::new(), deadline: Some(deadline) }, sending))
}

impl ReceivingHalf {
    /// From now on each read may take so long.
    pub(super) fn set_timeout(&mut self, timeout: std::time::Duration) -> io::Result<()> {
        self.deadline = None;
        self.socket.set_write_timeout(None)?;
        self.socket.set_read_timeout(Some(timeout))
    }

    fn read_socket(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.deadline {
            Some(deadline) => Timed { socket: &self.socket, deadline }.read(buffer),
            None => (&self.socket).read(buffer),
        }
    }
}

impl Read for ReceivingHalf {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = self.tls.clone() else { return self.read_socket(buffer) };
        loop {
            {
                let mut tls = lock(&tls);
                let mut received = self.received.as_slice();
                while !received.is_empty() && tls.wants_read() {
                    tls.read_tls(&mut received)?;
                    tls.process_new_packets().map_err(io::Error::other)?;
                }
                let left = received.len();
                self.received.drain(..self.received.len() - left);
                match tls.reader().read(buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    read => return read,
                }
            }
            let kept = self.received.len();
            let mut received = std::mem::take(&mut self.received);
            received.resize(kept + MAX_READ, 0);
            let count = self.read_socket(&mut received[kept..]);
            received.truncate(kept + *count.as_ref().unwrap_or(&0));
            self.received = received;
            if count? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

impl SendingHalf {
    /// The socket, for its settings.
    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }
}

impl Write for SendingHalf {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let Some(tls) = &self.tls else { return self.socket.write(buffer) };
        {
            let mut tls = lock(tls);
            tls.writer().write_all(buffer)?;
            while tls.wants_write() {
                tls.write_tls(&mut self.encrypted)?;
            }
        }
        self.socket.write_all(&self.encrypted)?;
        self.encrypted.clear();
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// A socket whose reads and writes end at a deadline, however slowly bytes come.
struct Timed<'a> {
    socket: &'a TcpStream,
    deadline: Deadline,
}

impl Timed<'_> {
    fn remaining(&self) -> io::Result<std::time::Duration> {
        let remaining = self.deadline.remaining();
        if remaining.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(remaining) }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.remaining()?))?;
        self.socket.read(buffer)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.remaining()?))?;
        self.socket.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

fn lock(tls: &Tls) -> MutexGuard<'_, rustls::Connection> {
    tls.lock().unwrap_or_else(PoisonError::into_inner)
}
