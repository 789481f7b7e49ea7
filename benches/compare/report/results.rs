//! What is measured: a run, the runs of one contestant, a row of contestants, and all rows.

use std::time::Duration;

use serde::Serialize;

use super::figures::{Spread, ratios};
use super::machine::Machine;
use super::markdown::rate;
use crate::measure::Measured;

/// One run of one contestant.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Run {
    pub(crate) records: u64,
    /// From the start of the process to its end.
    pub(crate) wall_seconds: f64,
    /// From its first record until everything is durable; without its start.
    pub(crate) stream_seconds: Option<f64>,
    /// User and system time of all its processes.
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_bytes: u64,
    /// How its counts differ from the right ones; `None` when they are right.
    pub(crate) wrong: Option<String>,
    /// Why it has no figures.
    pub(crate) failed: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) remark: Option<String>,
    /// Whether the machine was still busy when it began.
    pub(crate) began_busy: bool,
}

impl Run {
    /// A run that has ended.
    pub(crate) fn of(records: u64, measured: &Measured, wrong: Option<String>) -> Run {
        Run {
            records,
            wall_seconds: measured.wall.as_secs_f64(),
            cpu_seconds: measured.cpu.as_secs_f64(),
            peak_bytes: measured.peak_bytes,
            wrong,
            ..Run::default()
        }
    }

    /// A run that has failed.
    pub(crate) fn failed(reason: String) -> Run {
        Run { failed: Some(reason), ..Run::default() }
    }

    /// `None` for a run whose answer is wrong, too: how fast it was does not matter.
    fn figure(&self, figure: Figure) -> Option<f64> {
        if self.failed.is_some() || self.wrong.is_some() {
            return None;
        }
        let per = |seconds: f64| (seconds > 0.0).then(|| self.records as f64 / seconds);
        match figure {
            Figure::StreamRate => self.stream_seconds.and_then(per),
            Figure::WholeRate => per(self.wall_seconds),
            Figure::CpuPerMillion => (self.records > 0).then(|| self.cpu_seconds * 1e6 / self.records as f64),
            Figure::PeakBytes => Some(self.peak_bytes as f64),
        }
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Records a second from the first record until everything is durable.
    StreamRate,
    /// Records a second of the whole process.
    WholeRate,
    /// CPU seconds of a million records.
    CpuPerMillion,
    PeakBytes,
}

/// All runs of one contestant, in the order of the rounds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Standing {
    pub(crate) contestant: String,
    pub(crate) runs: Vec<Run>,
}

impl Standing {
    /// The spread of a figure over the rounds.
    pub(crate) fn spread(&self, figure: Figure) -> Option<Spread> {
        Spread::of(self.figures(figure).into_iter().flatten())
    }

    /// The label that says which topic it has read, if it has one, and its name.
    fn label_and_name(&self) -> (Option<&str>, &str) {
        self.contestant.split_once(": ").map_or((None, &*self.contestant), |(label, name)| (Some(label), name))
    }

    /// Its name with the number of records that it has read.
    pub(crate) fn on_records(&self) -> String {
        format!("{} on {} records", self.contestant, rate(self.records() as f64))
    }

    /// Records of its runs: one that failed has none.
    fn records(&self) -> u64 {
        self.runs.iter().map(|run| run.records).max().unwrap_or(0)
    }

    fn has(&self, figure: Figure) -> bool {
        self.spread(figure).is_some()
    }

    /// A figure round by round.
    pub(crate) fn figures(&self, figure: Figure) -> Vec<Option<f64>> {
        self.runs.iter().map(|run| run.figure(figure)).collect()
    }

    /// `right`, or what is wrong in the first run that is.
    pub(crate) fn correctness(&self) -> String {
        if let Some(reason) = self.runs.iter().find_map(|run| run.failed.as_ref()) {
            let failed = self.runs.iter().filter(|run| run.failed.is_some()).count();
            return format!("**failed** in {failed} of {} runs: {reason}", self.runs.len());
        }
        match self.runs.iter().find_map(|run| run.wrong.as_ref()) {
            Some(wrong) => format!("**wrong**: {wrong}"),
            None => "right".to_owned(),
        }
    }
}

/// Contestants that did the same, and what they did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// The name by which it is chosen.
    pub(crate) name: String,
    pub(crate) title: String,
    /// What they read.
    pub(crate) input: String,
    pub(crate) standings: Vec<Standing>,
    /// What follows from the standings, in the same order.
    pub(crate) summaries: Vec<Summary>,
    /// Figures that are none of a whole run, such as delays: what it is, the unit, and one figure for each round.
    pub(crate) measurements: Vec<Measurement>,
    /// Why the row has not been measured.
    pub(crate) failed: Option<String>,
    /// How long all of it took.
    pub(crate) took: Duration,
}

