//! `/api/events`: which changes, page by page, with their columns.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;

use super::paging::{DEFAULT_LIMIT, PageFields, RequestedPage};
use super::schema::{ApiErrors, Binary, Timestamp};
use crate::change::Lsn;
use crate::parse::{Column, ColumnValue, RowChange, read_row};
use crate::query::{Event, EventFilter, EventsAnswer, EventsPage, QueryBudget, QueryError, events_page};
use crate::server::error::{Answer, ApiError};
use crate::server::http::accepted_parameters::{
    AcceptedParameter, CURSOR, DAY, DOWNLOAD, FROM, OP, ORDER, TABLE, TO, Values, accepted_parameters,
};
use crate::server::http::answer_format::AnswerFormat;
use crate::server::http::file_requests::query_files;
use crate::server::http::parameters::Parameters;
use crate::server::http::{body, headers};
use crate::server::state::AppState;
use crate::sql;
use crate::store::BookStore;

/// Rows of a page.
const MOST_ROWS: usize = 1_000;
/// Rows of a download.
const MOST_ROWS_SAVED: usize = 100_000;
/// Bytes of the data in a page, each of which is sent twice: as a line and as columns.
const MOST_BYTES: usize = 16 << 20;
/// Bytes of the data in a download.
const MOST_BYTES_SAVED: usize = 64 << 20;

const SCHEMA: AcceptedParameter =
    AcceptedParameter::new("schema", "With name: exactly this table's schema", Values::Text);
const NAME: AcceptedParameter = AcceptedParameter::new("name", "With schema: exactly this table's name", Values::Text);
const LIMIT: AcceptedParameter = AcceptedParameter::new(
    "limit",
    "Rows of a page: 1 to 1000, as csv or parquet to 100000",
    Values::Count { default: DEFAULT_LIMIT, most: MOST_ROWS_SAVED },
);
const WHERE: AcceptedParameter = AcceptedParameter::new(
    "where",
    "A SQL expression that must be true; see docs/sql.md",
    Values::TextLike { example: "key.id = '42'" },
);
const LEVEL: AcceptedParameter = AcceptedParameter::new("level", "durable", Values::OneOf(&["durable"]));
const FORMAT: AcceptedParameter =
    AcceptedParameter::new("format", "Instead of Accept", Values::OneOf(&["json", "csv", "parquet"]));
accepted_parameters!(
    EventsParameters: FROM, TO, DAY, TABLE, SCHEMA, NAME, OP, WHERE, LIMIT, CURSOR, ORDER, LEVEL, FORMAT, DOWNLOAD
);

/// A page of changes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "rows are serialized one by one")]
pub(in crate::server) struct Events {
    rows: Vec<EventsAnswerRow>,
    #[serde(flatten)]
    fields: PageFields,
}

/// A change: the columns of the events table, and what its line contains.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct EventsAnswerRow {
    topic: String,
    partition: i32,
    offset: i64,
    ordinal: i32,
    kafka_time: Option<Timestamp>,
    commit_time: Option<Timestamp>,
    lsn: Option<i64>,
    commit_lsn: Option<i64>,
    seq: Option<i32>,
    xid: Option<i64>,
    schema: String,
    table: String,
    op: String,
    data: String,
    lsn_text: Option<String>,
    commit_lsn_text: Option<String>,
    columns: Vec<EventColumn>,
    /// Whether the line contains values of the old row.
    has_old: bool,
    /// The options of a TRUNCATE.
    options: Option<String>,
}

/// A column of a change; a side that the line does not contain is absent.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct EventColumn {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    old: Option<EventValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    new: Option<EventValue>,
}

/// A value of a column. `unchanged`: a large value that did not change and was not sent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::server) enum EventValue {
    Text(String),
    Null(bool),
    Unchanged(bool),
}

impl From<Event> for EventsAnswerRow {
    fn from(event: Event) -> EventsAnswerRow {
        let lsn = |number: Option<i64>| number.and_then(Lsn::from_i64).map(|lsn| lsn.to_string());
        let RowChange { columns, has_old, options } = read_row(&event.data).unwrap_or_default();
        EventsAnswerRow {
            lsn_text: lsn(event.lsn),
            commit_lsn_text: lsn(event.commit_lsn),
            columns: columns.into_iter().map(EventColumn::from).collect(),
            has_old,
            options: options.map(str::to_owned),
            topic: event.topic,
            partition: event.partition,
            offset: event.offset,
            ordinal: event.ordinal,
            kafka_time: event.kafka_time.map(Timestamp),
            commit_time: event.commit_time.map(Timestamp),
            lsn: event.lsn,
            commit_lsn: event.commit_lsn,
            seq: event.seq,
            xid: event.xid,
            schema: event.schema,
            table: event.table,
            op: event.op,
            data: event.data,
        }
    }
}

