//! A session for questions in SQL: `tokio-postgres` on a socket that our own settings opened, driven by a small runtime of
//! its own so that callers block.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};
use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation};
use tokio_postgres::tls::{self, TlsConnect, TlsStream};
use tokio_postgres::{Config, SimpleQueryMessage, SimpleQueryRow};

use super::PostgresError;
use super::connect::{
    Encryption, TARGET_SESSION_QUERY, check_target_session, connect_error, connect_to_any, open, tls_error,
};
use super::login::{LOGIN_TIMEOUT, not_bound, password_missing, unsupported_method, with_password_source};
use super::settings::{ConnectSettings, Host, Password, TargetSession};
use super::socket::{PlainSocket, Socket};
use super::tls::tls_settings::{ChannelBindingMode, TlsFailure, server_end_point};

/// How long an answer may take by default.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

type TokioResult<T> = Result<T, tokio_postgres::Error>;
/// Moves bytes between the socket and the client until the session ends.
type Driver = Pin<Box<dyn Future<Output = TokioResult<()>> + Send>>;

/// A session for questions in SQL. It must not be used inside of another runtime.
pub struct SqlClient {
    runtime: Runtime,
    client: Option<tokio_postgres::Client>,
    /// `None` once the session has ended.
    driver: Option<Driver>,
    server: String,
}

/// A row of an answer: texts by column.
#[derive(Debug)]
pub struct SqlRow(SimpleQueryRow);

impl SqlRow {
    /// The text of a column; `None` for NULL, and for a column that this server does not have.
    pub fn get(&self, column: &str) -> Option<&str> {
        self.0.try_get(column).ok().flatten()
    }
}

impl fmt::Debug for SqlClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlClient({})", self.server)
    }
}

impl SqlClient {
    /// Connects and logs in; `parameters` are settings of the session by name.
    ///
    /// # Errors
    /// [`PostgresError`]: not reached, not allowed, or a parameter that the server does not know.
    pub fn connect(settings: &ConnectSettings, parameters: &[(&str, &str)]) -> Result<SqlClient, PostgresError> {
        connect_to_any(settings, |host, encryption| SqlClient::attempt(settings, host, encryption, parameters))
    }

    fn attempt(
        settings: &ConnectSettings,
        host: &Host,
        encryption: Encryption,
        parameters: &[(&str, &str)],
    ) -> Result<SqlClient, PostgresError> {
        let (socket, tls_name) = open(settings, host, encryption)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| connect_error(host, &error))?;
        let password = settings.password(host);
        let config = config(settings, password.as_ref(), parameters);
        let (client, driver) = runtime.block_on(async {
            let session = BoundSocket::encrypt(settings, host, socket, tls_name).await?;
            let login = timeout(LOGIN_TIMEOUT, log_in(&config, session)).await;
            let late = || io::Error::other(format!("no answer within {} s", LOGIN_TIMEOUT.as_secs()));
            let login = login.map_err(|_| PostgresError::broken(&host.to_string(), &late()))?;
            login.map_err(|error| login_error(&host.to_string(), settings.user(), password.as_ref(), &error))
        })?;
        let mut client = SqlClient { runtime, client: Some(client), driver: Some(driver), server: host.to_string() };
        if settings.target_session() != TargetSession::Any {
            let rows = client.query(TARGET_SESSION_QUERY)?;
            let text = |column| rows.first().and_then(|row| row.get(column));
            check_target_session(settings.target_session(), host, text("standby"), text("read_only"))?;
        }
        Ok(client)
    }

    /// Runs SQL and returns its rows.
    ///
    /// # Errors
    /// The server's error; the session is usable after it. Or that the connection broke.
    pub fn query(&mut self, sql: &str) -> Result<Vec<SqlRow>, PostgresError> {
        self.query_within(sql, ANSWER_TIMEOUT)
    }

    /// [`SqlClient::query`] for SQL that may take longer than usual, or must not.
    ///
    /// # Errors
    /// Those of [`SqlClient::query`].
    pub fn query_within(&mut self, sql: &str, timeout: Duration) -> Result<Vec<SqlRow>, PostgresError> {
        let broken = |message: String| PostgresError::broken(&self.server, &io::Error::other(message));
        let (Some(client), Some(mut driver)) = (&self.client, self.driver.take()) else {
            return Err(broken("an earlier query ended it".to_owned()));
        };
        let answer = self.runtime.block_on(async {
            let mut query = pin!(client.simple_query(sql));
            let ended = tokio::select! {
                biased;
                answer = &mut query => {
                    self.driver = Some(driver);
                    return Some(answer);
                }
                ended = &mut driver => ended,
                () = sleep(timeout) => return None,
            };
            // The server's last words may have arrived together with the end of the connection.
            drop(driver);
            Some(match (query.await, ended) {
                (Err(error), Err(cause)) if error.is_closed() => Err(cause),
                (answer, _) => answer,
            })
        });
        let Some(answer) = answer else { return Err(broken(format!("no answer within {} s", timeout.as_secs()))) };
        let messages = answer.map_err(|error| PostgresError::from_tokio(&self.server, &error))?;
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => Some(SqlRow(row)),
            _ => None,
        };
        Ok(messages.into_iter().filter_map(row).collect())
    }
}

