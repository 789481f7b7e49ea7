//! The order in which a book is verified.
//!
//! One thread walks the log; one thread for each core reads the files of its entries.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::chain::Chain;
use super::checkpoints::verify_checkpoint;
use super::counts::{LoggedCounts, verify_counts};
use super::files::{EntryToVerify, verify_files};
use super::findings::EntryFindings;
use super::merged::{MergedRows, PrunedRows, SweptFiles, verify_swept};
use super::offsets::RowsOfPartition;
use super::paths::{ReferencedPaths, RemovedLater, RemovedPaths, removed_later};
use super::report::{Check, LISTED, Problems, Report};
use super::swept_log::{rows_pruned_before, wrong_base, wrong_manifest};
use super::unreferenced_files::verify_unreferenced_files;
use super::views::verify_views;
use crate::book::log::base::{self, Base};
use crate::book::log::entry::{Delta, Entry};
use crate::book::log::log_evidence::LogEvidence;
use crate::book::log::pruning::Pruned;
use crate::book::log::tail::Tail;
use crate::book::log::{commit_log, folding};
use crate::book::missing_file::lost_rows_of;
use crate::book::read::complete_to::CompleteTo;
use crate::book::read::snapshot::expect_directory;
use crate::book::{BookError, LostRows};
use crate::change::{CountKey, Partition, with_causes};
use crate::store::layout::{LOG, Table, base_path, entry_path, manifest_path};
use crate::store::{BookStore, Store};

/// So many files of swept entries are verified by one thread at a time.
const SWEPT_FILES: usize = 64;

/// The progress of a verification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Entries that are verified.
    pub entries: u64,
    /// All entries.
    pub of: u64,
    /// Rows that were read.
    pub rows: u64,
    /// Bytes of files that were read.
    pub bytes: u64,
}

/// Verifies a book up to its newest entry.
///
/// # Errors
/// [`BookError::NoBook`] when there is none, [`BookError::Io`] when its log cannot be listed. Everything else is in the report.
pub fn verify(book: impl Into<BookStore>, progress: &mut dyn FnMut(VerifyProgress)) -> Result<Report, BookError> {
    let store = book.into();
    expect_directory(&store)?;
    folding::repeated(&store, || verify_once(&store, progress))
}

/// Verifies once.
///
/// # Errors
/// As [`verify`]; [`BookError::Swept`] when entries were swept before they were read.
fn verify_once(store: &BookStore, progress: &mut dyn FnMut(VerifyProgress)) -> Result<Report, BookError> {
    commit_log::forget_another_book(store)?;
    let evidence = LogEvidence::list(store)?;
    let (swept_to, base) = (commit_log::swept_to(store)?, base::read_newest(store));
    let first = swept_to.max(base.as_ref().ok().and_then(|base| base.as_ref().map(Base::entry))).map_or(0, |to| to + 1);
    let newest = commit_log::numbers(store)?.pop().max(first.checked_sub(1));
    let newest = newest.ok_or_else(|| BookError::NoBook { path: store.location().to_path() })?;
    // Files of entries up to the newest entry's `redone_to` must be in place; others may still be in staging.
    let newest_entry = commit_log::read_entry(store, newest).ok().flatten().map(|logged| logged.entry);
    let redone_to = newest_entry.as_ref().map_or(0, |newest| newest.redone_to).max(first.saturating_sub(1));
    let pruned = base.as_ref().ok().and_then(|base| base.as_ref()?.state.pruned);
    let removed = RemovedPaths::read(store, pruned, first, newest, redone_to);
    let pruned = removed.pruned();
    let mut verification = Verification { first, newest, redone_to, pruned, ..Verification::default() };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let (work_sender, work_receiver) = sync_channel::<Work>(workers);
    let (findings_sender, findings_receiver) = channel::<EntryFindings>();
    let work_receiver = Mutex::new(work_receiver);
    thread::scope(|scope| {
        for _ in 0..workers {
            let (work, findings, removed) = (&work_receiver, findings_sender.clone(), &removed);
            scope.spawn(move || verify_entries(store, work, removed, &findings));
        }
        drop(findings_sender);
        verification.walk(store, &base, &evidence.checkpoints, work_sender, &findings_receiver, progress)
    })?;
    match commit_log::swept_to(store)? {
        // What was found may be of entries that were swept meanwhile.
        Some(entry) if entry >= first && !verification.log.is_empty() => return Err(BookError::Swept { entry }),
        _ => verification.compare(&evidence),
    }
    let report = verification.report(store, &removed, verify_views(store));
    match commit_log::swept_to(store)? {
        Some(entry) if entry >= first && !report.ok => Err(BookError::Swept { entry }),
        _ => Ok(report),
    }
}

