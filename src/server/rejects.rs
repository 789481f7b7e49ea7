//! `/api/rejects`: which records could not be read, page by page.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::board::Board;
use super::body;
use super::error::Answer;
use super::events::Turn;
use super::files;
use super::parameters::Parameters;
use super::status::lossy;
use crate::book::rfc3339;
use crate::query::{RejectRow, RejectsPage, rejects_page};

/// Rows of a page.
const MOST_ROWS: usize = 1_000;
/// Bytes of keys, values and headers in one answer.
const MOST_BYTES: usize = 16 << 20;

/// Answers `/api/rejects`.
pub(super) async fn rejects(State(board): State<Arc<Board>>, RawQuery(query): RawQuery) -> Answer {
    let parameters = Parameters::read(query.as_deref(), &["from", "to", "day", "limit", "cursor", "order"])?;
    let filter = parameters.filter()?;
    let turn = Turn::read(&parameters, MOST_ROWS)?;
    let book = board.book.clone();
    files::ask(&board.queues.files, MOST_BYTES, move |effort| {
        let page = rejects_page(&book, &filter, &turn.page, effort)?;
        let RejectsPage { complete_to, time_zone, mut rows, mut keys, has_more } = page;
        let (next, previous) = turn.settle(&mut rows, &mut keys, has_more);
        let rest = json!({ "complete_to": complete_to, "time_zone": time_zone, "next": next, "previous": previous });
        Ok(body::json_rows(rows.into_iter().map(|row| row_json(&row)), &rest))
    })
    .await
}

fn row_json(row: &RejectRow) -> Value {
    let RejectRow { topic, partition, offset, kafka_time, reason, key, value, headers } = row;
    let exact = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| base64(bytes));
    json!({
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "kafka_time": kafka_time.map(rfc3339),
        "reason": reason,
        "key": lossy(key),
        "key_base64": exact(key),
        "value": lossy(value),
        "value_base64": exact(value),
        "headers": lossy(headers),
        "headers_base64": exact(headers),
    })
}

/// Bytes as RFC 4648 writes them.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let all = chunk.iter().fold(0u32, |all, byte| all << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = if place > chunk.len() { b'=' } else { LETTERS[(all >> (18 - 6 * place)) as usize % 64] };
            text.push(letter.into());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn bytes_are_written_as_the_rfc_does() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[255, 254, 0]), "//4A");
    }
}
