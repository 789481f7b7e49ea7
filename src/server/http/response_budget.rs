//! A limit on the memory of responses that their clients have not read yet.
//!
//! A large response is charged to the budget until its last byte is sent: a hundred clients that request much and read
//! slowly get `busy`, and the memory of the process, which may be one that commits, stays bounded.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::body;
use crate::server::error::ApiError;

/// Bytes per permit of the semaphore.
const UNIT: usize = 1 << 10;
/// Responses up to this size are free: a thousand of them are half as much as one response may have.
const FREE_BYTES: usize = 32 << 10;

/// The bytes that responses may hold together; clones share one budget.
#[derive(Clone)]
pub(in crate::server) struct ResponseBudget {
    units: Arc<Semaphore>,
    size: usize,
    largest: usize,
    /// How many responses were charged.
    charged: Arc<AtomicU64>,
}

/// A part of the budget, until it is dropped.
pub(in crate::server) type BudgetPermit = OwnedSemaphorePermit;

/// Bytes that are charged to a budget until their last clone is dropped.
#[derive(Clone)]
pub(in crate::server) struct BudgetedBytes(Bytes);

impl BudgetedBytes {
    pub(in crate::server) fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// A response with these bytes: they are charged once, however many clients receive them.
    pub(in crate::server) fn into_response(self, content_type: &'static str) -> Response {
        let mut response = body::answer(content_type, self.0);
        response.extensions_mut().insert(AlreadyCharged);
        response
    }
}

/// Marks a response whose bytes are charged already.
#[derive(Clone, Copy)]
struct AlreadyCharged;

impl ResponseBudget {
    /// A budget of `bytes`, of which one response is charged at most `largest`, however large it is.
    pub(in crate::server) fn new(bytes: usize, largest: usize) -> ResponseBudget {
        let size = bytes / UNIT;
        ResponseBudget { units: Arc::new(Semaphore::new(size)), size, largest, charged: Arc::default() }
    }

    /// Whether responses hold a part of it.
    pub(in crate::server) fn is_in_use(&self) -> bool {
        self.units.available_permits() < self.size
    }

    /// How many responses were charged so far; small ones are not.
    pub(in crate::server) fn charged(&self) -> u64 {
        self.charged.load(Ordering::Relaxed)
    }

    /// Whether `bytes` could be acquired now.
    pub(in crate::server) fn has_room(&self, bytes: usize) -> bool {
        self.units.available_permits() >= self.units_of(bytes)
    }

    fn units_of(&self, bytes: usize) -> usize {
        if bytes <= FREE_BYTES { 0 } else { bytes.min(self.largest) / UNIT }
    }

    /// Acquires about `bytes`; small amounts are always granted.
    pub(in crate::server) fn acquire(&self, bytes: usize) -> Result<BudgetPermit, ApiError> {
        let units = u32::try_from(self.units_of(bytes)).unwrap_or(u32::MAX);
        self.charged.fetch_add(u64::from(units > 0), Ordering::Relaxed);
        let permit = Arc::clone(&self.units).try_acquire_many_owned(units);
        permit.map_err(|_| ApiError::busy("other clients have not read their large answers yet; try again later"))
    }

    /// Charges bytes until their last clone is dropped.
    pub(in crate::server) fn charge(&self, mut bytes: Vec<u8>) -> Result<BudgetedBytes, ApiError> {
        let permit = Arc::new(self.acquire(bytes.len())?);
        // A vector that grew may have twice the capacity that it needs.
        bytes.shrink_to_fit();
        Ok(BudgetedBytes(Bytes::from_owner(Piece { bytes: bytes.into(), _permit: permit })))
    }

    /// Charges a response of known size; or replaces it by `busy`.
    pub(in crate::server) fn charge_response(&self, response: Response) -> Response {
        if response.extensions().get::<AlreadyCharged>().is_some() {
            return response;
        }
        let size = response.body().size_hint().exact();
        let Some(size) = size.and_then(|size| usize::try_from(size).ok()) else { return response };
        match self.acquire(size) {
            Ok(permit) => response.map(|body| with_permit(body, permit)),
            Err(busy) => busy.into_response(),
        }
    }
}

/// A body that holds its permit until it and all its pieces are dropped: a connection takes a piece out of the body at
/// once, and sends it as fast as the client reads.
pub(in crate::server) fn with_permit(body: Body, permit: BudgetPermit) -> Body {
    Body::new(BudgetedBody { body, permit: Arc::new(permit) })
}

struct BudgetedBody {
    body: Body,
    permit: Arc<BudgetPermit>,
}

struct Piece {
    bytes: Bytes,
    _permit: Arc<BudgetPermit>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for BudgetedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let piece = |bytes| Bytes::from_owner(Piece { bytes, _permit: Arc::clone(&self.permit) });
        frame.map(|frame| frame.map(|frame| frame.map(|frame| frame.map_data(piece))))
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
    fn bytes_that_many_clients_receive_are_charged_once() {
        let budget = ResponseBudget::new(MOST, MOST);
        let bytes = budget.charge(vec![b'x'; MOST / 2]).expect("room");
        let responses: Vec<Response> =
            (0..100).map(|_| budget.charge_response(bytes.clone().into_response("text/plain"))).collect();
        assert!(responses.iter().all(|response| response.status() == StatusCode::OK));
        assert!(budget.has_room(MOST / 2) && !budget.has_room(MOST / 2 + UNIT));
        drop(bytes);
        assert!(budget.charge(vec![b'x'; MOST]).is_err());
        drop(responses);
        assert!(budget.charge(vec![b'x'; 2 * MOST]).is_ok());
    }

    fn response(bytes: usize) -> Response {
        Response::new(Body::from(vec![b'x'; bytes]))
    }

    #[test]
    fn large_responses_are_charged_until_they_are_dropped() {
        let budget = ResponseBudget::new(MOST, MOST);
        let half = budget.charge_response(response(MOST / 2 + 1));
        assert_eq!((half.status(), half.body().size_hint().exact()), (StatusCode::OK, Some((MOST / 2 + 1) as u64)));
        let status = |bytes| budget.charge_response(response(bytes)).status();
        assert_eq!(status(MOST / 2 + UNIT), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!((status(MOST / 2 - UNIT), status(1_000)), (StatusCode::OK, StatusCode::OK));
        assert_eq!(status(2 * MOST), StatusCode::SERVICE_UNAVAILABLE);
        // A piece that a connection has taken out of the body is charged until it is sent.
        let mut pieces = half.into_body().into_data_stream();
        let next = Pin::new(&mut pieces).poll_next(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Some(Ok(piece))) = next else { panic!("the body has a piece") };
        drop(pieces);
        assert_eq!((piece.len(), status(2 * MOST)), (MOST / 2 + 1, StatusCode::SERVICE_UNAVAILABLE));
        drop(piece);
        assert_eq!(status(2 * MOST), StatusCode::OK);
    }
}
