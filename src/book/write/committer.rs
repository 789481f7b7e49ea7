//! The one writer of a book: puts an entry, redoes it, and only then accepts the next.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::slice;
use std::sync::Arc;

use crate::change::{
    CommitNumber, CommittedTransaction, CountKey, Day, Interval, LeaderEpoch, Partition, SealedFile, TableName, Tally,
    ViewChanges,
};
use tracing::info;

use super::entry_parts::{entry_of_views, topics, write_time};
use super::redo::Redo;
use super::staging::Staging;
use super::views::kept_views::{KeptViews, remove_unnamed};
use super::views::views_at_start::{KeptView, ViewsAtStart, views_at_start};
use crate::book::error::At;
use crate::book::log::checkpoint::UnfoldedEntries;
use crate::book::log::commit_log;
use crate::book::log::commit_log::Put;
use crate::book::log::entry::{AddedFile, Delta, Entry, EntryKind, Versions};
use crate::book::log::{checkpoint, digested};
use crate::book::{BookError, State, layout};

/// What a commit adds to the book.
#[derive(Clone, Debug, Default)]
pub struct CommitContents {
    /// The commit's number, above all before.
    pub commit: CommitNumber,
    /// The highest commit time of its changes, in microseconds since 1970-01-01 UTC; `None` where no record has one.
    pub commit_time: Option<i64>,
    /// The interval read of each partition, each once; empty intervals are left out of the entry.
    pub positions: Vec<(Partition, Interval, Tally)>,
    /// The leader epoch of the last record of each partition, where records have one.
    pub leader_epochs: BTreeMap<Partition, LeaderEpoch>,
    /// By slot: the last transaction in what was read, if there is one.
    pub last_transactions: BTreeMap<String, CommittedTransaction>,
    /// Sealed files, whose names and bytes are synced in this generation's staging folder.
    pub files: Vec<SealedFile>,
    /// The counts that changed.
    pub deltas: Vec<CountDelta>,
    /// How views changed, oldest first.
    pub views: Vec<Arc<ViewChanges>>,
}

/// How a count changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountDelta {
    /// The key.
    pub key: CountKey,
    /// The number of changes added; positive.
    pub added: i64,
    /// The count with them, which the counts file must have after this commit.
    pub total: i64,
}

/// The outcome of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// No interval moved: no entry was put.
    Nothing,
    /// The entry is in the log and redone.
    Committed(Arc<Entry>),
}

/// A book that this run owns.
pub struct Committer {
    pub(in crate::book) staging: Arc<Staging>,
    pub(in crate::book) redo: Redo,
    pub(in crate::book) state: State,
    pub(in crate::book) versions: Versions,
    pub(in crate::book) unfolded: UnfoldedEntries,
    /// Whether the oldest entries of the log are swept, or may be: checkpoints say so.
    pub(in crate::book) may_be_swept: bool,
    pub(in crate::book) failed: bool,
    views: KeptViews,
    pub(in crate::book) before_removal: Option<BeforeRemoval>,
}

/// What is done at the state that a merge or a prune makes, before files go that are not part of it.
pub type BeforeRemoval = Box<dyn FnMut(&State) + Send>;

impl Committer {
    pub(in crate::book) fn new(
        staging: Arc<Staging>,
        redo: Redo,
        state: State,
        versions: Versions,
        unfolded: UnfoldedEntries,
    ) -> Result<Committer, BookError> {
        let (damaged, may_be_swept) = checkpoint::examine(staging.store())?;
        let may_be_swept = may_be_swept || commit_log::swept_to(staging.store())?.is_some();
        let views = KeptViews::default();
        let (failed, before_removal) = Default::default();
        let mut committer =
            Committer { staging, redo, state, versions, unfolded, may_be_swept, failed, views, before_removal };
        checkpoint::remove(&committer.staging, &damaged)?;
        if damaged.is_empty() {
            committer.checkpoint_if_due()?
        } else {
            committer.checkpoint()?
        }
        Ok(committer)
    }

    /// The book's identity.
    pub fn book_id(&self) -> &str {
        &self.state.book
    }

    /// This run's generation: the name of its staging folder.
    pub fn generation(&self) -> &str {
        self.staging.generation()
    }

    /// The log up to the newest entry.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The number of the first commit that can follow.
    pub fn next_commit(&self) -> CommitNumber {
        self.state.commit + 1
    }