/// Verifies the files of one entry after the other, until the channel closes.
fn verify_entries(
    store: &dyn Store,
    work: &Mutex<Receiver<Work>>,
    removed: &RemovedPaths,
    findings: &Sender<EntryFindings>,
) {
    loop {
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(next) = next else { return };
        let found = match &next {
            Work::Entry(entry) => verify_files(store, entry, removed),
            Work::Swept(files) => verify_swept(store, files, removed),
        };
        if findings.send(found).is_err() {
            return;
        }
    }
}

/// What a thread verifies at a time.
enum Work {
    /// The files of an entry.
    Entry(Box<EntryToVerify>),
    /// Files of a day that swept entries have named.
    Swept(SweptFiles),
}

/// The findings so far.
#[derive(Default)]
struct Verification {
    /// The first entry that was not swept.
    first: u64,
    newest: u64,
    read: u64,
    /// How many entries the chain has: those that were read, and those for which the base stands.
    chained: u64,
    /// Which days were pruned.
    pruned: Option<Pruned>,
    /// What could not be compared because entries were swept.
    swept: Option<String>,
    chain: Chain,
    expected: LoggedCounts,
    referenced: ReferencedPaths,
    complete_to: CompleteTo,
    redone_to: u64,
    progress: VerifyProgress,
    files: u64,
    event_rows: u64,
    reject_rows: u64,
    repeated: u64,
    /// By path: files that are missing, and the entry that added them.
    missing: BTreeMap<String, u64>,
    /// Merged files and those of swept entries, and the entries whose rows they have.
    merged: MergedRows,
    /// Whether files that swept entries have named are not known.
    has_lost_manifests: bool,
    log: Problems,
    positions: Problems,
    damaged: Problems,
    rows: Problems,
    repeats: Problems,
}

impl Verification {
    fn walk(
        &mut self,
        store: &dyn Store,
        base: &Result<Option<Base>, BookError>,
        checkpoints: &[u64],
        work: SyncSender<Work>,
        findings: &Receiver<EntryFindings>,
        progress: &mut dyn FnMut(VerifyProgress),
    ) -> Result<(), BookError> {
        self.progress.of = self.newest + 1 - self.first;
        match base {
            Ok(None) => {}
            Ok(Some(base)) => self.begin_after(store, base, &work, findings)?,
            Err(error) => self.log.add(0, with_causes(error)),
        }
        let newest = commit_log::read_entry(store, self.newest).ok().flatten();
        let synced = newest.map_or(Ok(()), |newest| commit_log::ensure_durable(store, &newest.entry));
        synced.unwrap_or_else(|error| self.log.add(self.newest, with_causes(&error)));
        for number in self.first..=self.newest {
            let problem = match commit_log::read_entry(store, number) {
                Ok(Some(logged)) => {
                    self.read += 1;
                    self.chained += 1;
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
                    let highest = self.chain.replace_highest(&entry);
                    let may_be_staged = number > self.redone_to;
                    let entry = EntryToVerify { entry, highest, commit_before, may_be_staged };
                    if work.send(Work::Entry(Box::new(entry))).is_err() {
                        // The threads only end early when one panicked; leaving the scope propagates that.
                        return Ok(());
                    }
                    None
                }
                Ok(None) if commit_log::swept_to(store)? >= Some(number) => {
                    return Err(BookError::Swept { entry: number });
                }
                Ok(None) => Some("it is missing, but later entries exist".to_owned()),
                Err(error) => Some(with_causes(&error)),
            };
            if let Some(what) = problem {
                self.log.add(number, format!("{}: {what}", entry_path(number)));
            }
            if checkpoints.contains(&number) {
                let chain = (self.chained == number + 1).then_some(&self.chain);
                let wrong = verify_checkpoint(store, number, chain);
                wrong.into_iter().for_each(|what| self.log.add(number, what));
            }
            for found in findings.try_iter() {
                self.find(found);
            }
            progress(self.progress);
        }
        drop(work);
        for found in findings {
            self.find(found);
            progress(self.progress);
        }
        Ok(())
    }

