//! What must be reached, and whether it was.

use serde::Serialize;

use super::figures::{Spread, ratios};
use super::results::{Figure, Report};

/// A bound and what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Verdict {
    pub(crate) what: &'static str,
    /// What of the report was compared, where that depends on what there is.
    pub(crate) compared: Option<String>,
    pub(crate) unit: &'static str,
    pub(crate) must: f64,
    /// Whether more is better.
    pub(crate) is_least: bool,
    /// The median; `None` when it was not measured.
    pub(crate) measured: Option<Spread>,
}

impl Verdict {
    /// Whether it is reached; `None` when it was not measured.
    pub(crate) fn is_reached(&self) -> Option<bool> {
        let median = self.measured?.median;
        Some(if self.is_least { median >= self.must } else { median <= self.must })
    }

    /// In words: reached, or by how much not.
    pub(crate) fn words(&self) -> String {
        match (self.is_reached(), self.measured) {
            (Some(false), Some(measured)) => {
                let off = (measured.median / self.must - 1.0) * 100.0;
                format!("**missed** by {:.0} %", off.abs())
            }
            (Some(_), _) => "reached".to_owned(),
            (None, _) => "not measured".to_owned(),
        }
    }
}

/// The names of what rows measure besides whole runs, and their bounds look for.
pub(crate) const LIVE_P99_AT_HALF: &str = "produced to live at half of full speed, p99";
pub(crate) const LIVE_P99_AT_10K: &str = "produced to live at 10 000/s, p99";
pub(crate) const IDLE: &str = "idle run, share of a core";
pub(crate) const QUERY_SECONDS: &str = "query of all counts";
pub(crate) const QUERY_MEGABYTES: &str = "query of all counts, peak memory";
pub(crate) const VERIFY_SECONDS: &str = "verify of 7 M events";

/// All bounds, with what a report says of them.
pub(crate) fn verdicts(report: &Report) -> Vec<Verdict> {
    let ratio = |row: &str, figure, of: &str, to: &str| report.row(row)?.ratio(figure, of, to);
    let figure = |row: &str, contestant: &str, figure| report.row(row)?.standing(contestant)?.spread(figure);
    let measured = |row: &str, what: &str| report.row(row)?.measured(what);
    let (least, most) = (true, false);
    let against_peers = [
        rate_against(report, "spark", "records/s against Spark, stream phase", 27.0),
        rate_against(report, "flink", "records/s against Flink, stream phase", 17.0),
    ];
    let all = [
        ("CPU of a million records, -w 2", "s", 0.85, most, figure("workers", "walbook -w 2", Figure::CpuPerMillion)),
        (
            "CPU against the bare drain, two of each",
            "×",
            2.0,
            most,
            ratio("workers", Figure::CpuPerMillion, "walbook -w 2", "bare drain, 2"),
        ),
        (LIVE_P99_AT_HALF, "ms", 150.0, most, measured("latency", LIVE_P99_AT_HALF)),
        (LIVE_P99_AT_10K, "ms", 60.0, most, measured("latency", LIVE_P99_AT_10K)),
        (IDLE, "%", 0.4, most, measured("growth", IDLE)),
        ("ten times the topic: CPU of a record", "×", 1.02, most, ratio("tenfold", Figure::CpuPerMillion, "10×", "1×")),
        ("ten times the topic: peak memory", "×", 1.02, most, ratio("tenfold", Figure::PeakBytes, "10×", "1×")),
        (
            "capture: rate against pg_recvlogical",
            "×",
            1.2,
            least,
            ratio("capture", Figure::WholeRate, "walbook capture", "pg_recvlogical"),
        ),
        (
            "capture: CPU of a million changes",
            "s",
            2.4,
            most,
            figure("capture", "walbook capture", Figure::CpuPerMillion),
        ),
        (VERIFY_SECONDS, "s", 0.5, most, measured("verify", VERIFY_SECONDS)),
        ("query over a year × 1 000 tables", "s", 0.2, most, measured("growth", QUERY_SECONDS)),
        ("query over a year × 1 000 tables, peak memory", "MB", 64.0, most, measured("growth", QUERY_MEGABYTES)),
    ];
    let others = all.map(|(what, unit, must, is_least, measured)| Verdict {
        what,
        compared: None,
        unit,
        must,
        is_least,
        measured,
    });
    against_peers.into_iter().chain(others).collect()
}

/// walbook's rate against a peer's, each on the largest topic that it has read: the start of a run should be a small part of it, and
/// a peer needs minutes for a topic that walbook reads in seconds.
fn rate_against(report: &Report, peer: &str, what: &'static str, must: f64) -> Verdict {
    let figure = Figure::StreamRate;
    let largest = |contestant: &str| report.row("peers")?.on_largest(contestant, figure);
    let both = largest("walbook").zip(largest(peer));
    let compared = both.map(|(ours, theirs)| format!("{} against {}", ours.on_records(), theirs.on_records()));
    let measured = both.and_then(|(ours, theirs)| ratios(&ours.figures(figure), &theirs.figures(figure)));
    Verdict { what, compared, unit: "×", must, is_least: true, measured }
}
