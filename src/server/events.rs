//! `/api/events`: which changes, page by page, with their columns.

use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::board::Board;
use super::body;
use super::counts::{Format, download_name, say_complete_to};
use super::error::{Answer, ApiError};
use super::files;
use super::parameters::Parameters;
use crate::change::Lsn;
use crate::parse::{ColumnValue, RowChange, read_row};
use crate::query::{Effort, Event, EventsPage, Filter, Order, Page, RowKey, events_page};

/// Rows of a page.
const MOST_ROWS: usize = 1_000;
/// Rows of a download.
const MOST_ROWS_SAVED: usize = 100_000;
/// Bytes of the data in a page, each of which is told twice.
const MOST_BYTES: usize = 16 << 20;
/// Bytes of the data in a download.
const MOST_BYTES_SAVED: usize = 64 << 20;

const PARAMETERS: [&str; 13] =
    ["from", "to", "day", "table", "schema", "name", "op", "limit", "cursor", "order", "format", "download", "level"];

/// Answers `/api/events`.
pub(super) async fn events(State(board): State<Arc<Board>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Answer {
    let parameters = Parameters::read(query.as_deref(), &PARAMETERS)?;
    if parameters.text("level").is_some_and(|level| level != "durable") {
        return Err(ApiError::bad_request("level: rows are durable always"));
    }
    let filter = parameters.filter()?;
    let format = Format::asked(&parameters, &headers)?;
    if format == Format::Arrow {
        return Err(ApiError::bad_request("format: rows come as json, csv or parquet"));
    }
    let turn = Turn::read(&parameters, if format == Format::Json { MOST_ROWS } else { MOST_ROWS_SAVED })?;
    let book = board.book.clone();
    let days = (filter.from, filter.to);
    let most_bytes = if format == Format::Json { MOST_BYTES } else { MOST_BYTES_SAVED };
    let read = move |effort: &Effort<'_>| read(&book, &filter, &turn, format, effort);
    let mut response = files::ask(&board.queues.files, most_bytes, read).await?;
    if parameters.is_set("download") {
        body::as_download(&mut response, &download_name(&board, "events", days, format));
    }
    Ok(response)
}

/// Which page is asked for, and from which side it is reached.
pub(super) struct Turn {
    pub(super) page: Page,
    /// Whether the page is read backwards from its cursor.
    is_back: bool,
}

impl Turn {
    pub(super) fn read(parameters: &Parameters, most: usize) -> Result<Turn, ApiError> {
        let limit = parameters.number("limit", 50, most)?;
        let order: Order = parameters.parsed("order")?.unwrap_or_default();
        let wrong = || ApiError::bad_request("cursor: not one that this server gave");
        let (is_back, after) = match parameters.text("cursor").map(|cursor| cursor.split_at_checked(1)) {
            None => (false, None),
            Some(Some(("n", key))) => (false, Some(key.parse::<RowKey>().map_err(|()| wrong())?)),
            Some(Some(("p", key))) => (true, Some(key.parse::<RowKey>().map_err(|()| wrong())?)),
            Some(_) => return Err(wrong()),
        };
        let order = if is_back { order.reversed() } else { order };
        Ok(Turn { page: Page { limit, order, after }, is_back })
    }

    /// Brings rows that were read backwards into order, and gives the cursors of the next and of the previous page.
    pub(super) fn settle<T>(
        &self,
        rows: &mut [T],
        keys: &mut [RowKey],
        has_more: bool,
    ) -> (Option<String>, Option<String>) {
        if self.is_back {
            rows.reverse();
            keys.reverse();
        }
        let next = keys.last().filter(|_| has_more || self.is_back).map(|key| format!("n{key}"));
        let has_before = if self.is_back { has_more } else { self.page.after.is_some() };
        let previous = keys.first().filter(|_| has_before).map(|key| format!("p{key}"));
        (next, previous)
    }
}

fn read(book: &Path, filter: &Filter, turn: &Turn, format: Format, effort: &Effort<'_>) -> Answer {
    let EventsPage { mut answer, mut keys, has_more } = events_page(book, filter, &turn.page, effort)?;
    let (next, previous) = turn.settle(&mut answer.rows, &mut keys, has_more);
    let failed = |_| ApiError::failed();
    let mut response = match format {
        Format::Json => {
            let rest = json!({
                "complete_to": answer.complete_to, "time_zone": answer.time_zone, "next": next, "previous": previous,
            });
            return Ok(body::json_rows(answer.rows.into_iter().map(|event| event_json(&event)), &rest));
        }
        Format::Csv => {
            let mut text = Vec::new();
            answer.print(crate::query::Format::Csv, &mut text).map_err(failed)?;
            body::answer(format.content_type(), text)
        }
        Format::Arrow | Format::Parquet => body::answer(format.content_type(), Body::from(answer.parquet())),
    };
    say_complete_to(&mut response, &answer.complete_to);
    say_next(&mut response, next);
    Ok(response)
}

/// Says how to go on where the body cannot.
fn say_next(response: &mut Response, next: Option<String>) {
    if let Some(value) = next.and_then(|next| next.parse().ok()) {
        response.headers_mut().insert("walbook-next-cursor", value);
    }
}

fn event_json(event: &Event) -> Value {
    let mut row = event.json();
    let lsn = |number: Option<i64>| number.and_then(Lsn::from_i64).map(|lsn| lsn.to_string());
    let RowChange { columns, has_old, options } = read_row(&event.data).unwrap_or_default();
    let columns: Vec<Value> = columns
        .iter()
        .map(|column| {
            let mut told = json!({ "name": column.name, "type": column.kind });
            for (side, value) in [("old", &column.old), ("new", &column.new)] {
                if let Some(value) = value {
                    told[side] = match value {
                        ColumnValue::Null => json!({ "null": true }),
                        ColumnValue::Unchanged => json!({ "unchanged": true }),
                        ColumnValue::Text(text) => json!({ "text": text }),
                    };
                }
            }
            told
        })
        .collect();
    row.extend([
        ("lsn_text".to_owned(), json!(lsn(event.lsn))),
        ("commit_lsn_text".to_owned(), json!(lsn(event.commit_lsn))),
        ("columns".to_owned(), json!(columns)),
        ("has_old".to_owned(), json!(has_old)),
        ("options".to_owned(), json!(options)),
    ]);
    Value::Object(row)
}
