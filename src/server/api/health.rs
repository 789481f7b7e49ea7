//! `/healthz` and `/readyz`: for programs that start and restart this one.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::schema::{Error, GuardErrors};
use crate::book::log::entry::SourceKind;
use crate::server::error::{Answer, ApiError};
use crate::server::http::body;
use crate::server::state::AppState;

/// The shortest delay, in microseconds, that makes a run unhealthy, however short the commit interval is.
const SHORTEST_DELAY: i64 = 10_000_000;

/// Fails when records wait and there was no commit for three intervals, or when a process of the cluster does not answer
///
/// In a cluster it also fails while a process does not reach what it reads and another one does.
/// A slot is healthy while more of a large transaction arrives, or while its server reads old WAL.
#[utoipa::path(get, path = "/healthz", security(()), responses(
    (status = 200, description = "Healthy", body = String, content_type = "text/plain"),
    GuardErrors,
    (status = 503, response = Error),
))]
pub(in crate::server) async fn healthz(State(state): State<Arc<AppState>>) -> Answer {
    let snapshot = state.snapshot();
    let Some(run) = state.run_in(&snapshot) else { return Ok(ok()) };
    let run_status = state.run_status(&snapshot);
    if let Some(fault) = run_status.cluster_fault {
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_answer", fault));
    }
    // A partition that the run has yet to discover is no reason to restart it.
    let found = run_status.partitions.iter().filter(|partition| partition.is_discovered);
    let lag = found.map(|partition| partition.lag).sum();
    // Ignore commits of earlier runs: they used another clock. After a pause in the input, count from when records began to
    // wait, not from the last commit.
    let committed = snapshot.durable.committed_at.filter(|_| run.settings.progress.commit() > 0).unwrap_or(0);
    let last = committed.max(run.begun).max(run.stalled_since());
    let interval = i64::try_from(run.settings.commit_interval.as_micros()).unwrap_or(i64::MAX);
    let limit = interval.saturating_mul(3).max(SHORTEST_DELAY);
    match stuck(run.settings.source, lag, snapshot.now - last, limit) {
        Some(message) => Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stuck", message)),
        None => Ok(ok()),
    }
}

/// Why a run without a commit for `silent` microseconds is unhealthy, if it is.
fn stuck(source: SourceKind, lag: Option<u64>, silent: i64, limit: i64) -> Option<String> {
    let seconds = silent / 1_000_000;
    match source {
        SourceKind::Kafka if lag? > 0 && silent > limit => {
            Some(format!("records wait, and nothing was committed for {seconds} s"))
        }
        SourceKind::Slot if lag? > 0 && silent > limit => {
            Some(format!("WAL waits, and nothing was committed for {seconds} s"))
        }
        // A file may end in the middle of a line, which cannot be read before the rest is written.
        SourceKind::Kafka | SourceKind::Slot | SourceKind::File => None,
    }
}

/// Answers once the book has been read
#[utoipa::path(get, path = "/readyz", security(()), responses(
    (status = 200, description = "Ready", body = String, content_type = "text/plain"),
    GuardErrors,
    (status = 503, response = Error),
))]
pub(in crate::server) async fn readyz() -> Answer {
    Ok(ok())
}

fn ok() -> Response {
    body::answer("text/plain; charset=utf-8", "ok\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_stuck_only_if_it_is_behind_and_does_not_commit() {
        for source in [SourceKind::Kafka, SourceKind::Slot] {
            assert!(stuck(source, Some(1), 31_000_000, 30_000_000).is_some_and(|why| why.contains("31 s")));
            for (lag, silent) in [(Some(1), 29_000_000), (Some(0), 99_000_000), (None, 99_000_000)] {
                assert_eq!(stuck(source, lag, silent, 30_000_000), None);
            }
        }
        assert_eq!(stuck(SourceKind::File, Some(1), 99_000_000, 30_000_000), None);
    }
}
