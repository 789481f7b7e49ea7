//! `/api/views/{name}`: the rows of a view, as `walbook query --view` prints them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use serde_json::Value;
use utoipa::ToSchema;

use super::failures::{ViewErrors, unavailable};
use super::in_memory::view_in_memory;
use crate::book::CompleteTo;
use crate::query::{
    self, Format, QueryBudget, QueryError, RejectCount, SelectedRows, ViewAnswer, ViewColumn, ViewQuery,
};
use crate::server::api::schema::{ApiErrors, Binary};
use crate::server::error::{Answer, ApiError};
use crate::server::http::accepted_parameters::{
    AcceptedParameter, DAY, DOWNLOAD, FROM, TO, Values, accepted_parameters,
};
use crate::server::http::answer_format::AnswerFormat;
use crate::server::http::blocking::run_blocking;
use crate::server::http::file_requests::query_files;
use crate::server::http::headers;
use crate::server::http::parameters::Parameters;
use crate::server::http::path_name::PathName;
use crate::server::http::requested_level::{LEVEL, RequestedLevel};
use crate::server::http::response_budget::BudgetedBytes;
use crate::server::state::{AppState, MOST_GROUPS, StateSnapshot};
use crate::sql::{self, BadValues};

/// Rows that are written faster than a blocking thread wakes up.
const QUICK_ROWS: usize = 200;
/// Rows of an answer that is written beside others.
const FEW_ROWS: usize = 50_000;
/// How long a commit may need to be covered by the live state until that is looked at again.
const COVER_INTERVAL: Duration = Duration::from_millis(20);

const WHERE: AcceptedParameter = AcceptedParameter::new(
    "where",
    "A SQL expression over the view's columns that must be true; see docs/sql.md",
    Values::TextLike { example: "orders > 10" },
);
const ORDER: AcceptedParameter = AcceptedParameter::new(
    "order",
    "Columns of the view, each with ASC or DESC; NULL is the greatest value. Default: by day, then by group columns",
    Values::TextLike { example: "orders DESC, region" },
);
const LIMIT: AcceptedParameter =
    AcceptedParameter::new("limit", "The most rows", Values::Count { default: MOST_GROUPS, most: MOST_GROUPS });
const FORMAT: AcceptedParameter =
    AcceptedParameter::new("format", "Instead of Accept", Values::OneOf(&["json", "csv", "arrow"]));
accepted_parameters!(ViewParameters: FROM, TO, DAY, WHERE, ORDER, LIMIT, LEVEL, FORMAT, DOWNLOAD);

/// The rows of a view.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `ViewAnswer` writes row by row")]
pub(in crate::server) struct ViewRows {
    complete_to: CompleteTo,
    /// The book's time zone.
    time_zone: String,
    rejects: RejectCount,
    /// With `where`: the values that it could not compute.
    #[schema(nullable = false)]
    bad_values: Option<BadValues>,
    columns: Vec<ViewColumn>,
    /// Values by the names of columns.
    rows: Vec<BTreeMap<String, Value>>,
}

/// The rows of a view
#[utoipa::path(get, path = "/api/views/{name}", params(("name" = String, Path), ViewParameters), responses(
    (
        status = 200,
        description = "The rows; durable, the bytes of `walbook query --view` in JSON and CSV",
        content(
            (ViewRows = "application/json"),
            (String = "text/csv"),
            (Binary = "application/vnd.apache.arrow.stream"),
        ),
        headers(
            ("Walbook-Complete-To" = String, description = "For csv and arrow: what the answer is complete to, as JSON"),
            ("Walbook-Rejects" = String, description = "For csv and arrow: the rejects of the days, as JSON"),
            (
                "Walbook-Bad-Values" = String,
                description = "For csv and arrow with where: the values that it could not compute, as JSON"
            ),
        ),
    ),
    ApiErrors,
    ViewErrors,
))]
pub(in crate::server) async fn view(
    State(state): State<Arc<AppState>>,
    PathName(name): PathName,
    RawQuery(raw_query): RawQuery,
    request_headers: HeaderMap,
) -> Answer {
    let parameters = Parameters::read(raw_query.as_deref(), ViewParameters::ACCEPTED)?;
    let (name, query) = (name?, view_query(&parameters)?);
    let format = AnswerFormat::requested(&parameters, &request_headers)?;
    if format == AnswerFormat::Parquet {
        return Err(ApiError::bad_request(
            "no format \"parquet\": one of json, csv, arrow; the view's files are Parquet",
        ));
    }
    let snapshot = state.snapshot();
    let days = (query.days.from, query.days.to);
    let is_durable = RequestedLevel::read(&parameters, &snapshot)? == RequestedLevel::Durable;
    let written = match is_durable && snapshot.live.is_some() {
        true => from_files(&state, &snapshot, name.clone(), query, format).await?,
        false => {
            let question = format!("{name}?{}", raw_query.unwrap_or_default());
            from_memory(&state, snapshot, &name, query, (question, format)).await?
        }
    };
    let mut response = written.bytes.into_response(format.content_type());
    if format != AnswerFormat::Json {
        headers::add_complete_to(&mut response, &written.complete_to);
        headers::add_rejects(&mut response, written.rejects);
        written.bad_values.iter().for_each(|bad_values| headers::add_bad_values(&mut response, bad_values));
    }
    if parameters.is_set("download") {
        headers::add_download(&mut response, &state.name, &name, days, format);
    }
    Ok(response)
}