    /// Begins with what stands for the entries that were swept.
    ///
    /// # Errors
    /// [`BookError::Swept`] when another base does meanwhile.
    fn begin_after(
        &mut self,
        store: &dyn Store,
        base: &Base,
        work: &SyncSender<Work>,
        findings: &Receiver<EntryFindings>,
    ) -> Result<(), BookError> {
        let entry = base.entry();
        self.chain = Chain::after(base);
        self.chained = base.state.entries;
        self.expected.book.clone_from(&base.state.book);
        self.expected.commits.insert(entry, base.state.commit);
        self.complete_to = CompleteTo { commit_time: None, ..CompleteTo::new(&base.state) };
        wrong_base(base).into_iter().for_each(|what| self.log.add(entry, format!("{}: {what}", base_path(entry))));
        let mut logged = MergedRows::default();
        let mut of_partitions = BTreeMap::new();
        for (topic, partitions) in &base.read {
            let source = base.state.topics.get(topic).map(|known| known.source).unwrap_or_default();
            for (number, read) in partitions {
                let partition = Partition { topic: topic.clone(), number: *number };
                of_partitions.insert(partition, (source, RowsOfPartition::of(&read.tally)));
            }
        }
        match self.pruned {
            // Of which partitions they were is not known.
            Some(_) => logged.partly_pruned = of_partitions,
            None => logged.logged = of_partitions,
        }
        for table in [Table::Events, Table::Rejects] {
            for (day, name) in base.manifests.of(table) {
                let path = manifest_path(name.entry, table, day);
                let manifest = match base.manifest(store, table, day) {
                    Ok(manifest) => manifest.unwrap_or_default(),
                    Err(swept @ BookError::Swept { .. }) => return Err(swept),
                    Err(error) => {
                        self.log.add(entry, with_causes(&error));
                        self.has_lost_manifests = true;
                        continue;
                    }
                };
                for what in wrong_manifest(base, table, day, &manifest) {
                    self.log.add(entry, format!("{path}: {what}"));
                }
                logged.pruned.add(table, rows_pruned_before(base, table, day, &manifest));
                let expected = (!manifest.counts.is_empty()).then(|| self.expected.days.entry(day).or_default());
                if let Some(expected) = expected {
                    let known = logged.counts.entry(day).or_default();
                    for Delta { key: CountKey { table, op, .. }, count } in &manifest.counts {
                        expected.add(&table.schema, &table.table, *op, *count);
                        known.add(&table.schema, &table.table, *op, count.saturating_neg());
                    }
                }
                manifest.files.iter().for_each(|named| self.referenced.add(&named.file.path));
                let mut files = manifest.files;
                while !files.is_empty() {
                    let rest = files.split_off(files.len().min(SWEPT_FILES));
                    let book = base.state.book.clone();
                    let part = SweptFiles { base: entry, book, table, day, files: std::mem::replace(&mut files, rest) };
                    if work.send(Work::Swept(part)).is_err() {
                        return Ok(());
                    }
                    findings.try_iter().for_each(|found| self.find(found));
                }
            }
        }
        self.merged.add(logged);
        self.swept = Some(format!(
            "; those up to {entry} were swept into a base: their files are compared with it together, not each with its entry"
        ));
        Ok(())
    }

    /// Adds whether the log lost its end, if all of it could be read.
    fn compare(&mut self, evidence: &LogEvidence) {
        if self.chained == self.newest + 1 {
            let has_day = |day| self.expected.days.contains_key(&day);
            let lost = evidence.lost_end(Some(self.newest), &self.expected.book, &has_day);
            lost.into_iter().for_each(|what| self.log.add(self.newest, format!("{LOG}: {what}")));
        }
    }

    /// Adds what an entry expects of the book.
    fn expect(&mut self, entry: &Entry) {
        self.expected.book.clone_from(&entry.book);
        self.expected.commits.insert(entry.entry, entry.commit);
        for Delta { key: CountKey { day, table, op }, count } in &entry.deltas {
            self.expected.days.entry(*day).or_default().add(&table.schema, &table.table, *op, *count);
        }
        for added in &entry.added {
            self.referenced.add(&added.path);
        }
        for path in &entry.removed {
            self.referenced.remove(path);
        }
        self.complete_to.commit = entry.commit;
        self.complete_to.events_from = entry.prune.map(|prune| prune.before).or(self.complete_to.events_from);
        for (topic, read) in &entry.topics {
            let positions = self.complete_to.positions.entry(topic.clone()).or_default();
            positions.extend(read.positions.iter().map(|(partition, position)| (*partition, position.interval.to)));
        }
    }

