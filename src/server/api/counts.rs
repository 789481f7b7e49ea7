//! `/api/counts`: how many changes, as `walbook query` counts them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use utoipa::ToSchema;

use super::schema::{ApiErrors, Binary};
use crate::book::CompleteTo;
use crate::change::Day;
use crate::query::{Filter, RejectCount, RowStyle, Selection, SelectionText};
use crate::server::error::{Answer, ApiError};
use crate::server::http::accepted_parameters::{
    AcceptedParameter, DAY, DOWNLOAD, FROM, OP, TABLE, TO, Values, accepted_parameters,
};
use crate::server::http::answer_format::AnswerFormat;
use crate::server::http::blocking::run_blocking;
use crate::server::http::parameters::Parameters;
use crate::server::http::requested_level::{LEVEL, RequestedLevel};
use crate::server::http::response_budget::with_permit;
use crate::server::http::{body, headers};
use crate::server::state::{AppState, CountsSnapshot};

/// Rows of the longest answer.
const MOST_ROWS: usize = 5_000_000;
/// Rows of the longest answer that must be sorted or encoded as a whole.
const MOST_ROWS_AT_ONCE: usize = 2_000_000;
/// Rows of an answer that is written as a whole and cached.
const FEW_ROWS: usize = 50_000;
/// Rows of an answer that is written faster than a blocking thread wakes up, if its sums are cached.
const QUICK_ROWS: usize = 5_000;

const BY: AcceptedParameter = AcceptedParameter::new(
    "by",
    "Columns to group by, in the order of columns and rows: day, table, op",
    Values::TextOr { default: "day,table,op" },
);
const FORMAT: AcceptedParameter =
    AcceptedParameter::new("format", "Instead of Accept", Values::OneOf(&["json", "csv", "arrow", "parquet"]));
accepted_parameters!(CountsParameters: FROM, TO, DAY, TABLE, OP, BY, LEVEL, FORMAT, DOWNLOAD);

/// Counts of changes, grouped.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `SelectionText` writes row by row")]
pub(in crate::server) struct Counts {
    complete_to: CompleteTo,
    /// The book's time zone.
    time_zone: String,
    rejects: RejectCount,
    rows: Vec<CountsAnswerRow>,
}

/// A count, with the columns that it is grouped by.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `SelectionText` writes row by row")]
pub(in crate::server) struct CountsAnswerRow {
    #[schema(nullable = false)]
    day: Option<Day>,
    #[schema(nullable = false)]
    schema: Option<String>,
    #[schema(nullable = false)]
    table: Option<String>,
    #[schema(nullable = false)]
    op: Option<String>,
    count: u64,
}

