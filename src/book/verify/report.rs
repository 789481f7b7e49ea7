//! The result of a verification.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;

use crate::book::CompleteTo;
use crate::book::printable;

/// The number of problems of a check that are listed; the others are only counted.
pub(super) const LISTED: usize = 20;

/// The result of a verification.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether all checks hold.
    pub ok: bool,
    /// One for each promise.
    pub checks: Vec<Check>,
    /// Fields beside lines (`lsn`, `xid`, `commit_time`, …) that could not be read: they are null in the events.
    pub unreadable_fields: u64,
    /// The commit that was verified.
    pub complete_to: CompleteTo,
}

/// One promise, and whether it holds.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Its name, one word.
    pub name: &'static str,
    /// Whether it holds. It may hold with problems: those are the producer's.
    pub ok: bool,
    /// What was compared, as a sentence.
    pub seen: String,
    /// The number of problems.
    pub problem_count: u64,
    /// The first twenty problems.
    pub problems: Vec<String>,
}

/// The problems of one check while it runs.
#[derive(Debug, Default)]
pub(super) struct Problems {
    count: u64,
    /// By the number of the entry: threads find problems in any order.
    listed: BTreeSet<(u64, String)>,
}

impl Problems {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a problem of an entry.
    pub(super) fn add(&mut self, entry: u64, what: impl Into<String>) {
        self.count += 1;
        self.listed.insert((entry, what.into()));
        if self.listed.len() > LISTED {
            self.listed.pop_last();
        }
    }

    /// The check, which holds if there are no problems.
    pub(super) fn check(self, name: &'static str, seen: String) -> Check {
        let problems = self.listed.into_iter().map(|(_, what)| what).collect();
        Check { name, ok: self.count == 0, seen, problem_count: self.count, problems }
    }

    /// The check, which holds in any case.
    pub(super) fn note(self, name: &'static str, seen: String) -> Check {
        Check { ok: true, ..self.check(name, seen) }
    }
}

impl Report {
    pub(super) fn new(checks: Vec<Check>, complete_to: CompleteTo) -> Report {
        Report { ok: checks.iter().all(|check| check.ok), checks, unreadable_fields: 0, complete_to }
    }

    /// Writes it for people.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn print_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
        for check in &self.checks {
            let result = match (check.ok, check.problem_count) {
                (true, 0) => "ok",
                (true, _) => "note",
                (false, _) => "FAILED",
            };
            writeln!(out, "{:<width$}  {result:<6}  {}", check.name, check.seen)?;
            for problem in &check.problems {
                writeln!(out, "{:width$}          {}", "", printable(problem))?;
            }
            let more = check.problem_count.saturating_sub(check.problems.len() as u64);
            if more > 0 {
                writeln!(out, "{:width$}          … and {more} more", "")?;
            }
        }
        let result = if self.ok { "The book is whole." } else { "The book is NOT whole." };
        writeln!(out, "{result} {}", self.complete_to)
    }

    /// Writes it for programs: one JSON object.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn print_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }
}
