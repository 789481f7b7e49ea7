//! The book: its settings, its newest commit, and whether several runs fence each other.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::time::Duration;

use super::Finding;
use crate::book::compact::{TARGET_BYTES, closed_days};
use crate::book::log::entry::EntryKind;
use crate::book::log::{base, commit_log};
use crate::book::{
    BookError, CompleteTo, Entry, FileTotals, NewestCompaction, Pruned, Snapshot, State, TopicState, rfc3339,
};
use crate::change::Day;
use crate::query;
use crate::query::QueryError;
use crate::store::layout::{self, Table};
use crate::store::{BookStore, Store, is_refusal};

const SUBJECT: &str = "book";
/// How far back the log is read, in time …
const RECENT: Duration = Duration::from_secs(3600);
/// … and in entries.
const MAX_ENTRIES: u64 = 1000;
/// The most reasons of rejects that are named.
const MOST_REASONS: usize = 5;
/// More runs than this within an hour are not started by hand.
const MANY_RUNS: usize = 10;
/// More small files of one day than this are worth merging by hand.
const MANY_FILES: u64 = 100;

/// What the log holds.
#[derive(Clone, Debug)]
pub(super) struct BookFacts {
    path: String,
    time_zone: String,
    day_from: String,
    complete_to: CompleteTo,
    topics: BTreeMap<String, TopicState>,
    /// When the newest commit was written, in microseconds since 1970-01-01 UTC.
    committed_at: Option<i64>,
    /// Runs that started within the last hour.
    runs: usize,
    /// Records that were rejected within the last hour.
    recent_rejects: u64,
    /// All rejects by reason, the most frequent first, or why they could not be read.
    rejects: Result<Vec<(String, u64)>, String>,
    /// All files of rows, where the log says it.
    totals: Option<FileTotals>,
    /// Closed days with many small files, and their numbers.
    scattered: Vec<(Day, u64)>,
    /// How many entries the log has had.
    entries: u64,
    /// The newest one that was swept, and when, in microseconds since 1970-01-01 UTC.
    swept: Option<(u64, i64)>,
    newest_compaction: Option<NewestCompaction>,
    pruned: Option<Pruned>,
}

/// The closed days that have many small files.
fn scattered_days(disk: &dyn Store, state: &State) -> Result<Vec<(Day, u64)>, BookError> {
    let mut scattered = Vec::new();
    let Some(files) = &state.files else { return Ok(scattered) };
    for table in [Table::Events, Table::Rejects] {
        let many: Vec<Day> = files
            .iter()
            .filter(|(_, day)| {
                let (names, bytes) = (day.of(table), day.size_of(table).bytes());
                let is_small = bytes.is_none_or(|bytes| bytes / names.files.max(1) < TARGET_BYTES / 2);
                names.files > MANY_FILES && is_small
            })
            .map(|(day, _)| *day)
            .collect();
        let closed = closed_days(disk, state, &many, table)?;
        scattered.extend(closed.into_iter().map(|day| (day, files[&day].of(table).files)));
    }
    Ok(scattered)
}

impl BookFacts {
    /// Reads the log; `now` is in microseconds since 1970-01-01 UTC.
    pub(super) fn read(book: &BookStore, now: i64) -> Result<BookFacts, BookError> {
        let rejects = query::rejects(book).map_err(|error: QueryError| error.to_string());
        let snapshot = Snapshot::take(book)?;
        let newest = snapshot.state().newest_entry().unwrap_or_default();
        snapshot.expect_all_files()?;
        let mut facts = BookFacts {
            path: book.location().to_string(),
            time_zone: snapshot.time_zone().to_owned(),
            day_from: String::new(),
            complete_to: snapshot.complete_to(),
            topics: snapshot.state().topics.clone(),
            committed_at: None,
            runs: 0,
            recent_rejects: 0,
            rejects,
            totals: snapshot.state().files.as_ref().map(|files| FileTotals::of(files.values())),
            scattered: scattered_days(book, snapshot.state())?,
            entries: snapshot.state().entries,
            swept: base::read_newest(book)?.map(|base| (base.entry(), base.swept_at)),
            newest_compaction: snapshot.state().compactions.as_ref().map(|all| all.newest.clone()),
            pruned: snapshot.state().pruned,
        };
        let recent = now.saturating_sub(i64::try_from(RECENT.as_micros()).unwrap_or(i64::MAX));
        for number in (newest.saturating_sub(MAX_ENTRIES)..=newest).rev() {
            let logged = match commit_log::required(book, number) {
                Err(BookError::Swept { .. }) => break,
                read => read?,
            };
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
            EntryKind::Views | EntryKind::Compaction | EntryKind::Prune => {}
            EntryKind::Commit => {
                self.committed_at.get_or_insert(entry.written_at);
            }
        }
        if is_recent {
            let partitions = entry.topics.values().flat_map(|topic| topic.positions.values());
            self.recent_rejects += partitions.map(|partition| partition.tally.rejects).sum::<u64>();
        }
    }

