//! Opens a TCP or Unix socket to a host; the name lookup and each connection attempt have a time limit.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockAddr, SockRef, TcpKeepalive, Type};

use super::settings::{Host, SocketTarget};
use super::socket::PlainSocket;

/// After what idle time, and how often, the kernel probes the other side.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
/// How long sent bytes may stay unacknowledged before the connection counts as broken.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_secs(60);

/// Connects to a host; `timeout` limits the lookup, each attempt, and each read and write after it.
pub(super) fn dial(host: &Host, timeout: Duration) -> io::Result<PlainSocket> {
    let socket = match host.target() {
        SocketTarget::Unix(path) => PlainSocket::Unix(connect_unix(&path, timeout)?),
        SocketTarget::Address(address) => PlainSocket::Tcp(connect_tcp(&[address], timeout)?),
        SocketTarget::Name(name, port) => {
            let system_lookup = |name: &str, port| Ok((name, port).to_socket_addrs()?.collect());
            PlainSocket::Tcp(connect_tcp(&look_up(name, port, timeout, system_lookup)?, timeout)?)
        }
    };
    socket.set_timeouts(timeout, timeout)?;
    Ok(socket)
}

/// Calls `lookup` for at most `timeout`.
fn look_up(
    name: &str,
    port: u16,
    timeout: Duration,
    lookup: impl FnOnce(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + 'static,
) -> io::Result<Vec<SocketAddr>> {
    let (sender, receiver) = mpsc::channel();
    let owned = name.to_owned();
    // getaddrinfo has no timeout: a lookup that hangs keeps a thread of its own, not the caller.
    thread::Builder::new().name("dns".to_owned()).spawn(move || {
        // The caller may have given up.
        let _ = sender.send(lookup(&owned, port));
    })?;
    receiver.recv_timeout(timeout).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => {
            Err(io::Error::other(format!("looking up {name:?} gave no answer within {} s", timeout.as_secs())))
        }
        RecvTimeoutError::Disconnected => Err(io::Error::other(format!("looking up {name:?} failed"))),
    })
}

fn connect_tcp(addresses: &[SocketAddr], timeout: Duration) -> io::Result<TcpStream> {
    let mut last = Err(io::Error::other("the name has no address"));
    for address in addresses {
        last = TcpStream::connect_timeout(address, timeout);
        if last.is_ok() {
            break;
        }
    }
    let stream = last?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_INTERVAL).with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT))?;
    Ok(stream)
}

fn connect_unix(path: &Path, timeout: Duration) -> io::Result<UnixStream> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Also limits `connect` while the server's queue of new connections is full.
    socket.set_write_timeout(Some(timeout))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(100);
    /// More than the timeout, less than what it protects against.
    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn a_lookup_that_hangs_ends_with_the_timeout() {
        let (release, hang) = mpsc::channel::<()>();
        let begin = Instant::now();
        let error = look_up("db.example.org", 1, TIMEOUT, move |_, _| {
            let _ = hang.recv();
            Ok(Vec::new())
        });
        let error = error.expect_err("it never answers").to_string();
        assert!(error.contains("db.example.org") && begin.elapsed() < SOON, "{error}");
        drop(release);
    }

    #[test]
    fn a_lookup_that_answers_is_used() {
        let address: SocketAddr = "10.0.0.1:7".parse().expect("an address");
        let found = look_up("db", 7, SOON, move |_, port| Ok(vec![SocketAddr::new(address.ip(), port)]));
        assert_eq!(found.expect("an answer"), [address]);
        assert!(look_up("db", 7, SOON, |_, _| Err(io::Error::other("no such name"))).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_unix_socket_that_accepts_nothing_ends_with_the_timeout() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("socket");
        let listener = socket2::Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        listener.bind(&SockAddr::unix(&path).expect("a short path")).expect("the folder is ours");
        listener.listen(0).expect("a listener");
        let begin = Instant::now();
        let mut queue = Vec::new();
        let error = loop {
            match connect_unix(&path, TIMEOUT) {
                Ok(waiting) => queue.push(waiting),
                Err(error) => break error,
            }
            assert!(queue.len() < 100, "the queue is never full");
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(begin.elapsed() < SOON);
    }
}
