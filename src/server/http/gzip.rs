//! Compression of responses for clients that accept gzip, piece by piece.
//!
//! Each piece is deflated on its own and ends at a byte boundary (Z_SYNC_FLUSH): a client can decode it at once, pieces can be
//! concatenated, and a delta is deflated once for all watchers of the same counts. Between two pieces only a checksum is
//! kept: a deflater of 256 kB for each of 500 watchers would be 128 MB.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use flate2::{Compress, Compression, Crc, FlushCompress};
use futures_core::Stream;
use tokio::sync::mpsc::{Sender, channel};

use super::blocking::run_blocking;
use super::body;

/// Bytes of the smallest answer that is compressed.
const SMALLEST: u64 = 1 << 10;
/// Bytes that are deflated at once: some milliseconds of work.
const PIECE: usize = 256 << 10;
/// A gzip header without file name and time (RFC 1952).
pub(in crate::server) const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];
/// The last block of a deflated stream, which is empty (RFC 1951).
const LAST_BLOCK: [u8; 2] = [3, 0];

thread_local! {
    // Reuse the allocation; `deflated` resets the state.
    static DEFLATER: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

/// Whether a client accepts gzip.
pub(in crate::server) fn is_accepted(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut offers = offers.flat_map(|value| value.split(',')).map(|offer| {
        let (name, weight) = offer.split_once(';').unwrap_or((offer, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        (name.trim(), weight.unwrap_or(1.0))
    });
    offers.any(|(name, weight)| name.eq_ignore_ascii_case("gzip") && weight > 0.0)
}

/// Marks a response as compressed.
pub(in crate::server) fn mark(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.remove(header::CONTENT_LENGTH);
}

/// A deflated piece, which may have other pieces before and after it.
pub(in crate::server) fn deflated(piece: &[u8]) -> Vec<u8> {
    DEFLATER.with_borrow_mut(|deflater| {
        deflater.reset();
        let mut out = Vec::with_capacity(piece.len() / 8 + 64);
        loop {
            let done = usize::try_from(deflater.total_in()).unwrap_or(piece.len());
            let status = deflater.compress_vec(&piece[done..], &mut out, FlushCompress::Sync);
            status.expect("bytes in memory can always be deflated");
            // Free capacity means that the deflater has no more output.
            if out.len() < out.capacity() {
                return out;
            }
            out.reserve(out.capacity());
        }
    })
}

/// Compresses JSON and CSV; the handler of the event stream does that itself.
pub(in crate::server) fn compressed(response: Response) -> Response {
    let content_type = response.headers().get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let is_text = content_type.starts_with(b"application/json") || content_type.starts_with(b"text/csv");
    let size = response.body().size_hint();
    if response.status() != StatusCode::OK || !is_text || size.exact().is_some_and(|size| size < SMALLEST) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    mark(&mut parts.headers);
    let (pieces, receiver) = channel(1);
    tokio::spawn(async move {
        // On failure the stream has no end, so the client notices.
        let _ = compress(body, &pieces).await;
    });
    Response::from_parts(parts, body::received(receiver))
}

/// Deflates on blocking threads: the thread that serves connections must not wait.
async fn compress(body: Body, pieces: &Sender<Bytes>) -> Option<()> {
    let mut body = body.into_data_stream();
    let mut crc = Crc::new();
    pieces.send(Bytes::from_static(&HEAD)).await.ok()?;
    while let Some(piece) = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
        let mut rest = piece.ok()?;
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(PIECE));
            let work = move || {
                crc.update(&piece);
                (crc, deflated(&piece))
            };
            let (checked, deflated) = run_blocking(work).await.ok()?;
            crc = checked;
            pieces.send(deflated.into()).await.ok()?;
        }
    }
    let end = [&LAST_BLOCK[..], &crc.sum().to_le_bytes(), &crc.amount().to_le_bytes()].concat();
    pieces.send(end.into()).await.ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn pieces_of_any_size_can_be_concatenated() {
        let mut crc = Crc::new();
        let mut whole = Vec::new();
        let mut compressed = HEAD.to_vec();
        for size in [0, 1, 63, 64, 70_000, 1_000_000, 5] {
            // Half of it repeats, half of it cannot be compressed.
            let noise = |at: u64| (at.wrapping_mul(at).wrapping_mul(2_654_435_761) >> 13) as u8;
            let piece = (0..size).map(|at| if at % 2 == 0 { b'x' } else { noise(at) });
            let piece: Vec<u8> = piece.collect();
            crc.update(&piece);
            compressed.extend(deflated(&piece));
            whole.extend(piece);
        }
        compressed.extend(LAST_BLOCK);
        compressed.extend(crc.sum().to_le_bytes());
        compressed.extend(crc.amount().to_le_bytes());
        let mut read = Vec::new();
        flate2::read::GzDecoder::new(compressed.as_slice()).read_to_end(&mut read).expect("gzip");
        assert!(read == whole && compressed.len() < whole.len());
    }

    #[test]
    fn gzip_is_sent_only_to_clients_that_accept_it() {
        for (offer, is) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0, br", false),
            ("deflate", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(offer))]);
            assert_eq!(is_accepted(&headers), is, "{offer}");
        }
    }
}