    /// All counts of the book. A counts file that is missing, damaged or behind is written anew from the day's events.
    ///
    /// # Errors
    /// [`BookError::Disagree`] when the events do not add up to the total in the log; [`BookError::Fenced`]; [`BookError::Io`].
    pub fn initial_counts(&mut self) -> Result<Vec<(CountKey, i64)>, BookError> {
        let days: BTreeSet<Day> = self.state.days.keys().copied().collect();
        let mut names: HashSet<Arc<TableName>> = HashSet::new();
        let mut all = Vec::new();
        let read = self.redo.update_counts_files(&self.state, &[], &days, &mut |file| {
            for (mut key, count) in file.by_key() {
                // All days share a table's name.
                match names.get(&key.table) {
                    Some(known) => key.table = Arc::clone(known),
                    None => drop(names.insert(Arc::clone(&key.table))),
                }
                all.push((key, count));
            }
            Ok(())
        });
        read.map_err(|error| self.staging.explain_missing(error))?;
        Ok(all)
    }

    /// Puts one entry and redoes it. Not to be called again after an error: the next start resumes.
    ///
    /// # Errors
    /// [`BookError::Fenced`] when another run owns the book; [`BookError::Unsound`] when `contents` break a rule, and nothing
    /// was changed; [`BookError::Disagree`], [`BookError::Missing`], [`BookError::Io`], after which the entry may be in the log or not.
    ///
    /// # Panics
    /// When it is called again after an error.
    pub fn commit(&mut self, contents: CommitContents) -> Result<CommitOutcome, BookError> {
        assert!(!self.failed, "a committer that failed is never used again");
        self.failed = true;
        let outcome = self.try_commit(contents).map_err(|error| self.staging.explain_missing(error))?;
        self.failed = false;
        Ok(outcome)
    }

    /// Writes a checkpoint of the newest entry, so that the next start reads no entry before it.
    ///
    /// # Errors
    /// [`BookError::Fenced`]; [`BookError::Io`].
    pub fn checkpoint(&mut self) -> Result<(), BookError> {
        self.unfolded = UnfoldedEntries::after(checkpoint::write(&self.staging, &self.state, self.may_be_swept)?);
        Ok(())
    }

    /// The same, and removes all other checkpoints.
    ///
    /// # Errors
    /// As [`Committer::checkpoint`].
    pub fn replace_checkpoints(&mut self) -> Result<(), BookError> {
        self.checkpoint()?;
        checkpoint::remove_all_but(&self.staging, self.state.newest_entry())
    }

    pub(in crate::book) fn checkpoint_if_due(&mut self) -> Result<(), BookError> {
        if self.unfolded.are_many() { self.checkpoint() } else { Ok(()) }
    }

    fn try_commit(&mut self, contents: CommitContents) -> Result<CommitOutcome, BookError> {
        let unsound = |rule: String| BookError::Unsound { entry: self.state.entries, rule };
        if contents.positions.iter().all(|(_, interval, _)| interval.from == interval.to) {
            let has_changed_views = contents.views.iter().any(|changes| !changes.is_empty());
            if !contents.files.is_empty() || !contents.deltas.is_empty() || has_changed_views {
                return Err(unsound("there are rows, but no position moved".into()));
            }
            return Ok(CommitOutcome::Nothing);
        }
        let mut contents = contents;
        let views = ViewChanges::merged(std::mem::take(&mut contents.views));
        let (mut entry, deltas) = self.entry(contents).map_err(unsound)?;
        self.state.check(&entry)?;
        entry.views = self.views.stage(&self.staging, &self.state, views)?;
        let entry = self.put(entry)?.expect("a commit is put whatever happens to views");
        self.redo(&entry, &deltas)?;
        self.checkpoint_if_due()?;
        Ok(CommitOutcome::Committed(Arc::new(entry)))
    }

    /// Puts an entry, after those that other processes have put meanwhile.
    ///
    /// `None` for an entry of views that have all been dropped meanwhile, and for one that prunes what was pruned meanwhile.
    pub(in crate::book) fn put(&mut self, mut entry: Entry) -> Result<Option<Entry>, BookError> {
        loop {
            entry.entry = self.state.entries;
            entry.previous.clone_from(&self.state.digest);
            if entry.kind == EntryKind::Views && entry.views.is_empty() {
                return Ok(None);
            }
            if entry.prune.is_some_and(|prune| !self.state.may_prune(prune.before)) {
                return Ok(None);
            }
            entry.format = entry.format_needed();
            self.state.check(&entry)?;
            let (bytes, digest) = digested::write(&entry);
            match commit_log::put(&self.staging, entry.entry, &bytes)? {
                Put::Done => {
                    self.unfolded.add(bytes.len() as u64);
                    self.state.follow(&entry, &digest)?;
                    return Ok(Some(entry));
                }
                Put::Lost(reason) => {
                    let other = self.take_up_next(reason)?;
                    // What this run has of the name is of a view that is gone.
                    other.views.keys().for_each(|name| drop(entry.views.remove(name)));
                    entry.redone_to = self.state.redone_to;
                }
            }
        }
    }