    /// The state of a topic, a slot or a file in the book.
    pub(super) fn topic(&self, name: &str) -> Option<&TopicState> {
        self.topics.get(name)
    }

    /// The findings that follow from the facts.
    pub(super) fn judge(&self) -> Vec<Finding> {
        let rule = match self.day_from.as_str() {
            "commit" => "the commit's time",
            "kafka" => "Kafka's timestamp",
            _ => "the commit's time where records carry it, else Kafka's timestamp",
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
                "{} runs started on the book within the last hour: do two of them fence each other, or does a supervisor restart one that exits 4?",
                self.runs
            );
            findings.push(Finding::warning(SUBJECT, "runs", seen).fix(
                "let one run write the book, and never restart on exit code 4 (systemd: RestartPreventExitStatus=4)",
            ));
        }
        findings.push(self.describe_log());
        findings.push(self.judge_rejects());
        findings.extend(self.judge_files());
        findings
    }

    /// How long the log is.
    fn describe_log(&self) -> Finding {
        let seen = match self.swept {
            Some((entry, at)) => format!(
                "{} entries, of which the newest {} are kept; those up to {entry} were swept {} into a base",
                self.entries,
                self.entries.saturating_sub(entry + 1),
                rfc3339(at)
            ),
            None => format!("{} entries, all of them kept", self.entries),
        };
        Finding::ok(SUBJECT, "log", seen)
    }

    /// Whether days that are over have so many files that questions take long.
    fn judge_files(&self) -> Option<Finding> {
        let FileTotals { files, sizes, .. } = self.totals?;
        let bytes = sizes.bytes().map_or_else(String::new, |bytes| format!(" of {bytes} bytes"));
        let mut all = format!("{files} files of events and rejects{bytes}, {} log entries", self.entries);
        if let Some(newest) = &self.newest_compaction {
            let (table, before, after) = (&newest.table, newest.files_before, newest.files_after);
            all.push_str(&format!("; last merged: {table} of {}, {before} → {after} files", newest.day));
        }
        if let Some(pruned) = self.pruned {
            all.push_str(&format!("; pruned: events and rejects before {}", pruned.before));
        }
        let Some((day, most)) = self.scattered.iter().max_by_key(|(_, files)| *files) else {
            return Some(Finding::ok(SUBJECT, "files", all));
        };
        let seen = format!(
            "{all}; {} closed days have more than {MANY_FILES} small files, most of them {day} with {most}: questions about such a day open each",
            self.scattered.len()
        );
        Some(Finding::warning(SUBJECT, "files", seen).fix(format!("walbook compact {}", self.path)))
    }

    fn judge_rejects(&self) -> Finding {
        let reasons = match &self.rejects {
            Ok(reasons) if reasons.is_empty() => return Finding::ok(SUBJECT, "rejects", "every record could be read"),
            Ok(reasons) => reasons,
            Err(error) => {
                let seen = format!("the rejects cannot be read: {error}");
                return Finding::problem(SUBJECT, "rejects", seen).fix(format!("walbook verify {}", self.path));
            }
        };
        let total: u64 = reasons.iter().map(|(_, count)| count).sum();
        let named = reasons.iter().take(MOST_REASONS).map(|(reason, count)| format!("{count}: {reason}"));
        let others = reasons.len().saturating_sub(MOST_REASONS);
        let others = (others > 0).then(|| format!("{others} more reason{}", if others == 1 { "" } else { "s" }));
        let seen = format!(
            "{total} record{} could not be read, {} of the book's were written within the last hour ({})",
            if total == 1 { "" } else { "s" },
            self.recent_rejects,
            named.chain(others).collect::<Vec<_>>().join("; ")
        );
        Finding::warning(SUBJECT, "rejects", seen).fix(format!("walbook rejects {}", self.path))
    }
}

/// Whether the object store of a book keeps what commits rest on, tried now; `None` for a book in a directory.
pub(super) fn judge_store(book: &BookStore) -> Option<Finding> {
    let probed = book.objects()?.probe(&layout::probe_folder(book.new_id()));
    let location = book.location();
    Some(match probed {
        Ok(()) => {
            let seen = "puts by condition, races and uploads in parts do what commits rest on";
            Finding::ok(SUBJECT, "object store", seen.to_owned())
        }
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            let seen = format!("{location} cannot have a book: {error}");
            Finding::problem(SUBJECT, "object store", seen).fix("use another object store: see docs/object-stores.md")
        }
        // A key that may only read the book cannot try it.
        Err(error) if is_refusal(&error) => {
            Finding::warning(SUBJECT, "object store", format!("nothing could be written to {location}: {error}"))
        }
        Err(error) => Finding::problem(SUBJECT, "object store", format!("{location} could not be tried: {error}")),
    })
}

