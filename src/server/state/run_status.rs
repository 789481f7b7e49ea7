//! The status of a run and of its slot: whether it is live, and if not, why.

use std::time::Duration;

use bytesize::ByteSize;
use serde::Serialize;
use utoipa::ToSchema;

use super::run_state::{PartitionStatus, RunState};
use super::snapshot::StateSnapshot;
use crate::book::log::entry::SourceKind;
use crate::book::rfc3339;
use crate::change::Partition;
use crate::cluster::{ClusterReport, ProcessReport};

/// A partition that is further behind, in seconds, is not live. A run that keeps up can still be reported up to 6 s behind: ends
/// are asked for each second, quiet epochs last about one, and frames may pause for four.
const LIVE_WITHIN: f64 = 7.0;

/// Whether a run keeps up with its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::server) enum RunPhase {
    Live,
    CatchingUp,
    Waiting,
    Disconnected,
    AtRest,
}

/// The status of a run at one instant.
pub(in crate::server) struct RunStatus {
    pub(in crate::server) state: RunPhase,
    pub(in crate::server) reason: Option<String>,
    /// Every record that the topics held at this instant was read.
    pub(in crate::server) complete_at: Option<i64>,
    /// What can be read and was not, as far as is known: records of Kafka, bytes of other sources.
    pub(in crate::server) lag: Option<u64>,
    pub(in crate::server) partitions: Vec<PartitionStatus>,
    /// The processes of the run's cluster; `None` for a single process.
    pub(in crate::server) cluster: Option<ClusterReport>,
    /// What is wrong with another process of it, in words.
    pub(in crate::server) cluster_fault: Option<String>,
}

impl RunStatus {
    /// The status of the run of this process in a snapshot.
    pub(in crate::server) fn new(run: Option<&RunState>, snapshot: &StateSnapshot) -> RunStatus {
        let (Some(run), Some(live)) = (run, &snapshot.live) else {
            let reason =
                run.map(|_| "another run has taken the book over: what this one reads does not count".to_owned());
            let (state, partitions) = (RunPhase::AtRest, Vec::new());
            return RunStatus {
                state,
                reason,
                complete_at: None,
                lag: None,
                partitions,
                cluster: None,
                cluster_fault: None,
            };
        };
        let now = snapshot.now;
        let (source, knows_ends) = (run.settings.source, run.settings.knows_ends);
        let partitions = run.partitions(live, now);
        let lag = match knows_ends {
            true => partitions.iter().map(|partition| partition.lag).sum::<Option<u64>>(),
            false => None,
        };
        let read_to = partitions.iter().map(|partition| partition.read_to);
        // The earliest one; without an instant of each partition there is none of all.
        let complete_at = read_to.collect::<Option<Vec<i64>>>().and_then(|times| times.into_iter().min());
        let is_late = |partition: &&PartitionStatus| {
            partition.lag.is_some_and(|lag| lag > 0)
                // Until it is certain up to when everything was read, it may be long ago.
                && (partition.caught_up_at.is_none()
                    || partition.lag_seconds.is_none_or(|seconds| seconds > LIVE_WITHIN))
        };
        let seconds = |partition: &PartitionStatus| partition.lag_seconds.unwrap_or(f64::INFINITY);
        let worst = partitions.iter().filter(is_late).max_by(|one, other| seconds(one).total_cmp(&seconds(other)));
        let is_empty = live.counts.totals.first_day().is_none() && live.rejects == 0;
        let cluster = run.cluster(now);
        let silent = cluster.as_ref().and_then(silent_process);
        let without_source = cluster.as_ref().and_then(process_without_source);
        let (state, reason) = if let Some((error, since)) = run.source_error(now) {
            let name = if source == SourceKind::Slot { "server of the slot" } else { &source.to_string() };
            (RunPhase::Disconnected, Some(format!("no answer from the {name} since {}: {error}", rfc3339(since))))
        } else if let Some(without_source) = &without_source {
            (RunPhase::Disconnected, Some(without_source.clone()))
        } else if let Some(worst) = worst {
            (RunPhase::CatchingUp, Some(behind_text(worst, source)))
        } else if knows_ends && lag.is_none() {
            (RunPhase::CatchingUp, Some(format!("where the {source} ends is not known yet")))
        } else {
            let is_waiting = is_empty && lag.unwrap_or(0) == 0;
            (if is_waiting { RunPhase::Waiting } else { RunPhase::Live }, open_text(&partitions, now))
        };
        let reason = silent.clone().or(without_source.clone()).or(reason);
        // Health needs no token: the error is only in the status.
        let without_reason =
            cluster.as_ref().filter(|_| without_source.is_some()).and_then(ClusterReport::without_source);
        let cluster_fault = silent.or(without_reason.map(|(process, ago, _)| without_source_text(process, ago)));
        RunStatus { state, reason, complete_at, lag, partitions, cluster, cluster_fault }
    }

    /// Whether there are unread records, or may be.
    pub(in crate::server) fn is_behind(&self) -> bool {
        matches!(self.state, RunPhase::CatchingUp | RunPhase::Disconnected)
    }
}

/// The status of a replication slot.
#[derive(Clone, Debug)]
pub struct SlotReport {
    /// Its name.
    pub name: String,
    /// Whether a connection reads it.
    pub active: bool,
    /// The confirmed LSN, `X/Y`.
    pub confirmed_lsn: Option<String>,
    /// The oldest WAL that the server keeps for it, `X/Y`.
    pub restart_lsn: Option<String>,
    /// Bytes of WAL after the confirmed LSN.
    pub lag_bytes: Option<i64>,
    /// Bytes of WAL that the server keeps for it.
    pub retained_bytes: Option<i64>,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: Option<String>,
}