    /// Whether other processes have put entries since the last one: one look-up in the file system.
    ///
    /// # Errors
    /// [`BookError::Io`]; nothing has changed.
    pub fn is_behind(&self) -> Result<bool, BookError> {
        let next = layout::entry_path(self.state.entries);
        self.staging.store().exists(&next).at("look up", &next)
    }

    /// Takes up the entries that other processes have put since the last one, makes them visible, and returns them.
    ///
    /// # Errors
    /// As [`Committer::commit`], and not to be called again after one.
    pub fn follow_log(&mut self) -> Result<Vec<Arc<Entry>>, BookError> {
        assert!(!self.failed, "a committer that failed is never used again");
        let mut others = Vec::new();
        loop {
            if !self.is_behind()? {
                return Ok(others);
            }
            self.failed = true;
            let reason = format!("entry {} of the log is another run's", self.state.entries);
            let other = self.take_up_next(reason).map_err(|error| self.staging.explain_missing(error))?;
            if matches!(other.kind, EntryKind::Compaction | EntryKind::Prune) {
                // Else each question would decode the paths of all files that are gone.
                self.checkpoint()?;
            }
            self.failed = false;
            others.push(Arc::new(other));
        }
    }

    /// Folds in the next entry, which another process has put, and makes it visible.
    ///
    /// # Errors
    /// [`BookError::Fenced`] with the reason when it is not one that a process beside this run may put.
    pub(in crate::book) fn take_up_next(&mut self, reason: String) -> Result<Entry, BookError> {
        let other = commit_log::read_entry(self.staging.store(), self.state.entries)?;
        let may_be_other = |entry: &Entry| {
            let is_of_any = matches!(entry.kind, EntryKind::Views | EntryKind::Compaction | EntryKind::Prune);
            is_of_any && entry.generation == self.state.generation
        };
        let Some(other) = other.filter(|other| may_be_other(&other.entry)) else {
            return Err(BookError::Fenced { reason });
        };
        commit_log::sync(self.staging.store())?;
        self.unfolded.add(other.bytes);
        self.state.follow(&other.entry, &other.digest)?;
        for (name, said) in &other.entry.views {
            match said.dropped {
                true => {
                    info!(view = name, "a view was dropped");
                    remove_unnamed(&self.staging, &self.state)?;
                }
                false => info!(view = name, "a view was declared: the next start of a run builds and keeps it"),
            }
        }
        if other.entry.kind == EntryKind::Compaction {
            info!(entry = other.entry.entry, files = other.entry.removed.len(), "another process has merged files");
            self.place_merged(&other.entry)?;
        }
        if let Some(prune) = other.entry.prune {
            info!(entry = other.entry.entry, before = %prune.before, "another process has pruned the events and rejects of old days");
            self.move_pruned_files(&other.entry)?;
        }
        Ok(other.entry)
    }

    /// On a store of objects, has something done whenever a merge or a prune takes files of rows away: after what replaces them is in place, before they go.
    /// Where there are links, who needs such a file links it.
    pub fn before_removal(&mut self, work: BeforeRemoval) {
        self.before_removal = Some(work);
    }

    /// Makes a compaction visible.
    pub(in crate::book) fn place_merged(&mut self, entry: &Entry) -> Result<(), BookError> {
        let Committer { redo, state, before_removal, .. } = self;
        redo.place_merged(slice::from_ref(entry), &mut || {
            if let Some(work) = before_removal {
                work(state);
            }
        })?;
        self.state.redone_to = entry.entry;
        Ok(())
    }

    /// Takes up all views of the book, numbered in the order of their names, with what they hold; those that are not current, or
    /// whose files are not as they were written, are built from the events, by this many threads. All of them may have at
    /// most this many groups and distinct values.
    ///
    /// # Errors
    /// [`BookError::View`] for a declaration that this version cannot read; [`BookError::TooManyGroups`]; those of reading events; [`BookError::Fenced`].
    pub fn take_up_views(&mut self, threads: usize, most_groups: u64) -> Result<Vec<KeptView>, BookError> {
        let found = views_at_start(&self.staging, &self.state, false, threads, most_groups)
            .map_err(|error| self.staging.explain_missing(error))?;
        self.put_built_views(found)
    }

