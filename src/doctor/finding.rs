//! One thing that was looked at, and what was seen.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::slot::{Advice, Level};

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What it is about: `server`, `role`, `tables`, `slot`, `topic`, `connect`, `book`.
    pub subject: &'static str,
    /// What was looked at.
    pub check: String,
    /// How it is.
    #[serde(serialize_with = "as_word")]
    pub state: Level,
    /// What was seen, and what it means.
    pub seen: String,
    /// What mends it.
    pub command: Option<String>,
}

fn as_word<S: Serializer>(level: &Level, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(level.as_str())
}

impl Finding {
    /// All is well.
    pub(super) fn ok(subject: &'static str, check: &str, seen: impl Into<String>) -> Finding {
        Finding { subject, check: check.to_owned(), state: Level::Well, seen: seen.into(), command: None }
    }

    /// Somebody should look.
    pub(super) fn warning(subject: &'static str, check: &str, seen: impl Into<String>) -> Finding {
        Finding { state: Level::Warning, ..Finding::ok(subject, check, seen) }
    }

    /// It does not work, or will not.
    pub(super) fn problem(subject: &'static str, check: &str, seen: impl Into<String>) -> Finding {
        Finding { state: Level::Problem, ..Finding::ok(subject, check, seen) }
    }

    /// With the command that mends it.
    pub(super) fn mend(self, command: impl Into<String>) -> Finding {
        Finding { command: Some(command.into()), ..self }
    }

    /// Advice of another room.
    pub(super) fn advised(subject: &'static str, check: &str, advice: Advice) -> Finding {
        let Advice { level, text, command } = advice;
        Finding { subject, check: check.to_owned(), state: level, seen: text, command }
    }
}

/// All findings of an examination.
#[derive(Clone, Debug, Serialize)]
pub struct Examination {
    /// Whether there is no problem.
    pub ok: bool,
    /// In the order in which things were looked at.
    pub findings: Vec<Finding>,
}

impl Examination {
    pub(super) fn new(findings: Vec<Finding>) -> Examination {
        Examination { ok: findings.iter().all(|finding| finding.state != Level::Problem), findings }
    }

    /// The number of findings in a state.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.state == level).count()
    }

    /// One line a finding, and one for its command.
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
        let (problems, warnings) = (self.count(Level::Problem), self.count(Level::Warning));
        writeln!(out, "{} looked at: {problems} problems, {warnings} warnings.", self.findings.len())
    }

    /// One object.
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
    fn a_finding_prints_with_the_command_that_mends_it() {
        let findings = vec![
            Finding::ok("server", "wal_level", "logical"),
            Finding::problem("topic", "cleanup.policy", "compact").mend("mend it\nand again"),
        ];
        let examination = Examination::new(findings);
        let mut out = Vec::new();
        examination.print_table(&mut out).expect("a buffer takes what is written");
        let text = String::from_utf8(out).expect("text");
        assert_eq!(
            text,
            "ok       server  wal_level       logical\n\
             problem  topic   cleanup.policy  compact\n\
             \u{20}                                do: mend it\n\
             \u{20}                                do: and again\n\
             2 looked at: 1 problems, 0 warnings.\n"
        );
        assert!(!examination.ok);
        let mut out = Vec::new();
        examination.print_json(&mut out).expect("a buffer takes what is written");
        let json: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
        assert_eq!((&json["findings"][1]["state"], &json["ok"]), (&"problem".into(), &false.into()));
    }
}
