//! `/api/views`: the views of the book.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::book::CompleteTo;
use crate::book::log::entry::BadValueCount;
use crate::change::Day;
use crate::query::ViewColumn;
use crate::server::api::schema::ApiErrors;
use crate::server::error::Answer;
use crate::server::http::body;
use crate::server::http::parameters::Parameters;
use crate::server::state::{AppState, KnownView};

/// The views of the book at the newest commit, by name.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct Views {
    complete_to: CompleteTo,
    /// The book's time zone.
    time_zone: String,
    views: Vec<ViewSummary>,
}

/// A view.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct ViewSummary {
    name: String,
    /// Its declaration, in SQL.
    declared: String,
    /// Whether it has all changes of the book; if not, it is declared and not built yet.
    is_current: bool,
    /// How many groups its files have.
    groups: u64,
    /// How many files of rows there are.
    files: usize,
    bad_values: ViewBadValueCount,
    /// The first day of which it has all changes, if the events of older days were pruned when it was built.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    events_from: Option<Day>,
    /// Whether day itself is a group column, so that rows can be chosen by day.
    has_days: bool,
    /// Its columns; none if its declaration is of another version of walbook and cannot be read.
    columns: Vec<ViewColumn>,
}

/// Values that could not be computed and counted as NULL.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct ViewBadValueCount {
    count: u64,
    /// The first one: its expression, its value, and what is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, min_items = 3, max_items = 3)]
    first: Option<Vec<String>>,
}

impl From<&BadValueCount> for ViewBadValueCount {
    fn from(bad: &BadValueCount) -> ViewBadValueCount {
        let first = bad.first.clone();
        ViewBadValueCount {
            count: bad.count,
            first: first.map(|(expression, value, reason)| vec![expression, value, reason]),
        }
    }
}

/// The views of the book
#[utoipa::path(get, path = "/api/views", responses(
    (status = 200, description = "The views at the newest commit", body = Views, content_type = "application/json"),
    ApiErrors,
))]
pub(in crate::server) async fn views(State(state): State<Arc<AppState>>, RawQuery(query): RawQuery) -> Answer {
    Parameters::read(query.as_deref(), &[])?;
    let durable = state.durable();
    let views = durable.views.iter().map(|(name, known)| summary(name, known)).collect();
    let (complete_to, time_zone) = (durable.counts.complete_to.clone(), durable.counts.time_zone.clone());
    Ok(body::json(&Views { complete_to, time_zone, views }))
}

fn summary(name: &str, known: &KnownView) -> ViewSummary {
    let view = known.view.as_ref();
    ViewSummary {
        name: name.to_owned(),
        declared: known.declared.clone(),
        is_current: known.is_current,
        groups: known.groups,
        files: known.files,
        bad_values: (&known.bad_values).into(),
        events_from: known.events_from,
        has_days: view.is_ok_and(|view| view.has_days()),
        columns: view.map_or_else(|_| Vec::new(), |view| view.columns()),
    }
}
