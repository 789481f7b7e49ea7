//! What two processes exchange before they work together.
//!
//! | step | from | what |
//! |---|---|---|
//! | 1 | the one that dialled | [`Greeting`]: the version, and a random number |
//! | 2 | the one that accepted | its own greeting |
//! | 3 | the one that dialled | its [`Introduction`] (its index, the run that it belongs to, its settings), and a proof that it has the secret |
//! | 4 | the one that accepted | a [`Reply`]: its own introduction and proof, or the reason why it refuses |
//!
//! Each step is the body of a frame, as JSON. A proof is an HMAC-SHA-256 of the role, both greetings and the introduction, so it can be
//! neither repeated nor reflected. The secret is never sent. Who listens to a connection without TLS can try secrets against a
//! proof: only a random secret resists that.

use std::io::{self, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::frames::{self, FrameKind, invalid};
use super::security::LinkSecurity;
use super::transport::{ReceivingHalf, SendingHalf};

/// Grows when frames or the handshake change.
const PROTOCOL: u32 = 2;
/// The most bytes of a step.
const MAX_STEP: usize = 64 << 10;

/// The first step of each side.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Greeting {
    walbook_cluster: u32,
    version: String,
    /// A random number, so that no proof fits twice.
    nonce: String,
    has_secret: bool,
}

/// What a process says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Introduction {
    /// Its index.
    pub(super) process: usize,
    /// The start of the cluster that it belongs to: drawn by process 0, unknown to a process that has not met it.
    pub(super) run: Option<String>,
    /// Settings that must be equal, by name.
    pub(super) settings: Vec<(String, String)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Proven {
    /// An [`Introduction`] as JSON: its bytes are what is proven.
    introduction: String,
    proof: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    Welcome(Proven),
    Refused {
        reason: String,
        retry: Retry,
        /// Only a process that has the secret decides that.
        proof: Vec<u8>,
    },
}

/// Whether a process that was refused should try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Retry {
    /// It would be refused again.
    Never,
    /// It may have been started by mistake, or be the successor of one whose end is not noticed yet.
    Doubtful,
    /// It came too early.
    Soon,
}

/// Why a process is refused that has proven to be one of the cluster.
#[derive(Debug)]
pub(super) enum Refusal {
    /// One of the two has read the book's settings before there was a book; both must start again.
    ReadTooEarly(String),
    /// Its settings differ.
    Differs(String),
    /// Its index is none that connects here.
    WrongIndex(String),
    /// Its index is that of another process, which may be gone.
    IndexTaken(String),
    /// It belongs to an earlier start of the cluster.
    OtherRun,
}

/// Why a handshake failed.
#[derive(Debug)]
pub(super) enum HandshakeError {
    /// The other process has refused this one for good.
    Refused(String),
    /// The other side does not fit; but it may be another process than the one that is expected, or be replaced soon.
    Differs(String),
    /// Anything else; the other side may be no process of a cluster.
    Failed(String),
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> HandshakeError {
        HandshakeError::Failed(match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                "nothing was received within the deadline".to_owned()
            }
            io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
            io::ErrorKind::InvalidData => format!("what was received is not of walbook: {error}"),
            _ => error.to_string(),
        })
    }
}

/// Both directions of a connection.
pub(super) struct Channel {
    pub(super) receiving: ReceivingHalf,
    pub(super) sending: SendingHalf,
}

impl Channel {
    /// Sends a step; returns its bytes.
    fn send(&mut self, step: &impl Serialize) -> io::Result<Vec<u8>> {
        let body = serde_json::to_vec(step)?;
        let mut frame = Vec::with_capacity(body.len() + frames::HEAD);
        frames::write(&mut frame, FrameKind::Handshake, &body)?;
        self.sending.write_all(&frame)?;
        Ok(body)
    }

    /// Receives a step, and its bytes.
    fn receive<T: DeserializeOwned>(&mut self) -> io::Result<(T, Vec<u8>)> {
        let mut body = Vec::new();
        match frames::read(&mut self.receiving, &mut body, MAX_STEP)? {
            FrameKind::Handshake => {}
            kind => return Err(invalid(format!("a frame {kind:?} in a handshake"))),
        }
        let step = serde_json::from_slice(&body).map_err(|error| invalid(error.to_string()))?;
        Ok((step, body))
    }
}

/// Both greetings, and what protects the connection.
struct Transcript<'a> {
    security: &'a LinkSecurity,
    of_dialling: Vec<u8>,
    of_accepting: Vec<u8>,
}

impl Transcript<'_> {
    fn prove(&self, role: &[u8], introduction: &Introduction) -> io::Result<Proven> {
        let introduction = serde_json::to_string(introduction)?;
        let proof = self.security.proof(&self.text(role, &introduction));
        Ok(Proven { introduction, proof })
    }

    /// The introduction, if its proof is right.
    fn introduction(&self, role: &[u8], proven: &Proven) -> io::Result<Option<Introduction>> {
        if !self.security.is_proof(&self.text(role, &proven.introduction), &proven.proof) {
            return Ok(None);
        }
        serde_json::from_str(&proven.introduction).map(Some).map_err(|error| invalid(error.to_string()))
    }

    fn refuse(&self, reason: String, retry: Retry) -> Reply {
        let proof = self.security.proof(&self.text(REFUSING, &reason));
        Reply::Refused { reason, retry, proof }
    }

    fn text<'a>(&'a self, role: &'a [u8], what: &'a str) -> [&'a [u8]; 4] {
        [role, &self.of_dialling, &self.of_accepting, what.as_bytes()]
    }
}