    /// Builds all views of the book from its events, whatever their files hold, but for what they have of days whose events were pruned.
    ///
    /// # Errors
    /// As [`Committer::take_up_views`].
    pub fn rebuild_views(&mut self, threads: usize, most_groups: u64) -> Result<Vec<KeptView>, BookError> {
        let found = views_at_start(&self.staging, &self.state, true, threads, most_groups)
            .map_err(|error| self.staging.explain_missing(error))?;
        self.put_built_views(found)
    }

    /// Writes the counts files of all days anew, as the log has them, where they differ; returns how many did. The events must have the
    /// same counts, but on days where they were pruned.
    ///
    /// # Errors
    /// [`BookError::Disagree`] with the first difference; [`BookError::Damaged`] for a file of events that is not as committed;
    /// [`BookError::Fenced`]; [`BookError::Io`].
    pub fn rebuild_counts(&mut self) -> Result<u64, BookError> {
        self.redo.rebuild_counts_files(&self.state)
    }

    fn put_built_views(&mut self, found: ViewsAtStart) -> Result<Vec<KeptView>, BookError> {
        let ViewsAtStart { built, views, kept } = found;
        if !built.is_empty() {
            self.failed = true;
            let generation = self.staging.generation().to_owned();
            let entry = entry_of_views(self.staging.store(), &self.state, generation, self.versions.clone(), built);
            if let Some(entry) = self.put(entry)? {
                self.redo.place_view_files(std::slice::from_ref(&entry), &self.state)?;
                self.state.redone_to = entry.entry;
            }
            self.failed = false;
        }
        // Files of an earlier view of a name are not the new one's.
        remove_unnamed(&self.staging, &self.state)?;
        self.views = KeptViews::new(views);
        Ok(kept)
    }

    fn redo(&mut self, entry: &Entry, deltas: &[CountDelta]) -> Result<(), BookError> {
        let days: BTreeSet<Day> = deltas.iter().map(|delta| delta.key.day).collect();
        let entries = std::slice::from_ref(entry);
        self.redo.place_files(entries)?;
        self.redo.place_view_files(entries, &self.state)?;
        self.redo.update_counts_files(&self.state, entries, &days, &mut |file| {
            let day = file.stamp.day;
            let begin = deltas.partition_point(|delta| delta.key.day < day);
            let mut of_day = deltas[begin..].iter().take_while(|delta| delta.key.day == day);
            of_day.try_for_each(|CountDelta { key: CountKey { table, op, .. }, total, .. }| {
                let counted = file.counts.get(table, *op);
                if counted == *total {
                    return Ok(());
                }
                let TableName { schema, table } = &**table;
                let what = format!("{schema:?}.{table:?} {op} should be {total}, the counts file has {counted}");
                Err(BookError::Disagree { day, what })
            })
        })?;
        self.state.redone_to = entry.entry;
        Ok(())
    }

    /// The next entry, and its deltas with the counts that must hold after it, sorted by key.
    ///
    /// # Errors
    /// The rule that `contents` break.
    fn entry(&self, contents: CommitContents) -> Result<(Entry, Vec<CountDelta>), String> {
        let CommitContents {
            commit,
            commit_time,
            positions,
            leader_epochs,
            last_transactions,
            files,
            mut deltas,
            views: _,
        } = contents;
        let mut added: Vec<AddedFile> = files
            .into_iter()
            .map(|SealedFile { commit: _, path, bytes, rows, checksum }| AddedFile {
                path,
                bytes,
                rows,
                xxh3: format!("{checksum:016x}"),
            })
            .collect();
        added.sort_unstable_by(|one, other| one.path.cmp(&other.path));

        // The entry's rules find a key that is there twice.
        deltas.sort_unstable_by(|one, other| one.key.cmp(&other.key));

        let entry = Entry {
            format: digested::FORMAT,
            book: self.state.book.clone(),
            entry: self.state.entries,
            commit,
            previous: self.state.digest.clone(),
            kind: EntryKind::Commit,
            generation: self.staging.generation().to_owned(),
            redone_to: self.state.redone_to,
            written_at: write_time(self.staging.store()),
            commit_time,
            settings: self.state.settings.clone(),
            versions: self.versions.clone(),
            topics: topics(&self.state, positions, &leader_epochs, &last_transactions)?,
            added,
            removed: Vec::new(),
            deltas: deltas.iter().map(|delta| Delta { key: delta.key.clone(), count: delta.added }).collect(),
            views: BTreeMap::new(),
            compaction: None,
            prune: None,
        };
        Ok((entry, deltas))
    }
}
