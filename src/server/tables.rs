//! `/api/tables`: the tables of the book, the largest first.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::aside::aside;
use super::board::Board;
use super::counts::Format;
use super::error::Answer;
use super::memory::Memory;
use super::moment::Moment;
use super::parameters::Parameters;
use super::view::View;

/// Answers `/api/tables`.
pub(super) async fn tables(State(board): State<Arc<Board>>, RawQuery(query): RawQuery) -> Answer {
    Parameters::read(query.as_deref(), &[])?;
    let moment = Arc::clone(View::of(&board).moment());
    let recent = &board.recent[moment.level()];
    let question = ("tables", String::new(), Format::Json);
    if let Some(given) = recent.find(&moment, &question) {
        return Ok(Memory::answer(Format::Json.content_type(), given));
    }
    let at = Arc::clone(&moment);
    let text = board.memory.hold(aside(move || text(&at)).await?.into_bytes())?;
    recent.keep(&moment, question, &text);
    Ok(Memory::answer(Format::Json.content_type(), text))
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
