//! What a verification saw.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;

use crate::book::CompleteTo;

/// So many problems of a check are told; the others are only counted.
const TOLD: usize = 20;

/// What a verification saw.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Whether all checks hold.
    pub ok: bool,
    /// One for each promise.
    pub checks: Vec<Check>,
    /// The commit that was verified.
    pub complete_to: CompleteTo,
}

/// One promise, and whether it holds.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What it is about, one word.
    pub name: &'static str,
    /// Whether it holds. It may hold with problems: those are the producer's.
    pub ok: bool,
    /// What was compared, a sentence.
    pub seen: String,
    /// How many problems there are.
    pub problem_count: u64,
    /// What is wrong: the first twenty problems.
    pub problems: Vec<String>,
}

/// The problems of one check, while they are found.
#[derive(Debug, Default)]
pub(super) struct Problems {
    count: u64,
    /// By the number of the entry: threads find them in any order.
    told: BTreeSet<(u64, String)>,
}

impl Problems {
    /// Adds a problem of an entry.
    pub(super) fn add(&mut self, entry: u64, what: impl Into<String>) {
        self.count += 1;
        self.told.insert((entry, what.into()));
        if self.told.len() > TOLD {
            self.told.pop_last();
        }
    }

    /// The check, which holds if there are no problems.
    pub(super) fn check(self, name: &'static str, seen: String) -> Check {
        let problems = self.told.into_iter().map(|(_, what)| what).collect();
        Check { name, ok: self.count == 0, seen, problem_count: self.count, problems }
    }

    /// The check, which holds in any case.
    pub(super) fn note(self, name: &'static str, seen: String) -> Check {
        Check { ok: true, ..self.check(name, seen) }
    }
}

impl Report {
    pub(super) fn new(checks: Vec<Check>, complete_to: CompleteTo) -> Report {
        Report { ok: checks.iter().all(|check| check.ok), checks, complete_to }
    }

    /// Writes it for people.
    ///
    /// # Errors
    /// Whatever `out` says.
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
                writeln!(out, "{:width$}          {}", "", problem.escape_debug())?;
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
    /// Whatever `out` says.
    pub fn print_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }
}
