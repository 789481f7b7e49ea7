//! Bodies that are made while they are read.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_core::Stream;
use tokio::sync::mpsc::Receiver;

/// The pieces of an iterator, each made when the one before was taken; empty ones are passed over.
struct Pieces<I>(I);

impl<I: Iterator<Item = Vec<u8>> + Unpin> Stream for Pieces<I> {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.next() {
            Some(piece) if piece.is_empty() => {
                // Others first: it took its time to find nothing.
                context.waker().wake_by_ref();
                Poll::Pending
            }
            piece => Poll::Ready(piece.map(|piece| Ok(piece.into()))),
        }
    }
}

/// The pieces that another task sends.
struct Received(Receiver<Bytes>);

impl Stream for Received {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|piece| piece.map(Ok))
    }
}

/// A body of pieces; one that is a single piece tells its length.
pub(super) fn pieces<I: Iterator<Item = Vec<u8>> + Send + Unpin + 'static>(mut pieces: I) -> Body {
    let (first, second) = (pieces.next(), pieces.next());
    match (first, second) {
        (None, _) => Body::empty(),
        (Some(first), None) => Body::from(first),
        (first, second) => Body::from_stream(Pieces(first.into_iter().chain(second).chain(pieces))),
    }
}

/// A body of what is sent.
pub(super) fn received(pieces: Receiver<Bytes>) -> Body {
    Body::from_stream(Received(pieces))
}

/// An answer of some type.
pub(super) fn answer(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer in JSON.
pub(super) fn json(value: &serde_json::Value) -> Response {
    answer("application/json", format!("{value}\n"))
}

/// An answer in JSON: an object with `rows`, which are written one by one, and what else it has.
pub(super) fn json_rows(rows: impl Iterator<Item = serde_json::Value>, rest: &serde_json::Value) -> Response {
    let mut text = b"{\"rows\":[".to_vec();
    for (number, row) in rows.enumerate() {
        if number > 0 {
            text.push(b',');
        }
        serde_json::to_writer(&mut text, &row).expect("a value is JSON, and memory takes all bytes");
    }
    let rest = rest.to_string();
    text.extend_from_slice(b"],");
    text.extend_from_slice(rest.strip_prefix('{').unwrap_or(&rest).as_bytes());
    text.push(b'\n');
    answer("application/json", text)
}

/// Lets a browser save an answer under a name.
pub(super) fn as_download(response: &mut Response, name: &str) {
    // Names of books are paths' ends, which may hold anything.
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' };
    let name: String = name.chars().map(plain).collect();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
}
