//! `/api/tables`: the tables of the book, the largest first.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::board::Board;
use super::body;
use super::error::Answer;
use super::parameters::Parameters;

/// Answers `/api/tables`.
pub(super) async fn tables(State(board): State<Arc<Board>>, RawQuery(query): RawQuery) -> Answer {
    Parameters::read(query.as_deref(), &[])?;
    let live = board.live();
    let durable = board.durable();
    let moment = live.as_ref().map_or(&durable.moment, |live| &live.moment);
    let tables = moment.totals.tables();
    let tables = tables.iter().map(|sum| {
        let (first_day, last_day) = (sum.first_day, sum.last_day);
        json!({
            "schema": sum.name.schema, "table": sum.name.table, "count": sum.count,
            "first_day": first_day, "last_day": last_day,
        })
    });
    let tables: Vec<Value> = tables.collect();
    Ok(body::json(&json!({ "complete_to": moment.complete_to(), "tables": tables })))
}
