//! The first bytes of a stream, looked at before it is read: a stream comes once, so they are kept and read again.

use std::fmt;
use std::io::{self, Cursor, ErrorKind, Read};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{mem, thread};

use crate::source::file::look::{HEAD_BYTES, look};

/// Bytes that come once.
pub(in crate::source::file) type Stream = Box<dyn Read + Send>;

/// A stream that may be opened already, with its first bytes; clones share it.
#[derive(Clone, Default)]
pub(super) struct StreamHead(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    #[default]
    Closed,
    /// A thread reads the first bytes.
    Opening(Receiver<io::Result<Opened>>),
    Opened(io::Result<Opened>),
}

struct Opened {
    head: Vec<u8>,
    is_all: bool,
    rest: Stream,
}

impl StreamHead {
    /// The first bytes, and whether they are all, if they come within the timeout; an error comes once.
    pub(super) fn wait(
        &self,
        open: impl FnOnce() -> io::Result<Stream> + Send + 'static,
        timeout: Duration,
    ) -> Option<io::Result<(Vec<u8>, bool)>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.start(open);
        if let State::Opening(opening) = &*state {
            let opened = opening.recv_timeout(timeout).ok()?;
            *state = State::Opened(opened);
        }
        match &mut *state {
            State::Opened(Ok(opened)) => Some(Ok((opened.head.clone(), opened.is_all))),
            State::Opened(Err(error)) => Some(Err(mem::replace(error, was_opened()))),
            _ => None,
        }
    }

    /// The stream from its first byte.
    pub(super) fn take(&self, open: impl FnOnce() -> io::Result<Stream> + Send + 'static) -> io::Result<Stream> {
        let state = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.start(open);
            mem::take(&mut *state)
        };
        let opened = match state {
            State::Closed => return Err(was_opened()),
            State::Opening(opening) => opening.recv().map_err(io::Error::other)?,
            State::Opened(opened) => opened,
        };
        opened.map(|Opened { head, rest, .. }| Box::new(Cursor::new(head).chain(rest)) as Stream)
    }
}

impl State {
    /// Opens the stream on a thread of its own, which waits for another process.
    fn start(&mut self, open: impl FnOnce() -> io::Result<Stream> + Send + 'static) {
        if !matches!(self, State::Closed) {
            return;
        }
        let (deliver, opening) = channel();
        let read = move || {
            // Nobody waits for it any more.
            let _ = deliver.send(open().and_then(read_head));
        };
        thread::Builder::new().name("stream".to_owned()).spawn(read).expect("a thread can be started");
        *self = State::Opening(opening);
    }
}

/// Reads until the first bytes decide what the stream is.
fn read_head(mut stream: Stream) -> io::Result<Opened> {
    let mut head = Vec::new();
    let mut bytes = vec![0; HEAD_BYTES];
    loop {
        let is_all = match stream.read(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // What came before it is read first.
            Err(error) if !head.is_empty() => {
                return Ok(Opened { head, is_all: true, rest: Box::new(Failing(Some(error))) });
            }
            Err(error) => return Err(error),
            Ok(read) => {
                head.extend_from_slice(&bytes[..read]);
                read == 0
            }
        };
        if is_all || look(&head, false).is_some() {
            return Ok(Opened { head, is_all, rest: stream });
        }
    }
}

fn was_opened() -> io::Error {
    io::Error::other("it was opened before")
}

/// What is left of a stream that could not be read further.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _bytes: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

impl fmt::Debug for StreamHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamHead")
    }
}
