//! A minimal HTTP client; the tests against real servers use it too.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use flate2::write::GzDecoder;
use serde_json::Value;

/// How long the server may send nothing.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// An answer.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Requests a path, which must be answered with 200.
#[track_caller]
pub(crate) fn get(address: SocketAddr, path: &str) -> Response {
    let response = ask(address, "GET", path, &[]);
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    response
}

/// Sends a request with headers, and reads the answer.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut reader = BufReader::new(send(address, method, path, headers));
    let (status, head) = read_head(&mut reader);
    let mut body = Vec::new();
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    if is_chunked {
        while let Some(chunk) = read_chunk(&mut reader) {
            body.extend(chunk);
        }
    } else {
        reader.read_to_end(&mut body).expect("a body");
    }
    Response { status, head, body }
}

/// Sends a request, and reads nothing of the answer.
pub(crate) fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(READ_TIMEOUT)).expect("a time-out");
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request.push_str(&format!("Host: {address}\r\n"));
    }
    if !path.starts_with("/api/live") {
        request.push_str("Connection: close\r\n");
    }
    headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).expect("the server reads the request");
    stream
}

fn read_head(reader: &mut impl BufRead) -> (u16, String) {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        if line.trim_end().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{head:?}"));
    (status, head)
}

fn read_chunk(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut size = String::new();
    reader.read_line(&mut size).expect("the size of a chunk");
    let size = usize::from_str_radix(size.trim(), 16).expect("a size");
    let mut chunk = vec![0; size + 2];
    reader.read_exact(&mut chunk).expect("a chunk");
    chunk.truncate(size);
    (size > 0).then_some(chunk)
}

/// An open stream of events.
pub(crate) struct Watching {
    reader: BufReader<TcpStream>,
    text: String,
    /// Set when it comes in gzip.
    unpack: Option<GzDecoder<Vec<u8>>>,
}

/// One event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// Opens a stream of events.
#[track_caller]
pub(crate) fn watch(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Watching {
    let mut reader = BufReader::new(send(address, "GET", path, headers));
    let (status, head) = read_head(&mut reader);
    assert_eq!(status, 200, "{head}");
    assert!(head.contains("text/event-stream"), "{head}");
    let is_packed = head.to_ascii_lowercase().contains("content-encoding: gzip");
    Watching { reader, text: String::new(), unpack: is_packed.then(|| GzDecoder::new(Vec::new())) }
}

impl Watching {
    /// The next event; waits for it.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Event {
        self.next_or_end().expect("the stream has not ended")
    }

    /// The next event; `None` when the stream has ended.
    #[track_caller]
    pub(crate) fn next_or_end(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                if let (Some(kind), Some(id), Some(data)) = (field("event: "), field("id: "), field("data: ")) {
                    let data = serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}"));
                    return Some(Event { kind, id, data });
                }
            }
            let mut chunk = read_chunk(&mut self.reader)?;
            if let Some(unpack) = &mut self.unpack {
                unpack.write_all(&chunk).and_then(|()| unpack.flush()).expect("gzip");
                chunk = std::mem::take(unpack.get_mut());
            }
            self.text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
    }
}
