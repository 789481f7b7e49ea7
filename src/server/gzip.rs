//! Answers made smaller for clients that take gzip, piece by piece.
//!
//! Each piece is deflated for itself and ends at a byte (Z_SYNC_FLUSH): a client can read it at once, pieces of several
//! makers follow each other in one stream, and a delta is deflated once for all who watch the same. Between two pieces
//! nothing is kept but a checksum: 500 watchers with a deflater of 256 kB each would be 128 MB.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use flate2::{Compress, Compression, Crc, FlushCompress};
use futures_core::Stream;
use tokio::sync::mpsc::{Sender, channel};

use super::aside::aside;
use super::body;

/// Bytes of an answer that is worth it.
const WORTH: u64 = 1 << 10;
/// Bytes that are deflated at once: some milliseconds.
const PIECE: usize = 256 << 10;
/// A header without a name and a time (RFC 1952): deflated, fast, on any system.
pub(super) const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff];
/// The last block of a deflated stream: no bytes, and the end (RFC 1951).
const LAST_BLOCK: [u8; 2] = [3, 0];

thread_local! {
    // Its memory is worth keeping, what it knows of the last piece is not.
    static DEFLATER: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

/// Whether a client takes gzip.
pub(super) fn is_taken(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut offers = offers.flat_map(|value| value.split(',')).map(|offer| {
        let (name, weight) = offer.split_once(';').unwrap_or((offer, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        (name.trim(), weight.unwrap_or(1.0))
    });
    offers.any(|(name, weight)| name.eq_ignore_ascii_case("gzip") && weight > 0.0)
}

/// Says that an answer is in gzip.
pub(super) fn say_so(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.remove(header::CONTENT_LENGTH);
}

/// A piece, deflated so that others may stand before and behind it.
pub(super) fn deflated(piece: &[u8]) -> Vec<u8> {
    DEFLATER.with_borrow_mut(|deflater| {
        deflater.reset();
        let mut out = Vec::with_capacity(piece.len() / 8 + 64);
        loop {
            let done = usize::try_from(deflater.total_in()).unwrap_or(piece.len());
            let status = deflater.compress_vec(&piece[done..], &mut out, FlushCompress::Sync);
            status.expect("bytes in memory can always be deflated");
            // Room that is left says that nothing is held back.
            if out.len() < out.capacity() {
                return out;
            }
            out.reserve(out.capacity());
        }
    })
}

/// An answer, made smaller where that is worth it: JSON and CSV. The stream of events makes itself smaller.
pub(super) fn packed(response: Response) -> Response {
    let content_type = response.headers().get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let is_text = content_type.starts_with(b"application/json") || content_type.starts_with(b"text/csv");
    let size = response.body().size_hint();
    if response.status() != StatusCode::OK || !is_text || size.exact().is_some_and(|size| size < WORTH) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    say_so(&mut parts.headers);
    let (pieces, taken) = channel(1);
    tokio::spawn(async move {
        // Without its end a client sees that the answer is broken off.
        let _ = pack(body, &pieces).await;
    });
    Response::from_parts(parts, body::received(taken))
}

/// Deflates on other threads: the one that answers has others to answer.
async fn pack(body: Body, pieces: &Sender<Bytes>) -> Option<()> {
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
            let (checked, deflated) = aside(work).await.ok()?;
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
    fn pieces_of_any_size_follow_each_other() {
        let mut crc = Crc::new();
        let mut whole = Vec::new();
        let mut packed = HEAD.to_vec();
        for size in [0, 1, 63, 64, 70_000, 1_000_000, 5] {
            // Half of it repeats, half of it cannot be made smaller.
            let noise = |at: u64| (at.wrapping_mul(at).wrapping_mul(2_654_435_761) >> 13) as u8;
            let piece = (0..size).map(|at| if at % 2 == 0 { b'x' } else { noise(at) });
            let piece: Vec<u8> = piece.collect();
            crc.update(&piece);
            packed.extend(deflated(&piece));
            whole.extend(piece);
        }
        packed.extend(LAST_BLOCK);
        packed.extend(crc.sum().to_le_bytes());
        packed.extend(crc.amount().to_le_bytes());
        let mut read = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut read).expect("gzip");
        assert!(read == whole && packed.len() < whole.len());
    }

    #[test]
    fn only_who_takes_it_gets_it() {
        for (offer, is) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0, br", false),
            ("deflate", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(offer))]);
            assert_eq!(is_taken(&headers), is, "{offer}");
        }
    }
}
