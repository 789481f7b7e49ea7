//! The memory of answers that their clients have not taken yet.
//!
//! A large answer counts until its last byte is taken: a hundred clients that ask for much and read slowly get `busy`, and
//! the process that they ask, which may be one that commits, keeps its memory.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::body;
use super::error::ApiError;

/// What bytes are counted in.
const UNIT: usize = 1 << 10;
/// Bytes of an answer that does not count: a thousand of them are half as much as one may be.
const FREE: usize = 32 << 10;

/// The memory of answers; clones share it.
#[derive(Clone)]
pub(super) struct Memory {
    room: Arc<Semaphore>,
    largest: usize,
}

/// A part of the memory, until it is dropped.
pub(super) type Room = OwnedSemaphorePermit;

/// Bytes that count until their last clone is gone.
#[derive(Clone)]
pub(super) struct Held(Bytes);

impl Held {
    pub(super) fn bytes(&self) -> &Bytes {
        &self.0
    }
}

/// Says of an answer that its bytes are counted already.
#[derive(Clone, Copy)]
struct Counted;

impl Memory {
    /// Room for so many bytes, of which one answer takes at most `largest`, however large it is.
    pub(super) fn of(bytes: usize, largest: usize) -> Memory {
        Memory { room: Arc::new(Semaphore::new(bytes / UNIT)), largest }
    }

    /// Whether there is room for so many bytes now.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.room.available_permits() >= self.units(bytes)
    }

    fn units(&self, bytes: usize) -> usize {
        if bytes <= FREE { 0 } else { bytes.min(self.largest) / UNIT }
    }

    /// Takes about so many bytes; few are always to be had.
    pub(super) fn take(&self, bytes: usize) -> Result<Room, ApiError> {
        let units = u32::try_from(self.units(bytes)).unwrap_or(u32::MAX);
        let taken = Arc::clone(&self.room).try_acquire_many_owned(units);
        taken.map_err(|_| ApiError::busy("others have not read their large answers yet; ask again"))
    }

    /// Holds bytes as long as somebody has them.
    pub(super) fn hold(&self, mut bytes: Vec<u8>) -> Result<Held, ApiError> {
        let room = Arc::new(self.take(bytes.len())?);
        // What a text has grown by at last may be as much as it is.
        bytes.shrink_to_fit();
        Ok(Held(Bytes::from_owner(Piece { bytes: bytes.into(), _room: room })))
    }

    /// An answer of bytes that are held: they count once, however many clients are given them.
    pub(super) fn answer(content_type: &'static str, held: Held) -> Response {
        let mut answer = body::answer(content_type, held.0);
        answer.extensions_mut().insert(Counted);
        answer
    }

    /// The same answer, counted; or that there is no room for it.
    pub(super) fn counted(&self, answer: Response) -> Response {
        if answer.extensions().get::<Counted>().is_some() {
            return answer;
        }
        let size = answer.body().size_hint().exact();
        let Some(size) = size.and_then(|size| usize::try_from(size).ok()) else { return answer };
        match self.take(size) {
            Ok(room) => answer.map(|body| holding(body, room)),
            Err(busy) => busy.into_response(),
        }
    }
}

/// The same body, which holds memory as long as it or one of its pieces lives: a connection takes a piece at once, and
/// sends it as fast as the client reads.
pub(super) fn holding(body: Body, room: Room) -> Body {
    Body::new(Holding { body, room: Arc::new(room) })
}

struct Holding {
    body: Body,
    room: Arc<Room>,
}

struct Piece {
    bytes: Bytes,
    _room: Arc<Room>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for Holding {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let held = |bytes| Bytes::from_owner(Piece { bytes, _room: Arc::clone(&self.room) });
        frame.map(|frame| frame.map(|frame| frame.map(|frame| frame.map_data(held))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use axum::http::StatusCode;
    use futures_core::Stream;

    use super::*;

    const MOST: usize = 8 << 20;

    #[test]
    fn bytes_that_many_are_given_count_once() {
        let memory = Memory::of(MOST, MOST);
        let held = memory.hold(vec![b'x'; MOST / 2]).expect("room");
        let given: Vec<Response> =
            (0..100).map(|_| memory.counted(Memory::answer("text/plain", held.clone()))).collect();
        assert!(given.iter().all(|answer| answer.status() == StatusCode::OK));
        assert!(memory.has_room(MOST / 2) && !memory.has_room(MOST / 2 + UNIT));
        drop(held);
        assert!(memory.hold(vec![b'x'; MOST]).is_err());
        drop(given);
        assert!(memory.hold(vec![b'x'; 2 * MOST]).is_ok());
    }

    fn answer(bytes: usize) -> Response {
        Response::new(Body::from(vec![b'x'; bytes]))
    }

    #[test]
    fn large_answers_count_until_they_are_gone() {
        let memory = Memory::of(MOST, MOST);
        let half = memory.counted(answer(MOST / 2 + 1));
        assert_eq!((half.status(), half.body().size_hint().exact()), (StatusCode::OK, Some((MOST / 2 + 1) as u64)));
        let status = |bytes| memory.counted(answer(bytes)).status();
        assert_eq!(status(MOST / 2 + UNIT), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!((status(MOST / 2 - UNIT), status(1_000)), (StatusCode::OK, StatusCode::OK));
        assert_eq!(status(2 * MOST), StatusCode::SERVICE_UNAVAILABLE);
        // What a connection has taken out of it counts until it is sent.
        let mut pieces = half.into_body().into_data_stream();
        let next = Pin::new(&mut pieces).poll_next(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Some(Ok(piece))) = next else { panic!("a piece is there") };
        drop(pieces);
        assert_eq!((piece.len(), status(2 * MOST)), (MOST / 2 + 1, StatusCode::SERVICE_UNAVAILABLE));
        drop(piece);
        assert_eq!(status(2 * MOST), StatusCode::OK);
    }
}