/// The status of a slot when its server last answered.
pub(in crate::server) struct ObservedSlot {
    pub(in crate::server) slot: SlotReport,
    /// When the server was asked, in microseconds since 1970-01-01 UTC.
    pub(in crate::server) observed_at: i64,
}

/// Asks for the status of a slot; `None` when it is gone.
pub type AskSlot = dyn Fn() -> Result<Option<SlotReport>, String> + Send;

fn behind_text(worst: &PartitionStatus, source: SourceKind) -> String {
    let (topic, number) = (&worst.partition.topic, worst.partition.number);
    let name = if source.is_kafka() { format!("partition {number} of {topic}") } else { format!("{source} {topic}") };
    // Seconds only where they matter: with a producer's clock that is ahead they would always be 0.
    match worst.lag_seconds.filter(|seconds| *seconds > LIVE_WITHIN) {
        Some(seconds) => format!("{name} is {} behind", duration_text(seconds)),
        None => format!("{name} is {} behind", lag_text(worst.lag.unwrap_or(0), source)),
    }
}

/// Which process of a cluster does not answer, if one does not.
fn silent_process(cluster: &ClusterReport) -> Option<String> {
    let process = cluster.silent().max_by_key(|process| process.silent)?;
    Some(format!("{} has not answered for {}", process.name(), duration_text(process.silent.as_secs_f64())))
}

/// Which process of a cluster does not reach what it reads, though another one does, and why.
fn process_without_source(cluster: &ClusterReport) -> Option<String> {
    let (process, ago, error) = cluster.without_source()?;
    Some(format!("{}: {error}", without_source_text(process, ago)))
}

fn without_source_text(process: &ProcessReport, ago: Duration) -> String {
    format!("{} has not reached what it reads for {}", process.name(), duration_text(ago.as_secs_f64()))
}

/// Why `complete_at` stands still although nothing is late: a transaction that has been open for a while.
fn open_text(partitions: &[PartitionStatus], now: i64) -> Option<String> {
    let open = partitions.iter().filter_map(|partition| Some((partition.open_since?, &partition.partition)));
    let (since, Partition { topic, number }) = open.min_by_key(|(since, _)| *since)?;
    let text = || {
        let since = rfc3339(since);
        format!(
            "a transaction is open in partition {number} of {topic} since {since}; what it wrote is not counted yet"
        )
    };
    ((now - since) as f64 / 1e6 > LIVE_WITHIN).then(text)
}

/// A lag in words; the number of changes in WAL or in a file is not known before they are read.
fn lag_text(lag: u64, source: SourceKind) -> String {
    match lag {
        _ if !source.is_kafka() => ByteSize(lag).display().si().to_string(),
        1 => "1 record".to_owned(),
        _ => format!("{} records", grouped(lag)),
    }
}

fn duration_text(seconds: f64) -> String {
    let seconds = seconds as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600, seconds / 60);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} min"),
        3_600..86_400 => format!("{hours} h {:02} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// A number with groups of three digits: `1 200`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32, open_since: Option<i64>) -> PartitionStatus {
        PartitionStatus {
            is_discovered: true,
            partition: Partition { topic: "shop".to_owned(), number },
            next: 5,
            end: Some(5),
            lag: Some(0),
            lag_seconds: Some(0.0),
            caught_up_at: Some(90_000_000),
            read_to: Some(1_000_000),
            open_since,
        }
    }

    #[test]
    fn a_lag_is_given_in_seconds_only_where_they_matter() {
        let behind = |lag, lag_seconds| PartitionStatus { lag: Some(lag), lag_seconds, ..partition(0, None) };
        let text = |lag, seconds| behind_text(&behind(lag, seconds), SourceKind::Kafka);
        assert_eq!(text(1_200, Some(0.0)), "partition 0 of shop is 1 200 records behind");
        assert_eq!(text(1, Some(6.9)), "partition 0 of shop is 1 record behind");
        assert_eq!(text(1_234_567, None), "partition 0 of shop is 1 234 567 records behind");
        assert_eq!(text(7, Some(61.0)), "partition 0 of shop is 1 min behind");
        let slot = behind_text(&behind(203_454_480, None), SourceKind::Slot);
        assert_eq!(slot, "replication slot shop is 203.5 MB behind");
    }

    #[test]
    fn a_transaction_that_stays_open_is_a_reason_and_a_short_one_is_not() {
        let partitions = [partition(0, None), partition(3, Some(10_000_000)), partition(4, Some(80_000_000))];
        assert_eq!(open_text(&partitions, 14_000_000), None);
        let text = open_text(&partitions, 90_000_000).expect("it is open for long");
        assert!(text.starts_with("a transaction is open in partition 3 of shop since 1970-01-01T00:00:10"), "{text}");
        assert_eq!(open_text(&partitions[..1], 90_000_000), None);
    }

    #[test]
    fn durations_are_rounded_to_two_units() {
        for (seconds, text) in
            [(0.4, "0 s"), (59.9, "59 s"), (180.0, "3 min"), (25_320.0, "7 h 02 min"), (367_200.0, "4 d 6 h")]
        {
            assert_eq!(duration_text(seconds), text);
        }
    }
}
