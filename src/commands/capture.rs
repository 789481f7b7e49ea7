//! `walbook capture`: a replication slot → Kafka, each change exactly once.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::info;

use super::signals;
use super::terminal::progress_line::{ProgressLine, RecordRate};
use crate::capture::{CaptureProgress, capture as capture_slot};
use crate::change::{Failure, WithContext};
use crate::control::Shutdown;
use crate::settings::args::CaptureArgs;
use crate::settings::capture_settings;

/// How long a capture may take to end after a signal; ending early loses nothing.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(1600);

/// Captures until the end, a signal or a failure.
pub(super) fn capture(args: CaptureArgs) -> Result<(), Failure> {
    let settings = capture_settings(args)?;
    let (shutdown, progress) = (Shutdown::new(), CaptureProgress::new());
    signals::listen_with_timeout(&shutdown, SHUTDOWN_TIMEOUT).context("could not listen to signals")?;
    info!(
        slot = settings.slot.slot,
        postgres = %settings.slot.connect,
        topic = settings.topic,
        brokers = settings.kafka.brokers,
        "starting to capture"
    );
    let line = progress_line(progress.clone());
    let start = Instant::now();
    let ended = capture_slot(&settings, &shutdown, &progress);
    drop(line);
    ended?;
    let seconds = start.elapsed().as_secs_f64();
    info!(records = progress.records(), bytes = progress.bytes(), position = %progress.position(), seconds, "done");
    Ok(())
}

fn progress_line(progress: CaptureProgress) -> ProgressLine {
    let mut rate = RecordRate::new();
    ProgressLine::start(move || {
        let records = progress.records();
        let (rate, seconds) = (rate.per_second(records), seconds_behind(progress.commit_time()));
        Some(format!("{records} records, {rate} records/s, {seconds} s behind, position {}", progress.position()))
    })
}

/// Seconds since the commit of the newest captured transaction, if others may follow it.
fn seconds_behind(commit_time: Option<i64>) -> u64 {
    let committed = commit_time.and_then(|micros| u64::try_from(micros).ok()).map(Duration::from_micros);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    committed.map_or(0, |committed| now.saturating_sub(committed).as_secs())
}