impl Drop for SqlClient {
    fn drop(&mut self) {
        // Without its client the driver sends a Terminate message and ends.
        self.client = None;
        if let Some(driver) = self.driver.take() {
            // The server may be gone already.
            let _ = self.runtime.block_on(async { timeout(Socket::TERMINATE_TIMEOUT, driver).await });
        }
    }
}

fn config(settings: &ConnectSettings, password: Option<&Password>, parameters: &[(&str, &str)]) -> Config {
    let mut options = settings.options().unwrap_or_default().to_owned();
    for (name, value) in parameters {
        options.push_str(&format!(" -c {name}={}", value.replace('\\', "\\\\").replace(' ', "\\ ")));
    }
    let mut config = Config::new();
    config.user(settings.user()).dbname(settings.database()).application_name(settings.application_name());
    if !options.is_empty() {
        config.options(options);
    }
    if let Some(password) = password {
        config.password(&password.text);
    }
    // `connect` has decided about TLS already: the library must not ask the server again.
    config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    config.channel_binding(match settings.tls().channel_binding {
        ChannelBindingMode::Disable => ChannelBinding::Disable,
        ChannelBindingMode::Prefer => ChannelBinding::Prefer,
        ChannelBindingMode::Require => ChannelBinding::Require,
    });
    config
}

async fn log_in(config: &Config, session: BoundSocket) -> TokioResult<(tokio_postgres::Client, Driver)> {
    let (client, mut connection) = config.connect_raw(session, Established).await?;
    let driver = async move {
        // Notices and notifications are not used.
        while poll_fn(|context| connection.poll_message(context)).await.transpose()?.is_some() {}
        Ok(())
    };
    Ok((client, Box::pin(driver)))
}

/// An error of the login. The library has no kinds for these, so they are recognised by the text of their cause.
fn login_error(server: &str, user: &str, password: Option<&Password>, error: &tokio_postgres::Error) -> PostgresError {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    match cause.as_str() {
        "password missing" => password_missing(server, user),
        "unsupported SASL mechanism" | "unsupported authentication method" => unsupported_method(server),
        "server did not use channel binding" => not_bound(server),
        _ => with_password_source(PostgresError::from_tokio(server, error).of_login(), password),
    }
}

/// A socket of a runtime.
trait AsyncSocket: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> AsyncSocket for T {}

/// A socket with TLS around it or not, and the server's end of it for channel binding.
struct BoundSocket {
    socket: Box<dyn AsyncSocket>,
    server_end_point: Option<Vec<u8>>,
}

impl BoundSocket {
    /// Performs the TLS handshake with the server of this name, or none.
    async fn encrypt(
        settings: &ConnectSettings,
        host: &Host,
        socket: PlainSocket,
        tls_name: Option<&str>,
    ) -> Result<BoundSocket, PostgresError> {
        let socket = asynchronous(socket).map_err(|error| connect_error(host, &error))?;
        let Some(name) = tls_name else { return Ok(BoundSocket { socket, server_end_point: None }) };
        let handshake = timeout(settings.connect_timeout(), settings.tls().handshake_async(socket, name)).await;
        let handshake = handshake.unwrap_or_else(|_| Err(TlsFailure::Broken(io::ErrorKind::TimedOut.into())));
        let tls = handshake.map_err(|failure| tls_error(host, failure))?;
        let server_end_point = server_end_point(tls.get_ref().1);
        Ok(BoundSocket { socket: Box::new(tls), server_end_point })
    }
}

fn asynchronous(socket: PlainSocket) -> io::Result<Box<dyn AsyncSocket>> {
    Ok(match socket {
        PlainSocket::Tcp(stream) => {
            stream.set_nonblocking(true)?;
            Box::new(TcpStream::from_std(stream)?)
        }
        PlainSocket::Unix(stream) => {
            stream.set_nonblocking(true)?;
            Box::new(UnixStream::from_std(stream)?)
        }
    })
}

impl AsyncRead for BoundSocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for BoundSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.socket).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.socket).poll_shutdown(cx)
    }
}

impl TlsStream for BoundSocket {
    fn channel_binding(&self) -> tls::ChannelBinding {
        self.server_end_point.clone().map_or_else(tls::ChannelBinding::none, tls::ChannelBinding::tls_server_end_point)
    }
}

/// Hands a socket to the library as it is: TLS is established already.
struct Established;

impl TlsConnect<BoundSocket> for Established {
    type Stream = BoundSocket;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<BoundSocket>>;

    fn connect(self, stream: BoundSocket) -> Self::Future {
        std::future::ready(Ok(stream))
    }
}
