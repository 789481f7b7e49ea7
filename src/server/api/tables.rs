//! `/api/tables`: the tables of the book, the largest first.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::schema::ApiErrors;
use crate::book::CompleteTo;
use crate::change::Day;
use crate::query::TableSum;
use crate::server::error::Answer;
use crate::server::http::answer_format::AnswerFormat;
use crate::server::http::blocking::run_blocking;
use crate::server::http::body;
use crate::server::http::parameters::Parameters;
use crate::server::state::{AppState, CountsSnapshot};

/// The tables of the book, the largest first.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct Tables {
    complete_to: CompleteTo,
    tables: Vec<TableRow>,
}

/// A table, with the sum of its counts.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct TableRow {
    schema: String,
    table: String,
    count: u64,
    first_day: Day,
    last_day: Day,
}

/// The tables of the book, the largest first
#[utoipa::path(get, path = "/api/tables", responses(
    (status = 200, description = "The tables", body = Tables, content_type = "application/json"),
    ApiErrors,
))]
pub(in crate::server) async fn tables(State(state): State<Arc<AppState>>, RawQuery(query): RawQuery) -> Answer {
    Parameters::read(query.as_deref(), &[])?;
    let counts = Arc::clone(state.snapshot().counts());
    let cache = state.counts_cache(&counts);
    let question = ("tables", String::new(), AnswerFormat::Json);
    if let Some(bytes) = cache.answer(&counts, &question) {
        return Ok(bytes.into_response(AnswerFormat::Json.content_type()));
    }
    let shared = Arc::clone(&counts);
    let text = run_blocking(move || body::json_text(&tables_of(&shared))).await?;
    let bytes = state.answer_budget.charge(text.into_bytes())?;
    cache.keep_answer(&counts, question, &bytes);
    Ok(bytes.into_response(AnswerFormat::Json.content_type()))
}

fn tables_of(counts: &CountsSnapshot) -> Tables {
    let row = |TableSum { name, count, first_day, last_day }| TableRow {
        schema: name.schema.clone(),
        table: name.table.clone(),
        count,
        first_day,
        last_day,
    };
    Tables { complete_to: counts.complete_to.clone(), tables: counts.totals.tables().into_iter().map(row).collect() }
}