/// How far the Delta tables of a book are; `None` where it has none.
#[cfg(feature = "delta")]
pub(super) fn judge_delta(book: &BookStore) -> Option<Finding> {
    let snapshot = Snapshot::take(book).ok()?;
    let state = snapshot.state();
    let newest = state.newest_entry().unwrap_or(0);
    match crate::delta::status(book, state) {
        Ok(tables) if tables.is_empty() => None,
        Ok(tables) => {
            let one = |table: &crate::delta::TableStatus| {
                format!("{} version {} up to entry {}", table.folder, table.version, table.covers)
            };
            let all: Vec<String> = tables.iter().map(one).collect();
            let behind = tables.iter().map(|table| newest.saturating_sub(table.covers)).min().unwrap_or(0);
            let seen = format!("{}; the log is at entry {newest}, {behind} further", all.join(", "));
            Some(Finding::ok(SUBJECT, "Delta tables", seen))
        }
        Err(error) => Some(Finding::problem(SUBJECT, "Delta tables", error.to_string())),
    }
}

/// The finding for a book that could not be read.
pub(super) fn judge_error(book: &BookStore, error: &BookError) -> Finding {
    let path = book.location();
    match error {
        BookError::NoBook { .. } => Finding::warning(SUBJECT, "log", format!("there is no book at {path} yet"))
            .fix(format!("walbook run {path} …")),
        error => Finding::problem(SUBJECT, "log", error.to_string()).fix(format!("walbook verify {path}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::Severity;

    fn facts() -> BookFacts {
        BookFacts {
            path: "book".to_owned(),
            time_zone: "UTC".to_owned(),
            day_from: "auto".to_owned(),
            complete_to: CompleteTo { commit: 3, ..CompleteTo::default() },
            topics: BTreeMap::new(),
            committed_at: Some(0),
            runs: 1,
            recent_rejects: 0,
            rejects: Ok(Vec::new()),
            totals: Some(FileTotals::default()),
            scattered: Vec::new(),
            entries: 70_000,
            swept: None,
            newest_compaction: None,
            pruned: None,
        }
    }

    #[test]
    fn the_length_of_the_log_and_what_was_swept_are_named() {
        let seen = |facts: BookFacts| facts.describe_log().seen;
        assert_eq!(seen(facts()), "70000 entries, all of them kept");
        let swept = Some((9_999, 1_795_348_800_000_000));
        assert_eq!(
            seen(BookFacts { swept, ..facts() }),
            "70000 entries, of which the newest 60000 are kept; those up to 9999 were swept 2026-11-22T12:00:00.000000Z into a base"
        );
    }

    #[test]
    fn closed_days_with_many_small_files_are_a_warning_with_the_command() {
        let scattered = vec![("2026-11-21".parse().expect("a day"), 150), ("2026-11-22".parse().expect("a day"), 8640)];
        let findings = BookFacts { scattered, ..facts() }.judge();
        let finding = findings.iter().find(|finding| finding.check == "files").expect("one");
        assert_eq!(finding.state, Severity::Warning);
        assert!(finding.seen.contains("2026-11-22 with 8640"), "{}", finding.seen);
        assert_eq!(finding.command.as_deref(), Some("walbook compact book"));
    }

    #[test]
    fn runs_that_fence_each_other_and_rejects_are_warnings() {
        let states = |facts: BookFacts| facts.judge().iter().map(|f| f.state).max().expect("findings");
        assert_eq!(states(facts()), Severity::Ok);
        assert_eq!(states(BookFacts { runs: 40, ..facts() }), Severity::Warning);
        let rejects = Ok((1..=6).rev().map(|count| (format!("reason {count}"), count)).collect());
        let facts = BookFacts { recent_rejects: 2, rejects, ..facts() };
        let finding = facts.judge_rejects();
        assert_eq!((finding.state, finding.command.as_deref()), (Severity::Warning, Some("walbook rejects book")));
        assert!(finding.seen.starts_with("21 records could not be read"), "{}", finding.seen);
        assert!(
            finding.seen.ends_with("(6: reason 6; 5: reason 5; 4: reason 4; 3: reason 3; 2: reason 2; 1 more reason)")
        );
        assert_eq!(BookFacts { rejects: Err("damaged".to_owned()), ..facts }.judge_rejects().state, Severity::Problem);
    }
}