impl From<Column<'_>> for EventColumn {
    fn from(column: Column<'_>) -> EventColumn {
        let value = |value| match value {
            ColumnValue::Null => EventValue::Null(true),
            ColumnValue::Unchanged => EventValue::Unchanged(true),
            ColumnValue::Text(text) => EventValue::Text(text.into_owned()),
        };
        EventColumn {
            name: column.name.into_owned(),
            kind: column.kind.to_owned(),
            old: column.old.map(value),
            new: column.new.map(value),
        }
    }
}

/// Which changes, page by page; always durable
#[utoipa::path(get, path = "/api/events", params(EventsParameters), responses(
    (
        status = 200,
        description = "A page",
        content(
            (Events = "application/json"),
            (String = "text/csv"),
            (Binary = "application/vnd.apache.parquet"),
        ),
        headers(
            (
                "Walbook-Complete-To" = String,
                description = "For csv and parquet: what the answer is complete to, as JSON"
            ),
            ("Walbook-Rejects" = String, description = "For csv and parquet: the rejects of the days, as JSON"),
            (
                "Walbook-Bad-Values" = String,
                description = "For csv and parquet with where: the values that it could not compute, as JSON"
            ),
            ("Walbook-Next-Cursor" = String, description = "For csv and parquet: the cursor of the next page"),
        ),
    ),
    ApiErrors,
))]
pub(in crate::server) async fn events(
    State(state): State<Arc<AppState>>,
    RawQuery(query): RawQuery,
    request_headers: HeaderMap,
) -> Answer {
    let parameters = Parameters::read(query.as_deref(), EventsParameters::ACCEPTED)?;
    if parameters.text("level").is_some_and(|level| level != "durable") {
        return Err(ApiError::bad_request("level: events are always durable"));
    }
    let condition = parameters.text("where").map(sql::Filter::parse).transpose().map_err(QueryError::Condition)?;
    let filter = EventFilter { changes: parameters.filter()?, condition };
    let format = AnswerFormat::requested(&parameters, &request_headers)?;
    let (most_rows, most_bytes) = match format {
        AnswerFormat::Json => (MOST_ROWS, MOST_BYTES),
        AnswerFormat::Csv | AnswerFormat::Parquet => (MOST_ROWS_SAVED, MOST_BYTES_SAVED),
        AnswerFormat::Arrow => return Err(ApiError::bad_request("format: events come as json, csv or parquet")),
    };
    let request = RequestedPage::read(&parameters, most_rows)?;
    let (book, days) = (state.book.clone(), (filter.changes.from, filter.changes.to));
    let page = move |budget: &QueryBudget<'_>| page(&book, filter, &request, format, budget);
    let mut response = query_files(&state.permits.files, most_bytes, page).await?;
    if parameters.is_set("download") {
        headers::add_download(&mut response, &state.name, "events", days, format);
    }
    Ok(response)
}

fn page(
    book: &BookStore,
    filter: EventFilter,
    request: &RequestedPage,
    format: AnswerFormat,
    budget: &QueryBudget<'_>,
) -> Answer {
    let EventsPage { mut answer, mut keys, has_more } = events_page(book, filter, &request.page, budget)?;
    let (complete_to, rejects) = (answer.complete_to.clone(), answer.rejects);
    let bad_values = answer.bad_values.clone();
    let (next, previous) = request.finish(&mut answer.rows, &mut keys, has_more);
    let mut response = match format {
        AnswerFormat::Json => {
            let EventsAnswer { complete_to, time_zone, rejects, bad_values, rows } = answer;
            let fields = PageFields { complete_to, time_zone, rejects, bad_values, next, previous };
            return Ok(body::json_rows(rows.into_iter().map(EventsAnswerRow::from), &fields));
        }
        AnswerFormat::Csv => body::answer(format.content_type(), body::chunks(answer.into_csv_pieces())),
        AnswerFormat::Arrow | AnswerFormat::Parquet => body::answer(format.content_type(), answer.into_parquet()),
    };
    headers::add_complete_to(&mut response, &complete_to);
    headers::add_rejects(&mut response, rejects);
    if let Some(bad_values) = bad_values {
        headers::add_bad_values(&mut response, &bad_values);
    }
    if let Some(next) = next.and_then(|next| next.parse().ok()) {
        response.headers_mut().insert("walbook-next-cursor", next);
    }
    Ok(response)
}