/// An answer in its format, and what headers say of it.
struct Written {
    bytes: BudgetedBytes,
    complete_to: CompleteTo,
    rejects: RejectCount,
    bad_values: Option<BadValues>,
}

fn view_query(parameters: &Parameters) -> Result<ViewQuery, ApiError> {
    let order = parameters.text("order").map(sql::Order::parse).transpose().map_err(QueryError::Order)?;
    Ok(ViewQuery {
        days: parameters.filter()?,
        condition: parameters.text("where").map(str::to_owned),
        order: order.unwrap_or_default(),
        limit: Some(parameters.number("limit", MOST_GROUPS, MOST_GROUPS)?),
    })
}

/// Answers from memory, at the newest closed epoch or commit.
async fn from_memory(
    state: &Arc<AppState>,
    snapshot: StateSnapshot,
    name: &str,
    query: ViewQuery,
    (question, format): (String, AnswerFormat),
) -> Result<Written, ApiError> {
    let (snapshot, table) = view_in_memory(state, snapshot, name).await?;
    let counts = Arc::clone(snapshot.counts());
    let (complete_to, rejects) = (counts.complete_to.clone(), counts.rejects(&query.days));
    let cache = state.counts_cache(&counts);
    let question = ("views", question, format);
    if let Some(bytes) = cache.answer(&counts, &question) {
        return Ok(Written { bytes, complete_to, rejects, bad_values: None });
    }
    let groups = table.groups.len();
    let (at, of_rows, has_condition) = (Arc::clone(&counts), complete_to.clone(), query.condition.is_some());
    let write = move || -> Result<(Vec<u8>, Option<BadValues>), ApiError> {
        let SelectedRows { rows, bad_values } = table.groups.rows(&query)?;
        let (time_zone, columns) = (at.time_zone.clone(), table.groups.columns());
        let answer = ViewAnswer { complete_to: of_rows, time_zone, rejects, columns, rows, bad_values };
        Ok((encoded(&answer, format), answer.bad_values))
    };
    let permit = if groups > FEW_ROWS { Some(state.permits.long.acquire().await?) } else { None };
    let (bytes, bad_values) = match groups {
        0..=QUICK_ROWS => write()?,
        _ => {
            run_blocking(move || {
                let _permit = permit;
                write()
            })
            .await??
        }
    };
    let bytes = state.answer_budget.charge(bytes)?;
    // What is kept has no place for what a condition could not compute.
    if !has_condition {
        cache.keep_answer(&counts, question, &bytes);
    }
    Ok(Written { bytes, complete_to, rejects, bad_values })
}

/// Answers from the files of the newest commit of the run, once the live state covers it.
async fn from_files(
    state: &Arc<AppState>,
    snapshot: &StateSnapshot,
    name: String,
    query: ViewQuery,
    format: AnswerFormat,
) -> Result<Written, ApiError> {
    snapshot.readable_view(&name).map_err(|why| unavailable(&name, why))?;
    let shared = Arc::clone(state);
    let read = move |budget: &QueryBudget<'_>| {
        let answer = query::view(&shared.book, &name, &query)?;
        while shared.live().is_some() && shared.durable().counts.complete_to.commit < answer.complete_to.commit {
            if (budget.is_cancelled)() {
                return Err(QueryError::TooSlow.into());
            }
            thread::sleep(COVER_INTERVAL);
        }
        Ok((encoded(&answer, format), answer))
    };
    let (bytes, answer) = query_files(&state.permits.files, usize::MAX, read).await?;
    let ViewAnswer { complete_to, rejects, bad_values, .. } = answer;
    Ok(Written { bytes: state.answer_budget.charge(bytes)?, complete_to, rejects, bad_values })
}

fn encoded(answer: &ViewAnswer, format: AnswerFormat) -> Vec<u8> {
    let text = |format| {
        let mut out = Vec::new();
        answer.print(format, &mut out).expect("memory takes all bytes");
        out
    };
    match format {
        AnswerFormat::Csv => text(Format::Csv),
        AnswerFormat::Arrow => answer.arrow(),
        AnswerFormat::Json | AnswerFormat::Parquet => text(Format::Json),
    }
}
