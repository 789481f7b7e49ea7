//! The request for a stream, and the events that it gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::sync::mpsc::channel;
use utoipa::ToSchema;

use super::watched::Watched;
use super::watcher::Watcher;
use crate::book::CompleteTo;
use crate::query::{RejectCount, ViewColumn};
use crate::server::api::counts::CountsAnswerRow;
use crate::server::api::schema::ApiErrors;
use crate::server::api::status_body::LiveStatus;
use crate::server::api::views::ViewErrors;
use crate::server::error::{Answer, ApiError};
use crate::server::http::accepted_parameters::{
    AcceptedParameter, DAY, FROM, OP, TABLE, TO, Values, accepted_parameters,
};
use crate::server::http::parameters::Parameters;
use crate::server::http::{body, gzip};
use crate::server::state::AppState;

const VIEW: AcceptedParameter =
    AcceptedParameter::new("view", "The rows of this view instead of counts; without table and op", Values::Text);
const LAST_EVENT_ID: AcceptedParameter = AcceptedParameter::new(
    "last_event_id",
    "As the header Last-Event-ID: the id of the last event that was received",
    Values::Text,
);
accepted_parameters!(LiveParameters: FROM, TO, DAY, TABLE, OP, VIEW, LAST_EVENT_ID);

/// The data of an event `snapshot`: all counts.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written piece by piece")]
pub(in crate::server) struct LiveSnapshot {
    complete_to: CompleteTo,
    /// The book's time zone.
    time_zone: String,
    rejects: RejectCount,
    rows: Vec<CountsAnswerRow>,
    status: LiveStatus,
}

/// The data of an event `delta`: the counts that changed, with their new values.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written row by row")]
pub(in crate::server) struct LiveDelta {
    complete_to: CompleteTo,
    rows: Vec<CountsAnswerRow>,
    status: LiveStatus,
}

/// The data of an event `snapshot` of a view: all rows.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written piece by piece")]
pub(in crate::server) struct LiveViewSnapshot {
    complete_to: CompleteTo,
    /// The book's time zone.
    time_zone: String,
    rejects: RejectCount,
    columns: Vec<ViewColumn>,
    /// Values by the names of columns.
    rows: Vec<BTreeMap<String, Value>>,
    status: LiveStatus,
}

/// The data of an event `delta` of a view: the rows of the groups that changed.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written row by row")]
pub(in crate::server) struct LiveViewDelta {
    complete_to: CompleteTo,
    /// Values by the names of columns.
    rows: Vec<BTreeMap<String, Value>>,
    status: LiveStatus,
}

/// Counts or rows of a view as they change: Server-Sent Events snapshot and delta
///
/// The data of a snapshot is a LiveSnapshot, that of a delta a LiveDelta; of a view a LiveViewSnapshot and a LiveViewDelta.
#[utoipa::path(get, path = "/api/live", params(LiveParameters), responses(
    (status = 200, description = "A stream without end", body = String, content_type = "text/event-stream"),
    ApiErrors,
    ViewErrors,
))]
pub(in crate::server) async fn live(
    State(state): State<Arc<AppState>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer {
    let parameters = Parameters::read(query.as_deref(), LiveParameters::ACCEPTED)?;
    let watched = match parameters.text("view") {
        None => Watched::Counts(parameters.filter()?),
        Some(_) if parameters.text("table").or(parameters.text("op")).is_some() => {
            return Err(ApiError::bad_request("table and op are of counts: a view has its own columns"));
        }
        Some(name) => Watched::View { name: name.to_owned(), days: parameters.filter()? },
    };
    let permit = Arc::clone(&state.watchers).try_acquire_owned();
    let permit = permit.map_err(|_| ApiError::busy("too many clients watch; try again later"))?;
    // Refuse what cannot be watched now, not within the stream.
    watched.check(&state).await?;
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok()).or(parameters.text("last_event_id"));
    let resume = last_id.and_then(|id| watched.resume(&state, id));
    let (pieces, receiver) = channel(1);
    let is_gzip = gzip::is_accepted(&headers);
    let selection =
        ["view", "from", "to", "day", "table", "op"].map(|name| parameters.text(name).unwrap_or_default()).join("\n");
    let encoding = format!("{is_gzip}\n{selection}");
    let watcher = Watcher { newest: state.frames.watch(), state, watched, encoding, is_gzip, pieces, _permit: permit };
    tokio::spawn(watcher.run(resume));
    let mut response = body::answer("text/event-stream", body::received(receiver));
    // A proxy that buffers would delay every event.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    if is_gzip {
        gzip::mark(response.headers_mut());
    }
    Ok(response)
}
