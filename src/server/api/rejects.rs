//! `/api/rejects`: the records that could not be read, page by page.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::paging::{DEFAULT_LIMIT, PageFields, RequestedPage};
use super::schema::{ApiErrors, Timestamp};
use super::status::lossy;
use crate::query::{RejectFilter, RejectRow, RejectsPage, base64, rejects_page};
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
const SOURCE: AcceptedParameter = AcceptedParameter::new("source", "The topic, slot or file", Values::Text);
const PARTITION: AcceptedParameter = AcceptedParameter::new("partition", "The partition", Values::Text);
const REASON: AcceptedParameter =
    AcceptedParameter::new("reason", "A text in the reason, in upper or lower case", Values::Text);
accepted_parameters!(RejectsParameters: FROM, TO, DAY, SOURCE, PARTITION, REASON, LIMIT, CURSOR, ORDER);

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
    let days = parameters.filter()?;
    let filter = RejectFilter {
        from: days.from,
        to: days.to,
        source: parameters.text("source").map(str::to_owned),
        partition: parameters.parsed("partition")?,
        reason: parameters.text("reason").map(str::to_owned),
    };
    let request = RequestedPage::read(&parameters, MOST_ROWS)?;
    let book = state.book.clone();
    query_files(&state.permits.files, MOST_BYTES, move |budget| {
        let RejectsPage { complete_to, time_zone, rejects, mut rows, mut keys, has_more } =
            rejects_page(&book, &filter, &request.page, budget)?;
        let (next, previous) = request.finish(&mut rows, &mut keys, has_more);
        let fields = PageFields { complete_to, time_zone, rejects, bad_values: None, next, previous };
        Ok(body::json_rows(rows.into_iter().map(RejectedRecord::from), &fields))
    })
    .await
}
