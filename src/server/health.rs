//! `/healthz` and `/readyz`: for those who start and restart.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::board::Board;
use super::body;
use super::error::{Answer, ApiError};
use super::status::Situation;
use crate::book::entry::SourceKind;

/// A commit that is late by less is no reason to restart, however short the interval is.
const PATIENCE: i64 = 30_000_000;

/// Answers `/healthz`: fails when records wait and no commit has come for three intervals.
pub(super) async fn healthz(State(board): State<Arc<Board>>) -> Answer {
    let Some(run) = &board.run else { return Ok(well()) };
    let situation = Situation::of(&board);
    let last = board.durable().committed_at.unwrap_or(0).max(run.begun);
    let limit = i64::try_from(run.commit_interval.as_micros()).unwrap_or(i64::MAX).saturating_mul(3).max(PATIENCE);
    let silent = situation.now - last;
    // A file may end in the middle of a line, which nobody can read before it is written to its end.
    let waits = run.source != SourceKind::File && situation.lag.is_some_and(|lag| lag > 0);
    if waits && silent > limit {
        let what = if run.source.is_kafka() { "records wait" } else { "WAL waits" };
        let message = format!("{what}, and the last commit was {} s ago", silent / 1_000_000);
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stuck", message));
    }
    Ok(well())
}

/// Answers `/readyz`: a server that answers here has read its book.
pub(super) async fn readyz() -> Answer {
    Ok(well())
}

fn well() -> Response {
    body::answer("text/plain; charset=utf-8", "ok\n")
}