/// How many changes, grouped
#[utoipa::path(get, path = "/api/counts", params(CountsParameters), responses(
    (
        status = 200,
        description = "The counts; as JSON and durable, the bytes of `walbook query --format json`",
        content(
            (Counts = "application/json"),
            (String = "text/csv"),
            (Binary = "application/vnd.apache.arrow.stream"),
            (Binary = "application/vnd.apache.parquet"),
        ),
        headers(
            (
                "Walbook-Complete-To" = String,
                description = "For csv, arrow and parquet: what the answer is complete to, as JSON"
            ),
            ("Walbook-Rejects" = String, description = "For csv, arrow and parquet: the rejects of the days, as JSON"),
        ),
    ),
    ApiErrors,
))]
pub(in crate::server) async fn counts(
    State(state): State<Arc<AppState>>,
    RawQuery(query): RawQuery,
    request_headers: HeaderMap,
) -> Answer {
    let parameters = Parameters::read(query.as_deref(), CountsParameters::ACCEPTED)?;
    let (filter, by) = (parameters.filter()?, parameters.by()?);
    let format = AnswerFormat::requested(&parameters, &request_headers)?;
    let snapshot = state.snapshot();
    let counts = match RequestedLevel::read(&parameters, &snapshot)? {
        RequestedLevel::Newest => Arc::clone(snapshot.counts()),
        RequestedLevel::Durable => Arc::clone(&snapshot.durable.counts),
    };
    let selection = counts.totals.select(&filter, &by)?;
    let is_text = matches!(format, AnswerFormat::Json | AnswerFormat::Csv);
    let most = if is_text && selection.is_day_by_day() { MOST_ROWS } else { MOST_ROWS_AT_ONCE };
    if selection.most_rows() > most {
        let what = format!("the answer may have more than {most} rows: request fewer days, or group by fewer columns");
        return Err(ApiError::too_large(what));
    }
    let rejects = counts.rejects(&filter);
    let days = (filter.from.or(counts.totals.first_day()), filter.to);
    let cache = state.counts_cache(&counts);
    let question = ("counts", query.unwrap_or_default(), format);
    let mut response = match cache.answer(&counts, &question) {
        Some(bytes) => bytes.into_response(format.content_type()),
        None if selection.most_rows() <= FEW_ROWS => {
            let is_quick = selection.is_summed() && selection.most_rows() <= QUICK_ROWS && cache.has_sums(&filter);
            let (shared_state, shared_counts, filter) = (Arc::clone(&state), Arc::clone(&counts), filter.clone());
            let write = move || {
                let cache = shared_state.counts_cache(&shared_counts);
                let selection = match selection.is_summed() {
                    true => selection.with_sums(cache.sums(&shared_counts.totals, &filter)),
                    false => selection,
                };
                write_answer(&shared_counts, &filter, selection, format)
            };
            let bytes = state.answer_budget.charge(if is_quick { write() } else { run_blocking(write).await? })?;
            cache.keep_answer(&counts, question, &bytes);
            bytes.into_response(format.content_type())
        }
        None => body::answer(format.content_type(), long_body(&state, &counts, &filter, selection, format).await?),
    };
    if format != AnswerFormat::Json {
        headers::add_complete_to(&mut response, &counts.complete_to);
        headers::add_rejects(&mut response, rejects);
    }
    if parameters.is_set("download") {
        headers::add_download(&mut response, &state.name, "counts", days, format);
    }
    Ok(response)
}

/// The pieces of a text; gives the selection back for other formats.
fn text(
    counts: &CountsSnapshot,
    filter: &Filter,
    selection: Selection,
    format: AnswerFormat,
) -> Result<SelectionText, Box<Selection>> {
    match format {
        AnswerFormat::Json => Ok(selection.text(RowStyle::JsonLines, counts.json_head(filter), b"]}\n".to_vec())),
        AnswerFormat::Csv => Ok(selection.text(RowStyle::Csv, Vec::new(), Vec::new())),
        AnswerFormat::Arrow | AnswerFormat::Parquet => Err(Box::new(selection)),
    }
}

/// Writes an answer as a whole.
fn write_answer(counts: &CountsSnapshot, filter: &Filter, selection: Selection, format: AnswerFormat) -> Vec<u8> {
    match text(counts, filter, selection, format) {
        Ok(text) => text.flatten().collect(),
        Err(selection) if format == AnswerFormat::Arrow => selection.arrow(),
        Err(selection) => selection.parquet(),
    }
}

/// The body of a long answer: a text whose rows are grouped by day first is written while the client reads it, anything else
/// as a whole on a blocking thread.
async fn long_body(
    state: &AppState,
    counts: &Arc<CountsSnapshot>,
    filter: &Filter,
    selection: Selection,
    format: AnswerFormat,
) -> Result<Body, ApiError> {
    match text(counts, filter, selection, format) {
        Ok(text) => {
            let permit = state.answer_budget.acquire(text.most_bytes())?;
            let body = match text.is_quick() {
                true => body::pieces(text),
                false => run_long(state, move || body::pieces(text)).await?,
            };
            Ok(with_permit(body, permit))
        }
        Err(selection) => {
            let (counts, filter) = (Arc::clone(counts), filter.clone());
            Ok(Body::from(run_long(state, move || write_answer(&counts, &filter, *selection, format)).await?))
        }
    }
}

/// Runs `work` on a blocking thread once there is a permit for long answers.
async fn run_long<T: Send + 'static>(
    state: &AppState,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let permit = state.permits.long.acquire().await?;
    run_blocking(move || {
        let _permit = permit;
        work()
    })
    .await
}