    /// Adds the findings in the files of an entry.
    fn find(&mut self, found: EntryFindings) {
        self.files += found.files;
        self.event_rows += found.event_rows;
        self.reject_rows += found.reject_rows;
        self.repeated += found.repeated;
        self.progress.entries = self.progress.of.min(self.progress.entries + 1);
        self.progress.rows += found.event_rows + found.reject_rows;
        self.progress.bytes += found.bytes;
        self.merged.add(found.merged);
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

    fn report(mut self, store: &BookStore, removed: &RemovedPaths, views: Option<Check>) -> Report {
        let missing = std::mem::take(&mut self.missing);
        let all_are_read = missing.is_empty();
        let removed_later = match all_are_read {
            true => RemovedLater::default(),
            false => removed_later(store, self.newest).unwrap_or_default(),
        };
        let mut missing: Vec<(u64, String)> = missing.into_iter().map(|(path, entry)| (entry, path)).collect();
        // A later entry may have removed one from the book, also while the others were verified.
        missing.retain(|(_, path)| self.referenced.holds(path) && !removed_later.holds(path));
        missing.sort_unstable();
        for (number, (entry, path)) in missing.into_iter().enumerate() {
            // Only of those that are listed: each costs a look into the log.
            let lost = if number < LISTED { lost_rows_of(store, entry, &path) } else { LostRows::default() };
            self.damaged.add(entry, format!("{path}: it is missing{lost}"));
        }
        // With files missing or damaged the sums differ anyway.
        let is_compared = all_are_read && self.damaged.is_empty() && !self.has_lost_manifests;
        if is_compared {
            for what in self.merged.differences(removed.pruned()) {
                self.rows.add(self.newest, what);
            }
        }
        let sums = &self.chain.sums;
        let swept = self.swept.as_deref().unwrap_or_default();
        let log_seen = format!("{} entries, each with its digest and the one's before{swept}", self.read);
        let unreadable = match sums.unreadable_fields {
            0 => String::new(),
            fields => format!("; {fields} fields (lsn, xid, commit_time, …) could not be read and are null"),
        };
        let positions_seen = format!(
            "{} partitions; {} records = {} with changes + {} markers + {} rejects; {} offsets without a record, {} lost{unreadable}",
            self.chain.partitions(),
            sums.records,
            sums.bearing,
            sums.markers,
            sums.rejects,
            sums.empty,
            sums.lost
        );
        let files_seen = format!("{} files, {} bytes: size, checksum, metadata", self.files, self.progress.bytes);
        let agreement = match is_compared || !self.damaged.is_empty() {
            true => "counts by key and offsets as the log has them",
            false => {
                "those of merged files were not compared with the log, because files were merged meanwhile: verify again"
            }
        };
        let gone = removed.pruned().map_or(String::new(), |pruned| {
            let PrunedRows { events, rejects } = self.merged.pruned;
            format!("; of days before {} {events} rows of events and {rejects} of rejects were pruned", pruned.before)
        });
        let rows_seen =
            format!("{} rows of events, {} of rejects: {agreement}{gone}", self.event_rows, self.reject_rows);
        let repeats_seen = match self.repeated {
            0 => "no change has a place in the source database that was read before".to_owned(),
            repeated => {
                format!("{repeated} records repeat a place in the source database: the producer sent them again")
            }
        };
        let counts = match Tail::read(store, self.redone_to, self.newest) {
            Ok(tail) => verify_counts(store, &tail, self.expected),
            Err(error) => {
                let mut problems = Problems::default();
                problems.add(self.newest, with_causes(&error));
                problems.check("counts", "not compared: the end of the log cannot be read".to_owned())
            }
        };
        let unreferenced =
            verify_unreferenced_files(store, &self.referenced, removed, self.newest, self.complete_to.commit);
        let mut checks = vec![
            self.log.check("log", log_seen),
            self.positions.check("positions", positions_seen),
            self.damaged.check("files", files_seen),
            self.rows.check("rows", rows_seen),
            counts,
            unreferenced,
            self.repeats.note("repeats", repeats_seen),
        ];
        checks.splice(5..5, views);
        Report { unreadable_fields: sums.unreadable_fields, ..Report::new(checks, self.complete_to) }
    }
}