const DIALLING: &[u8] = b"dialling";
const ACCEPTING: &[u8] = b"accepting";
const REFUSING: &[u8] = b"refusing";
const OTHER_SECRET: &str = "the secrets (--cluster-token-file) of the two processes differ";

fn greeting(security: &LinkSecurity) -> Greeting {
    Greeting {
        walbook_cluster: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        nonce: uuid::Uuid::new_v4().to_string(),
        has_secret: security.has_secret(),
    }
}

/// Whether a greeting is one that this process can answer.
fn check(theirs: &Greeting, own: &Greeting) -> Result<(), HandshakeError> {
    let differs = |what: String| Err(HandshakeError::Differs(what));
    if theirs.walbook_cluster != own.walbook_cluster || theirs.version != own.version {
        return differs(format!(
            "this process is walbook {} (protocol {}), the other one {} ({})",
            own.version, own.walbook_cluster, theirs.version, theirs.walbook_cluster
        ));
    }
    match (own.has_secret, theirs.has_secret) {
        (true, false) => differs("this process has a --cluster-token-file, the other one has none".to_owned()),
        (false, true) => differs("the other process has a --cluster-token-file, this one has none".to_owned()),
        _ => Ok(()),
    }
}

/// The side that dialled; returns the introduction of the other.
pub(super) fn dial(
    channel: &mut Channel,
    security: &LinkSecurity,
    own: &Introduction,
) -> Result<Introduction, HandshakeError> {
    let greeting = greeting(security);
    let of_dialling = channel.send(&greeting)?;
    let (theirs, of_accepting) = channel.receive::<Greeting>()?;
    check(&theirs, &greeting)?;
    let transcript = Transcript { security, of_dialling, of_accepting };
    channel.send(&transcript.prove(DIALLING, own)?)?;
    match channel.receive::<Reply>()?.0 {
        Reply::Welcome(proven) => {
            let theirs = transcript.introduction(ACCEPTING, &proven)?;
            theirs.ok_or_else(|| HandshakeError::Differs(OTHER_SECRET.to_owned()))
        }
        Reply::Refused { reason, retry: Retry::Never, proof } => {
            let is_proven = security.is_proof(&transcript.text(REFUSING, &reason), &proof);
            Err(if is_proven { HandshakeError::Refused(reason) } else { HandshakeError::Differs(reason) })
        }
        Reply::Refused { reason, retry: Retry::Doubtful, .. } => Err(HandshakeError::Differs(reason)),
        Reply::Refused { reason, retry: Retry::Soon, .. } => Err(HandshakeError::Failed(reason)),
    }
}

/// The side that was dialled. `admit` gives its own introduction, or the reason to refuse the other.
pub(super) fn accept<T>(
    channel: &mut Channel,
    security: &LinkSecurity,
    admit: impl FnOnce(&Introduction) -> Result<(Introduction, T), Refusal>,
) -> Result<(Introduction, T), HandshakeError> {
    let greeting = greeting(security);
    let (theirs, of_dialling) = channel.receive::<Greeting>()?;
    let of_accepting = channel.send(&greeting)?;
    check(&theirs, &greeting)?;
    let transcript = Transcript { security, of_dialling, of_accepting };
    let (proven, _) = channel.receive::<Proven>()?;
    let Some(introduction) = transcript.introduction(DIALLING, &proven)? else {
        let _ = channel.send(&transcript.refuse(OTHER_SECRET.to_owned(), Retry::Never));
        return Err(HandshakeError::Differs(OTHER_SECRET.to_owned()));
    };
    match admit(&introduction) {
        Ok((own, admitted)) => {
            channel.send(&Reply::Welcome(transcript.prove(ACCEPTING, &own)?))?;
            Ok((introduction, admitted))
        }
        Err(refusal) => {
            let (reason, retry) = match refusal {
                Refusal::Differs(reason) | Refusal::WrongIndex(reason) => (reason, Retry::Never),
                Refusal::IndexTaken(reason) => (reason, Retry::Doubtful),
                Refusal::ReadTooEarly(reason) => (reason, Retry::Soon),
                Refusal::OtherRun => ("it belongs to an earlier start of the cluster".to_owned(), Retry::Soon),
            };
            // The other process may be gone already.
            let _ = channel.send(&transcript.refuse(reason.clone(), retry));
            Err(match retry {
                Retry::Never | Retry::Doubtful => HandshakeError::Differs(reason),
                Retry::Soon => HandshakeError::Failed(reason),
            })
        }
    }
}

/// The first setting that differs, with the values of both; `None` if there is none.
pub(super) fn difference(one: &Introduction, other: &Introduction) -> Option<String> {
    let value = |of: &Introduction, name: &str| {
        let found = of.settings.iter().find(|(known, _)| known == name);
        found.map_or_else(|| "not given".to_owned(), |(_, value)| value.clone())
    };
    let names = one.settings.iter().chain(&other.settings).map(|(name, _)| name);
    names.into_iter().find_map(|name| {
        let (first, second) = (value(one, name), value(other, name));
        (first != second)
            .then(|| format!("{name} is {first} in process {} and {second} in process {}", one.process, other.process))
    })
}
