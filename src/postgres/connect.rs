//! From settings to a connection: plain or with TLS, as the mode and the server agree.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use socket2::{SockRef, TcpKeepalive};

use super::PostgresError;
use super::host::{Host, Route};
use super::settings::ConnectSettings;
use super::socket::{Bytes, Plain, Socket};
use super::tls::{SslMode, TlsFailure};
use super::wire::Wire;

/// After what silence the kernel asks whether the other side is there.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// How long what was sent may stay unheard: then nobody is there any more.
#[cfg(target_os = "linux")]
const UNHEARD: Duration = Duration::from_secs(60);

/// How a connection is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Plain,
    /// TLS, or plain if the server has none.
    TlsIfThere,
    Tls,
}

/// The ways to try, in this order.
pub(super) fn ways(settings: &ConnectSettings, host: &Host) -> &'static [Way] {
    match settings.tls().mode {
        // A socket of this machine is not listened to.
        _ if host.name().is_none() => &[Way::Plain],
        SslMode::Disable => &[Way::Plain],
        SslMode::Allow => &[Way::Plain, Way::Tls],
        SslMode::Prefer => &[Way::TlsIfThere, Way::Plain],
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[Way::Tls],
    }
}

/// Opens a connection on which nobody is logged in yet.
pub(super) fn open(settings: &ConnectSettings, host: &Host, way: &Way) -> Result<Wire, PostgresError> {
    let server = host.to_string();
    let failed = |error: io::Error| PostgresError::Connect { server: server.clone(), message: told(&error) };
    let refused = |message: String| PostgresError::Tls { server: server.clone(), message };
    let mut plain = reach(host, settings.connect_timeout()).map_err(failed)?;
    let keeper = plain.try_clone().map_err(failed)?;
    let bytes: Box<dyn Bytes> = match (way, host.name()) {
        (Way::Plain, _) | (_, None) => Box::new(plain),
        (Way::Tls | Way::TlsIfThere, Some(name)) => match ask_for_tls(&mut plain).map_err(failed)? {
            b'S' => match settings.tls().shake_hands(plain, name) {
                Ok(tls) => Box::new(tls),
                Err(TlsFailure::Refused(message)) => return Err(refused(message)),
                Err(TlsFailure::Broken(error)) => return Err(failed(error)),
            },
            b'N' if *way == Way::TlsIfThere => Box::new(plain),
            b'N' => {
                return Err(refused("the server has no TLS: set ssl = on there, or ask for sslmode=prefer".to_owned()));
            }
            _ => return Err(failed(io::Error::other("the server refused to begin, or is no PostgreSQL"))),
        },
    };
    Ok(Wire::new(Socket::new(bytes, keeper), server))
}

fn reach(host: &Host, patience: Duration) -> io::Result<Plain> {
    let plain = match host.route()? {
        Route::Unix(path) => Plain::Unix(UnixStream::connect(path)?),
        Route::Tcp(addresses) => {
            let mut last = Err(io::Error::other("the name has no address"));
            for address in addresses {
                last = TcpStream::connect_timeout(&address, patience);
                if last.is_ok() {
                    break;
                }
            }
            let stream = last?;
            stream.set_nodelay(true)?;
            let socket = SockRef::from(&stream);
            socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))?;
            #[cfg(target_os = "linux")]
            socket.set_tcp_user_timeout(Some(UNHEARD))?;
            Plain::Tcp(stream)
        }
    };
    plain.set_patience(Some(patience), Some(patience))?;
    Ok(plain)
}

/// The one byte with which the server answers a request for TLS. Not a byte more is read: whatever an attacker put behind
/// it must not be taken for the server's word.
fn ask_for_tls(plain: &mut Plain) -> io::Result<u8> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    plain.write_all(&request)?;
    let mut answer = [0];
    plain.read_exact(&mut answer)?;
    Ok(answer[0])
}

fn told(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        _ => error.to_string(),
    }
}
