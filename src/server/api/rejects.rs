//! `/api/rejects`: the records that could not be read, page by page.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::paging::{DEFAULT_LIMIT, PageFields, RequestedPage};
use super::schema::{ApiErrors, Timestamp};
use super::status::lossy;
use crate::query::{RejectRow, RejectsPage, rejects_page};
use crate::server::error::Answer;
use crate::server::http::accepted_parameters::{
    AcceptedParameter, CURSOR, DAY, FROM, ORDER, TO, Values, accepted_parameters,
};
use crate::server::http::body;
use crate::server::http::file_requests::query_files;
use crate::server::http::parameters::Parameters;
use crate::server::state::AppState;

/// Rows of a page.
const MOST_ROWS: usize = 1_000;
/// Bytes of keys, values and headers in one answer.
const MOST_BYTES: usize = 16 << 20;

const LIMIT: AcceptedParameter =
    AcceptedParameter::new("limit", "Rows of a page", Values::Count { default: DEFAULT_LIMIT, most: MOST_ROWS });
accepted_parameters!(RejectsParameters: FROM, TO, DAY, LIMIT, CURSOR, ORDER);

/// A page of rejects.
#[derive(ToSchema)]
#[expect(dead_code, reason = "rows are serialized one by one")]
pub(in crate::server) struct Rejects {
    rows: Vec<RejectedRecord>,
    #[serde(flatten)]
    fields: PageFields,
}

/// A record that could not be read. Keys, values and headers come as text, in which invalid UTF-8 is replaced, and in base64.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct RejectedRecord {
    topic: String,
    partition: i32,
    offset: i64,
    kafka_time: Option<Timestamp>,
    reason: String,
    key: Option<String>,
    key_base64: Option<String>,
    value: Option<String>,
    value_base64: Option<String>,
    headers: Option<String>,
    headers_base64: Option<String>,
}

impl From<RejectRow> for RejectedRecord {
    fn from(row: RejectRow) -> RejectedRecord {
        let RejectRow { topic, partition, offset, kafka_time, reason, key, value, headers } = row;
        let exact = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| base64(bytes));
        RejectedRecord {
            topic,
            partition,
            offset,
            kafka_time: kafka_time.map(Timestamp),
            reason,
            key: lossy(&key),
            key_base64: exact(&key),
            value: lossy(&value),
            value_base64: exact(&value),
            headers: lossy(&headers),
            headers_base64: exact(&headers),
        }
    }
}

/// The records that could not be read, page by page
#[utoipa::path(get, path = "/api/rejects", params(RejectsParameters), responses(
    (status = 200, description = "A page", body = Rejects, content_type = "application/json"),
    ApiErrors,
))]
pub(in crate::server) async fn rejects(State(state): State<Arc<AppState>>, RawQuery(query): RawQuery) -> Answer {
    let parameters = Parameters::read(query.as_deref(), RejectsParameters::ACCEPTED)?;
    let filter = parameters.filter()?;
    let request = RequestedPage::read(&parameters, MOST_ROWS)?;
    let book = state.book.clone();
    query_files(&state.permits.files, MOST_BYTES, move |budget| {
        let RejectsPage { complete_to, time_zone, mut rows, mut keys, has_more } =
            rejects_page(&book, &filter, &request.page, budget)?;
        let (next, previous) = request.finish(&mut rows, &mut keys, has_more);
        let fields = PageFields { complete_to, time_zone, next, previous };
        Ok(body::json_rows(rows.into_iter().map(RejectedRecord::from), &fields))
    })
    .await
}

/// Bytes in base64 (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let all = chunk.iter().fold(0u32, |all, byte| all << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let letter = if index > chunk.len() { b'=' } else { LETTERS[(all >> (18 - 6 * index)) as usize % 64] };
            text.push(letter.into());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[255, 254, 0]), "//4A");
    }
}
