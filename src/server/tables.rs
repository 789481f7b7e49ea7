//! `/api/tables`: the tables of the book, the largest first.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::aside::aside;
use super::board::Board;
use super::body;
use super::counts::Format;
use super::error::Answer;
use super::moment::Moment;
use super::parameters::Parameters;

/// Answers `/api/tables`.
pub(super) async fn tables(State(board): State<Arc<Board>>, RawQuery(query): RawQuery) -> Answer {
    Parameters::read(query.as_deref(), &[])?;
    let live = board.live().map(|live| Arc::clone(&live.moment));
    let moment = live.unwrap_or_else(|| Arc::clone(&board.durable().moment));
    let recent = &board.recent[moment.level()];
    let question = ("tables", String::new(), Format::Json);
    if let Some(given) = recent.find(&moment, &question) {
        return Ok(body::answer(Format::Json.content_type(), given));
    }
    let at = Arc::clone(&moment);
    let text = Bytes::from(aside(move || text(&at)).await?);
    recent.keep(&moment, question, &text);
    Ok(body::answer(Format::Json.content_type(), text))
}

fn text(moment: &Moment) -> String {
    let tables = moment.totals.tables();
    let tables = tables.iter().map(|sum| {
        let (first_day, last_day) = (sum.first_day, sum.last_day);
        json!({
            "schema": sum.name.schema, "table": sum.name.table, "count": sum.count,
            "first_day": first_day, "last_day": last_day,
        })
    });
    let tables: Vec<Value> = tables.collect();
    format!("{}\n", json!({ "complete_to": moment.complete_to(), "tables": tables }))
}
