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

use super::error::ApiError;

/// Bytes of all answers together.
const MOST: usize = 128 << 20;
/// What they are counted in.
const UNIT: usize = 1 << 10;
/// Bytes of an answer that does not count: a thousand of them are half as much as one may be.
const FREE: u64 = 32 << 10;

/// The memory of answers; clones share it.
#[derive(Clone)]
pub(super) struct Memory(Arc<Semaphore>);

/// A part of the memory, until it is dropped.
pub(super) type Held = OwnedSemaphorePermit;

impl Default for Memory {
    fn default() -> Memory {
        Memory(Arc::new(Semaphore::new(MOST / UNIT)))
    }
}

impl Memory {
    /// Takes about so many bytes. One answer may be larger than all are: then it is the only one.
    pub(super) fn take(&self, bytes: usize) -> Result<Held, ApiError> {
        let units = u32::try_from(bytes.min(MOST) / UNIT).unwrap_or(u32::MAX);
        let taken = Arc::clone(&self.0).try_acquire_many_owned(units);
        taken.map_err(|_| ApiError::busy("others have not read their large answers yet; ask again"))
    }

    /// Bytes that count until their last clone is gone, if they are many.
    pub(super) fn hold(&self, bytes: Vec<u8>) -> Result<Bytes, ApiError> {
        if bytes.len() as u64 <= FREE {
            return Ok(bytes.into());
        }
        let held = Arc::new(self.take(bytes.len())?);
        Ok(Bytes::from_owner(Piece { bytes: bytes.into(), _held: held }))
    }

    /// The same answer, counted; or that there is no room for it.
    pub(super) fn counted(&self, answer: Response) -> Response {
        let size = answer.body().size_hint().exact().filter(|size| *size > FREE);
        let Some(size) = size.and_then(|size| usize::try_from(size).ok()) else { return answer };
        match self.take(size) {
            Ok(held) => answer.map(|body| holding(body, held)),
            Err(busy) => busy.into_response(),
        }
    }
}

/// The same body, which holds memory as long as it or one of its pieces lives: a connection takes a piece at once, and
/// sends it as fast as the client reads.
pub(super) fn holding(body: Body, held: Held) -> Body {
    Body::new(Holding { body, held: Arc::new(held) })
}

struct Holding {
    body: Body,
    held: Arc<Held>,
}

struct Piece {
    bytes: Bytes,
    _held: Arc<Held>,
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
        let held = |bytes| Bytes::from_owner(Piece { bytes, _held: Arc::clone(&self.held) });
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

    fn answer(bytes: usize) -> Response {
        Response::new(Body::from(vec![b'x'; bytes]))
    }

    #[test]
    fn large_answers_count_until_they_are_gone() {
        let memory = Memory::default();
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
