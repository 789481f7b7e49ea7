//! The order in which a book is verified.
//!
//! One thread walks the log; as many as there are cores read the files of its entries.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::chain::Chain;
use super::checkpoints::verify_checkpoint;
use super::counts::{Expected, verify_counts};
use super::files::{Found, Work, verify_files};
use super::report::{Problems, Report};
use super::strangers::{Known, verify_strangers};
use crate::book::complete_to::CompleteTo;
use crate::book::entry::{Delta, Entry};
use crate::book::error::with_causes;
use crate::book::snapshot::expect_directory;
use crate::book::tail::Tail;
use crate::book::traces::Traces;
use crate::book::{BookError, log};
use crate::store::Disk;
use crate::store::layout::{LOG, entry_path};

/// How far a verification is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries that are done.
    pub entries: u64,
    /// Entries there are.
    pub of: u64,
    /// Rows that were read.
    pub rows: u64,
    /// Bytes of files that were read.
    pub bytes: u64,
}

/// Verifies the book in a directory up to its newest entry.
///
/// # Errors
/// [`BookError::NoBook`] when there is none, [`BookError::Io`] when its log cannot be listed. All else that is wrong is in
/// the report.
pub fn verify(root: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Report, BookError> {
    expect_directory(root)?;
    let disk = Disk::new(root);
    let traces = Traces::list(&disk)?;
    let newest = log::numbers(&disk)?.pop().ok_or_else(|| BookError::NoBook { path: root.to_owned() })?;
    let mut verification = Verification { newest, ..Verification::default() };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let (give, take) = sync_channel::<Work>(workers);
    let (tell, hear) = channel::<Found>();
    let take = Mutex::new(take);
    thread::scope(|scope| {
        for _ in 0..workers {
            let (take, tell) = (&take, tell.clone());
            scope.spawn(move || work(root, take, &tell));
        }
        drop(tell);
        verification.walk(&disk, &traces.checkpoints, give, &hear, progress);
    });
    verification.compare(&traces);
    Ok(verification.report(&disk))
}

/// Verifies the files of one entry after the other, until there are no more.
fn work(root: &Path, take: &Mutex<Receiver<Work>>, tell: &Sender<Found>) {
    loop {
        let next = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(next) = next else { return };
        if tell.send(verify_files(root, &next)).is_err() {
            return;
        }
    }
}

/// What was seen so far.
#[derive(Default)]
struct Verification {
    newest: u64,
    read: u64,
    chain: Chain,
    expected: Expected,
    known: Known,
    complete_to: CompleteTo,
    redone_to: u64,
    progress: Progress,
    files: u64,
    event_rows: u64,
    reject_rows: u64,
    repeated: u64,
    /// By path: files that are nowhere, and the entry that added them.
    missing: BTreeMap<String, u64>,
    log: Problems,
    positions: Problems,
    damaged: Problems,
    rows: Problems,
    repeats: Problems,
}

impl Verification {
    fn walk(
        &mut self,
        disk: &Disk,
        checkpoints: &[u64],
        give: SyncSender<Work>,
        hear: &Receiver<Found>,
        progress: &mut dyn FnMut(Progress),
    ) {
        self.progress.of = self.newest + 1;
        // What the newest entry knows to be in place must be there: files of later entries may still be in staging.
        let newest = log::read_entry(disk, self.newest).ok().flatten();
        self.redone_to = newest.map_or(0, |newest| newest.entry.redone_to);
        for number in 0..=self.newest {
            let problem = match log::read_entry(disk, number) {
                Ok(Some(logged)) => {
                    self.read += 1;
                    let commit_before = self.chain.commit();
                    let (links, numbers) = self.chain.add(&logged);
                    for what in links {
                        self.log.add(number, format!("entry {number}: {what}"));
                    }
                    for what in numbers {
                        self.positions.add(number, format!("entry {number}: {what}"));
                    }
                    let entry = logged.entry;
                    self.expect(&entry);
                    let highest = self.chain.take_highest(&entry);
                    let may_be_staged = number > self.redone_to;
                    if give.send(Work { entry, highest, commit_before, may_be_staged }).is_err() {
                        // The threads only end when a thread panicked; leaving the scope passes that on.
                        return;
                    }
                    None
                }
                Ok(None) => Some("it is gone, but the log goes on".to_owned()),
                Err(error) => Some(with_causes(&error)),
            };
            if let Some(what) = problem {
                self.log.add(number, format!("{}: {what}", entry_path(number)));
            }
            if checkpoints.contains(&number) {
                let chain = (self.read == number + 1).then_some(&self.chain);
                let wrong = verify_checkpoint(disk, number, chain);
                wrong.into_iter().for_each(|what| self.log.add(number, what));
            }
            for found in hear.try_iter() {
                self.find(found);
            }
            progress(self.progress);
        }
        drop(give);
        for found in hear {
            self.find(found);
            progress(self.progress);
        }
    }

    /// Adds whether the log lost its end; of a log that could not all be read nothing is known.
    fn compare(&mut self, traces: &Traces) {
        if self.read == self.newest + 1 {
            let has_day = |day| self.expected.days.contains_key(&day);
            let lost = traces.lost_end(Some(self.newest), &self.expected.book, &has_day);
            lost.into_iter().for_each(|what| self.log.add(self.newest, format!("{LOG}: {what}")));
        }
    }

    /// Adds what an entry says of the book.
    fn expect(&mut self, entry: &Entry) {
        self.expected.book.clone_from(&entry.book);
        self.expected.commits.insert(entry.entry, entry.commit);
        for Delta(day, schema, table, op, count) in &entry.deltas {
            self.expected.days.entry(*day).or_default().add(schema, table, *op, *count);
        }
        for added in &entry.added {
            self.known.add(&added.path);
        }
        for path in &entry.removed {
            self.known.remove(path);
        }
        self.complete_to.commit = entry.commit;
        for (topic, read) in &entry.topics {
            let positions = self.complete_to.positions.entry(topic.clone()).or_default();
            positions.extend(read.positions.iter().map(|(partition, position)| (*partition, position.interval.to)));
        }
    }

    /// Adds what was found in the files of an entry.
    fn find(&mut self, found: Found) {
        self.files += found.files;
        self.event_rows += found.event_rows;
        self.reject_rows += found.reject_rows;
        self.repeated += found.repeated;
        self.progress.entries += 1;
        self.progress.rows += found.event_rows + found.reject_rows;
        self.progress.bytes += found.bytes;
        self.missing.extend(found.missing.into_iter().map(|path| (path, found.entry)));
        let kinds = [
            (&mut self.damaged, found.damaged),
            (&mut self.rows, found.wrong_rows),
            (&mut self.repeats, found.repeats),
        ];
        for (problems, found_ones) in kinds {
            for what in found_ones {
                problems.add(found.entry, what);
            }
        }
    }

    fn report(mut self, disk: &Disk) -> Report {
        for (path, entry) in std::mem::take(&mut self.missing) {
            // A later entry may have taken it out of the book.
            if self.known.holds(&path) {
                self.damaged.add(entry, format!("{path}: it is gone"));
            }
        }
        let sums = &self.chain.sums;
        let log_seen = format!("{} entries, each with its digest and the one's before", self.read);
        let positions_seen = format!(
            "{} partitions; {} records = {} with changes + {} markers + {} rejects; {} offsets without a record, {} lost",
            self.chain.partitions(),
            sums.records,
            sums.bearing,
            sums.markers,
            sums.rejects,
            sums.empty,
            sums.lost
        );
        let files_seen = format!("{} files, {} bytes: size, checksum, metadata", self.files, self.progress.bytes);
        let rows_seen = format!(
            "{} rows of events, {} of rejects: counts by key and offsets as the log has them",
            self.event_rows, self.reject_rows
        );
        let repeats_seen = match self.repeated {
            0 => "no change has a place in the source database that was read before".to_owned(),
            repeated => {
                format!("{repeated} records repeat a place in the source database: the producer sent them again")
            }
        };
        let counts = match Tail::read(disk, self.redone_to, self.newest) {
            Ok(tail) => verify_counts(disk, &tail, self.expected),
            Err(error) => {
                let mut problems = Problems::default();
                problems.add(self.newest, with_causes(&error));
                problems.check("counts", "not compared: the end of the log cannot be read".to_owned())
            }
        };
        let strangers = verify_strangers(disk, &self.known, self.newest, self.complete_to.commit);
        let checks = vec![
            self.log.check("log", log_seen),
            self.positions.check("positions", positions_seen),
            self.damaged.check("files", files_seen),
            self.rows.check("rows", rows_seen),
            counts,
            strangers,
            self.repeats.note("repeats", repeats_seen),
        ];
        Report::new(checks, self.complete_to)
    }
}
