//! Bodies of responses, also those that are written while the client reads.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_core::Stream;
use hyper::body::{Frame, SizeHint};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc::Receiver;

/// The pieces of an iterator, each computed when the one before has been sent; empty ones are skipped.
struct Pieces<I>(I);

impl<I: Iterator<Item = Vec<u8>> + Unpin> Stream for Pieces<I> {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.next() {
            Some(piece) if piece.is_empty() => {
                // Other tasks first: computing an empty piece may have taken long.
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

/// A body of pieces; that of a single piece has a known length.
pub(in crate::server) fn pieces<I: Iterator<Item = Vec<u8>> + Send + Unpin + 'static>(mut pieces: I) -> Body {
    let (first, second) = (pieces.next(), pieces.next());
    match (first, second) {
        (None, _) => Body::empty(),
        (Some(first), None) => Body::from(first),
        (first, second) => Body::from_stream(Pieces(first.into_iter().chain(second).chain(pieces))),
    }
}

/// Pieces of a body whose length is known; each is freed when it has been sent.
struct Chunks {
    chunks: VecDeque<Bytes>,
    bytes: u64,
}

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = self.chunks.pop_front();
        self.bytes -= chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes)
    }
}

/// A body of pieces that are there already.
pub(in crate::server) fn chunks(pieces: Vec<Vec<u8>>) -> Body {
    let chunks: VecDeque<Bytes> = pieces.into_iter().filter(|piece| !piece.is_empty()).map(Bytes::from).collect();
    let bytes = chunks.iter().map(|chunk| chunk.len() as u64).sum();
    Body::new(Chunks { chunks, bytes })
}

/// A body of the pieces that arrive in a channel.
pub(in crate::server) fn received(pieces: Receiver<Bytes>) -> Body {
    Body::from_stream(Received(pieces))
}

/// An answer with a content type.
pub(in crate::server) fn answer(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A value as JSON; its fields are in alphabetical order.
pub(in crate::server) fn to_json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("an answer has only texts as keys of maps")
}

/// An answer in JSON.
pub(in crate::server) fn json(value: &impl Serialize) -> Response {
    answer("application/json", json_text(value))
}

/// The text of an answer in JSON.
pub(in crate::server) fn json_text(value: &impl Serialize) -> String {
    format!("{}\n", to_json(value))
}

/// An answer in JSON: an object with `rows`, which are converted one by one, and the fields of `rest`.
pub(in crate::server) fn json_rows<R: Serialize>(rows: impl Iterator<Item = R>, rest: &impl Serialize) -> Response {
    let mut text = b"{\"rows\":[".to_vec();
    for (number, row) in rows.enumerate() {
        if number > 0 {
            text.push(b',');
        }
        serde_json::to_writer(&mut text, &to_json(&row)).expect("a JSON value can be written to memory");
    }
    let rest = to_json(rest).to_string();
    text.extend_from_slice(b"],");
    text.extend_from_slice(rest.strip_prefix('{').unwrap_or(&rest).as_bytes());
    text.push(b'\n');
    answer("application/json", text)
}