/// The runs of one contestant in short.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) contestant: String,
    pub(crate) rounds: usize,
    pub(crate) stream_rate: Option<Spread>,
    pub(crate) whole_rate: Option<Spread>,
    pub(crate) cpu_per_million: Option<Spread>,
    pub(crate) peak_bytes: Option<Spread>,
    /// How many times its rate the first contestant of the row, or of its label, has, round by round.
    pub(crate) rate_of_first: Option<Spread>,
    /// How many times the CPU of that one it needs for a record, round by round.
    pub(crate) cpu_to_first: Option<Spread>,
    pub(crate) correctness: String,
}

/// A figure by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Measurement {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) figures: Vec<f64>,
    /// What is wrong with what was measured, if anything.
    pub(crate) wrong: Option<String>,
}

impl Row {
    /// Whether everything ran and was right.
    pub(crate) fn is_right(&self) -> bool {
        let runs = self.standings.iter().flat_map(|standing| &standing.runs);
        self.failed.is_none()
            && runs.into_iter().all(|run| run.failed.is_none() && run.wrong.is_none())
            && self.measurements.iter().all(|measurement| measurement.wrong.is_none())
    }

    /// How many runs began while the machine was busy, and how many there are.
    pub(crate) fn busy_begins(&self) -> (usize, usize) {
        let runs = || self.standings.iter().flat_map(|standing| &standing.runs);
        (runs().filter(|run| run.began_busy).count(), runs().count())
    }

    /// Computes the summaries of what has been measured.
    pub(crate) fn summarize(&mut self) {
        let summary = |standing: &Standing| {
            let first = self.first_beside(standing);
            let rate = if standing.has(Figure::StreamRate) && first.has(Figure::StreamRate) {
                Figure::StreamRate
            } else {
                Figure::WholeRate
            };
            let cpu = Figure::CpuPerMillion;
            Summary {
                contestant: standing.contestant.clone(),
                rounds: standing.runs.len(),
                stream_rate: standing.spread(Figure::StreamRate),
                whole_rate: standing.spread(Figure::WholeRate),
                cpu_per_million: standing.spread(cpu),
                peak_bytes: standing.spread(Figure::PeakBytes),
                rate_of_first: ratios(&first.figures(rate), &standing.figures(rate)),
                cpu_to_first: ratios(&standing.figures(cpu), &first.figures(cpu)),
                correctness: standing.correctness(),
            }
        };
        self.summaries = self.standings.iter().map(summary).collect();
    }

    /// What a contestant is compared with: the first of those with its label, which have read the same, where there are several; else
    /// the first of all.
    fn first_beside<'r>(&'r self, standing: &'r Standing) -> &'r Standing {
        let label = standing.label_and_name().0;
        let mut same = self.standings.iter().filter(|other| other.label_and_name().0 == label);
        match (same.next(), same.next()) {
            (Some(first), Some(_)) => first,
            _ => self.standings.first().unwrap_or(standing),
        }
    }

    /// The standing of the contestant whose name begins so.
    pub(crate) fn standing(&self, prefix: &str) -> Option<&Standing> {
        self.standings.iter().find(|standing| standing.contestant.starts_with(prefix))
    }

    /// The standing of a contestant on the largest topic of which it has a figure; its name may have a label before it.
    pub(crate) fn on_largest(&self, prefix: &str, figure: Figure) -> Option<&Standing> {
        let is_of = |standing: &&Standing| standing.label_and_name().1.starts_with(prefix) && standing.has(figure);
        self.standings.iter().filter(is_of).max_by_key(|standing| standing.records())
    }

    /// The ratio of a figure of two contestants, by rounds.
    pub(crate) fn ratio(&self, figure: Figure, of: &str, to: &str) -> Option<Spread> {
        ratios(&self.standing(of)?.figures(figure), &self.standing(to)?.figures(figure))
    }

    /// The spread of a measurement; `None` when something was wrong with what was measured.
    pub(crate) fn measured(&self, what: &str) -> Option<Spread> {
        let found = self.measurements.iter().find(|known| known.what == what && known.wrong.is_none())?;
        Spread::of(found.figures.iter().copied())
    }
}

/// What was not compared, and why.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LeftOut {
    pub(crate) what: String,
    pub(crate) why: String,
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// The command that makes it again.
    pub(crate) command: String,
    pub(crate) is_full: bool,
    pub(crate) began: String,
    pub(crate) seconds: f64,
    pub(crate) seed: u64,
    pub(crate) machine: Machine,
    /// Program and version.
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) rows: Vec<Row>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) musts: Vec<super::musts::Verdict>,
}

impl Report {
    /// The row of a name, if it was measured.
    pub(crate) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }
}
