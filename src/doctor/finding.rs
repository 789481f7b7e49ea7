//! One check and its result; and all of them together.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::replication::{Severity, SlotHealth};

/// One check and its result.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What was checked: `server`, `role`, `tables`, `slot`, `topic`, `connect`, `book`.
    pub subject: &'static str,
    /// The name of the check.
    pub check: String,
    /// The result.
    #[serde(serialize_with = "as_word")]
    pub state: Severity,
    /// What was seen, and what it means.
    pub seen: String,
    /// A command, or a step, that fixes it.
    pub command: Option<String>,
}

fn as_word<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(severity.as_str())
}

impl Finding {
    /// Nothing needs doing.
    pub(super) fn ok(subject: &'static str, check: &str, seen: impl Into<String>) -> Finding {
        Finding { subject, check: check.to_owned(), state: Severity::Ok, seen: seen.into(), command: None }
    }

    /// It may go wrong, or works worse than it could.
    pub(super) fn warning(subject: &'static str, check: &str, seen: impl Into<String>) -> Finding {
        Finding { state: Severity::Warning, ..Finding::ok(subject, check, seen) }
    }

    /// It does not work, or will stop working.
    pub(super) fn problem(subject: &'static str, check: &str, seen: impl Into<String>) -> Finding {
        Finding { state: Severity::Problem, ..Finding::ok(subject, check, seen) }
    }

    /// Adds what fixes it.
    pub(super) fn fix(self, command: impl Into<String>) -> Finding {
        Finding { command: Some(command.into()), ..self }
    }

    /// The health of a slot.
    pub(super) fn of_slot(subject: &'static str, check: &str, health: SlotHealth) -> Finding {
        let SlotHealth { severity, text, command } = health;
        Finding { subject, check: check.to_owned(), state: severity, seen: text, command }
    }
}

/// All findings of an examination.
#[derive(Clone, Debug, Serialize)]
pub struct Examination {
    /// Whether there is no problem.
    pub ok: bool,
    /// In the order of the checks.
    pub findings: Vec<Finding>,
}

impl Examination {
    pub(super) fn new(findings: Vec<Finding>) -> Examination {
        Examination { ok: findings.iter().all(|finding| finding.state != Severity::Problem), findings }
    }

    /// The number of findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.state == severity).count()
    }

    /// Prints a line for each finding, and one for each line of its command.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn print_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let width = |part: fn(&Finding) -> usize| self.findings.iter().map(part).max().unwrap_or(0);
        let subjects = width(|finding| finding.subject.len());
        let checks = width(|finding| finding.check.chars().count()).min(32);
        for finding in &self.findings {
            let Finding { subject, check, state, seen, command } = finding;
            writeln!(out, "{:<7}  {subject:<subjects$}  {check:<checks$}  {seen}", state.as_str())?;
            for line in command.iter().flat_map(|command| command.lines()) {
                writeln!(out, "{:<7}  {:<subjects$}  {:<checks$}  do: {line}", "", "", "")?;
            }
        }
        let (problems, warnings) = (self.count(Severity::Problem), self.count(Severity::Warning));
        writeln!(out, "{} checks: {problems} problems, {warnings} warnings.", self.findings.len())
    }

    /// Prints one JSON object.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn print_json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_prints_with_the_command_that_fixes_it() {
        let findings = vec![
            Finding::ok("server", "wal_level", "logical"),
            Finding::problem("topic", "cleanup.policy", "compact").fix("fix it\nand again"),
        ];
        let examination = Examination::new(findings);
        let mut out = Vec::new();
        examination.print_table(&mut out).expect("a buffer accepts everything");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(
            text,
            "ok       server  wal_level       logical\n\
             problem  topic   cleanup.policy  compact\n\
             \u{20}                                do: fix it\n\
             \u{20}                                do: and again\n\
             2 checks: 1 problems, 0 warnings.\n"
        );
        assert!(!examination.ok);
        let mut out = Vec::new();
        examination.print_json(&mut out).expect("a buffer accepts everything");
        let json: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!((&json["findings"][1]["state"], &json["ok"]), (&"problem".into(), &false.into()));
    }
}
