//! The book: its settings, its newest commit, and whether runs take it from each other.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::Finding;
use crate::book::entry::EntryKind;
use crate::book::{BookError, CompleteTo, Entry, Snapshot, TopicState, log, rfc3339};
use crate::store::Disk;

const SUBJECT: &str = "book";
/// How far back the log is looked at …
const RECENT: Duration = Duration::from_secs(3600);
/// … and how many entries at most.
const ENTRIES: u64 = 1000;
/// So many runs within an hour are more than somebody trying things out.
const MANY_RUNS: usize = 10;

/// What the log says.
#[derive(Clone, Debug)]
pub(super) struct BookFacts {
    time_zone: String,
    day_from: String,
    complete_to: CompleteTo,
    topics: BTreeMap<String, TopicState>,
    /// When the newest commit was written, in microseconds since 1970-01-01 UTC.
    committed_at: Option<i64>,
    /// Runs that were begun within the last hour.
    runs: usize,
    /// Records that were rejected within the last hour.
    rejects: u64,
}

impl BookFacts {
    /// Reads the log; `now` is in microseconds since 1970-01-01 UTC.
    pub(super) fn read(path: &Path, now: i64) -> Result<BookFacts, BookError> {
        let snapshot = Snapshot::take(path)?;
        let disk = Disk::new(path);
        let newest = log::newest(&disk)?.unwrap_or_default();
        let mut facts = BookFacts {
            time_zone: snapshot.time_zone().to_owned(),
            day_from: String::new(),
            complete_to: snapshot.complete_to(),
            topics: snapshot.state().topics.clone(),
            committed_at: None,
            runs: 0,
            rejects: 0,
        };
        let recent = now.saturating_sub(i64::try_from(RECENT.as_micros()).unwrap_or(i64::MAX));
        for number in (newest.saturating_sub(ENTRIES)..=newest).rev() {
            // Entries below a checkpoint may be swept.
            let Some(logged) = log::read_entry(&disk, number)? else { break };
            facts.add(&logged.entry, logged.entry.written_at >= recent);
            if facts.committed_at.is_some() && logged.entry.written_at < recent {
                break;
            }
        }
        Ok(facts)
    }

    fn add(&mut self, entry: &Entry, is_recent: bool) {
        if self.day_from.is_empty() {
            self.day_from.clone_from(&entry.settings.day_from);
        }
        match entry.kind {
            EntryKind::Fence => self.runs += usize::from(is_recent),
            EntryKind::Commit => {
                self.committed_at.get_or_insert(entry.written_at);
            }
        }
        if is_recent {
            let partitions = entry.topics.values().flat_map(|topic| topic.positions.values());
            self.rejects += partitions.map(|partition| partition.tally.rejects).sum::<u64>();
        }
    }

    /// What the book has of a topic, a slot or a file.
    pub(super) fn topic(&self, name: &str) -> Option<&TopicState> {
        self.topics.get(name)
    }

    /// What this means.
    pub(super) fn judge(&self) -> Vec<Finding> {
        let rule = match self.day_from.as_str() {
            "commit" => "the commit's time",
            "kafka" => "Kafka's timestamp",
            _ => "the commit's time where records tell it, else Kafka's timestamp",
        };
        let mut findings = vec![Finding::ok(
            SUBJECT,
            "settings",
            format!("a day is that of {rule}, and begins in {}", self.time_zone),
        )];
        let when = self.committed_at.map_or("never".to_owned(), rfc3339);
        findings.push(Finding::ok(SUBJECT, "commits", format!("last written {when}. {}", self.complete_to)));
        if self.runs > MANY_RUNS {
            let seen = format!(
                "{} runs took the book within the last hour: do two of them fence each other, or does a supervisor restart one that exits 4?",
                self.runs
            );
            findings.push(Finding::warning(SUBJECT, "runs", seen).mend(
                "let one run write the book, and never restart on exit code 4 (systemd: RestartPreventExitStatus=4)",
            ));
        }
        if self.rejects > 0 {
            let seen = format!(
                "{} records of the last hour could not be read, and stand with their reasons in rejects/",
                self.rejects
            );
            findings.push(
                Finding::warning(SUBJECT, "rejects", seen)
                    .mend("duckdb -c \"select reason, count(*) from 'BOOK/rejects/*/*.parquet' group by all\""),
            );
        }
        findings
    }
}

/// What an unreadable book means.
pub(super) fn judge_error(path: &Path, error: &BookError) -> Finding {
    match error {
        BookError::NoBook { .. } => {
            Finding::warning(SUBJECT, "log", format!("there is no book at {} yet", path.display()))
                .mend(format!("walbook run {} …", path.display()))
        }
        error => Finding::problem(SUBJECT, "log", error.to_string()).mend(format!("walbook verify {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::Level;

    fn facts() -> BookFacts {
        BookFacts {
            time_zone: "UTC".to_owned(),
            day_from: "auto".to_owned(),
            complete_to: CompleteTo { commit: 3, ..CompleteTo::default() },
            topics: BTreeMap::new(),
            committed_at: Some(0),
            runs: 1,
            rejects: 0,
        }
    }

    #[test]
    fn runs_that_fence_each_other_and_rejects_are_told() {
        let states = |facts: BookFacts| facts.judge().iter().map(|f| f.state).max().expect("findings");
        assert_eq!(states(facts()), Level::Well);
        assert_eq!(states(BookFacts { runs: 40, ..facts() }), Level::Warning);
        assert_eq!(states(BookFacts { rejects: 1, ..facts() }), Level::Warning);
    }
}
