//! `/healthz` and `/readyz`: for those who start and restart.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::board::Board;
use super::body;
use super::error::{Answer, ApiError};
use super::situation::Situation;
use super::view::View;
use crate::book::entry::SourceKind;

/// A commit that is late by less is no reason to restart, however short the interval is.
const PATIENCE: i64 = 10_000_000;

/// Answers `/healthz`: fails when records wait and no commit has come for three intervals, unless a transaction of a slot is
/// on its way that long, of which nothing can be committed before its end, or its server goes through old WAL to begin.
pub(super) async fn healthz(State(board): State<Arc<Board>>) -> Answer {
    let view = View::of(&board);
    let Some(run) = view.run(&board) else { return Ok(well()) };
    let situation = Situation::of(&board, &view);
    // A partition that the run will look for soon is no reason to restart it.
    let found = situation.partitions.iter().filter(|partition| partition.is_found);
    let lag = found.map(|partition| partition.lag).sum();
    // After a pause the last commit may be long ago: it counts how long something waits already. That of a run before is
    // nothing that this one did, and of its own clock.
    let committed = view.durable.committed_at.filter(|_| run.progress.commit() > 0).unwrap_or(0);
    let last = committed.max(run.begun).max(run.waits_since());
    let limit = i64::try_from(run.commit_interval.as_micros()).unwrap_or(i64::MAX).saturating_mul(3).max(PATIENCE);
    match stuck(run.source, lag, view.now - last, limit) {
        Some(message) => Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stuck", message)),
        None => Ok(well()),
    }
}

/// Why a run is not well that has not committed for so long, if it is not.
fn stuck(source: SourceKind, lag: Option<u64>, silent: i64, limit: i64) -> Option<String> {
    let seconds = silent / 1_000_000;
    match source {
        SourceKind::Kafka if lag? > 0 && silent > limit => {
            Some(format!("records wait, and for {seconds} s nothing was committed"))
        }
        SourceKind::Slot if lag? > 0 && silent > limit => {
            Some(format!("WAL waits, and for {seconds} s nothing was committed"))
        }
        // A file may end in the middle of a line, which nobody can read before it is written to its end.
        SourceKind::Kafka | SourceKind::Slot | SourceKind::File => None,
    }
}

/// Answers `/readyz`: a server that answers here has read its book.
pub(super) async fn readyz() -> Answer {
    Ok(well())
}

fn well() -> Response {
    body::answer("text/plain; charset=utf-8", "ok\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_behind_and_does_not_commit_is_stuck() {
        for source in [SourceKind::Kafka, SourceKind::Slot] {
            assert!(stuck(source, Some(1), 31_000_000, 30_000_000).is_some_and(|why| why.contains("31 s")));
            for (lag, silent) in [(Some(1), 29_000_000), (Some(0), 99_000_000), (None, 99_000_000)] {
                assert_eq!(stuck(source, lag, silent, 30_000_000), None);
            }
        }
        assert_eq!(stuck(SourceKind::File, Some(1), 99_000_000, 30_000_000), None);
    }
}
