//! One commit of a book, for readers: its positions, counts and files.
//!
//! A snapshot is taken at the newest entry N. Files on disk may lag behind it (a commit is made by its entry, its
//! files are put in place afterwards) or be ahead of it (a run commits while we read). The log corrects both: a counts
//! file of entry K gets the deltas of the entries after K, or loses those of the entries after N. The sum must then be the
//! day's total in the log, or there is no answer.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::io::ErrorKind;

use arrow_array::RecordBatch;
use tracing::warn;

use super::checksum;
use super::complete_to::CompleteTo;
use super::counts_rows::CountsRows;
use super::listing::Listing;
use super::row_file::first_found;
use super::verified_parts::VerifiedParts;
use super::view_files;
use crate::book::error::At;
use crate::book::layout::{MergedPlace, RowsPlace, Table, entry_path};
use crate::book::log::commit_log::{
    LoggedEntry, ensure_durable, forget_another_book, missing, numbers, read_entry, required,
};
use crate::book::log::log_evidence::LogEvidence;
use crate::book::log::named_files::NamedFiles;
use crate::book::log::tail::Tail;
use crate::book::log::{base, folding};
use crate::book::missing_file::missing_file;
use crate::book::{BookError, Entry, State};
use crate::change::{Accumulators, Day, GroupKey, Operation};
use crate::store::{BookStore, Store, StoredFile};
use crate::views::View;

/// How many numbers after the newest entry are looked up: an entry there means that one before it is missing.
const LOOK_AHEAD: u64 = 8;

/// A file of rows that a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Its path in the book, where it is or will be.
    pub path: String,
    /// Where in staging it may still be.
    staged: Option<String>,
}

impl DataFile {
    /// The day of its rows.
    pub fn day(&self) -> Option<Day> {
        RowsPlace::parse(&self.path).map(|place| place.day())
    }

    /// Its number among the files of its commit, worker and day, or of its compaction.
    pub fn index(&self) -> Option<usize> {
        RowsPlace::parse(&self.path).map(|place| place.index())
    }
}

/// A book at its newest entry.
pub struct Snapshot {
    store: BookStore,
    state: State,
    tail: Tail,
    named: RefCell<NamedFiles>,
    /// Paths of files whose bytes were compared with the log.
    whole: RefCell<HashSet<String>>,
    /// The parts of merged files that were compared with the log.
    parts: RefCell<VerifiedParts>,
}

impl Snapshot {
    /// Takes a snapshot of a book, of entries that survive a crash.
    ///
    /// # Errors
    /// [`BookError::NoBook`]; [`BookError::Damaged`] and [`BookError::Unsound`] when the log does not hold together.
    pub fn take(book: impl Into<BookStore>) -> Result<Snapshot, BookError> {
        let store = book.into();
        expect_directory(&store)?;
        folding::repeated(&store, || Snapshot::take_once(store.clone()))
    }

    fn take_once(store: BookStore) -> Result<Snapshot, BookError> {
        forget_another_book(&store)?;
        let evidence = LogEvidence::list(&store)?;
        let mut state = folding::begin(&store, |_| true)?;
        while let Some(LoggedEntry { entry, digest, .. }) =
            next_entry(&store, state.as_ref().map_or(0, |state| state.entries))?
        {
            let state = state.get_or_insert_with(|| State::new(entry.book.clone(), entry.settings.clone()));
            state.follow(&entry, &digest)?;
        }
        folding::end(&store, state.as_mut())?;
        let newest = state.as_ref().and_then(State::newest_entry);
        evidence.compare(state.as_ref())?;
        let no_book = || BookError::NoBook { path: store.location().to_path() };
        let state = state.ok_or_else(no_book)?;
        let newest = newest.ok_or_else(no_book)?;
        let tail = Tail::read(&store, state.redone_to, newest)?;
        // Without entries in the tail a checkpoint holds the newest: it is written after the sync.
        tail.entries.last().map_or(Ok(()), |newest| ensure_durable(&store, newest))?;
        let mut named = NamedFiles::new(newest, state.commit);
        tail.entries.iter().for_each(|entry| named.remember(entry));
        let (whole, parts) = (RefCell::default(), RefCell::default());
        Ok(Snapshot { store, state, tail, named: RefCell::new(named), whole, parts })
    }

    /// The IANA name of the zone of the book's days.
    pub fn time_zone(&self) -> &str {
        &self.state.settings.time_zone
    }

    /// The log up to the newest entry.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The entries whose files may not be in their places yet.
    pub(in crate::book) fn tail(&self) -> &[Entry] {
        &self.tail.entries
    }

    /// What an answer from this snapshot is complete to.
    pub fn complete_to(&self) -> CompleteTo {
        CompleteTo::new(&self.state)
    }

    /// The days that have changes.
    pub fn days(&self) -> impl Iterator<Item = Day> {
        self.state.days.keys().copied()
    }

    /// Passes schema, table, operation and count of one day to `show`: each key once, each count positive.
    ///
    /// # Errors
    /// [`BookError::Disagree`] when the counts do not add up to the total in the log, [`BookError::UnreadableCounts`]; the
    /// counts shown until then are invalid.
    pub fn day_counts(&self, day: Day, show: &mut dyn FnMut(&str, &str, Operation, u64)) -> Result<(), BookError> {
        let file = CountsRows::open(&self.store, day)?;
        let mut corrections = self.tail.corrections(day, file.as_ref().map(|file| file.stamp.entry))?;

        let has_file = file.is_some();
        let mut sum = 0u128;
        let mut wrong = None;
        let mut pass = |schema: &str, table: &str, op: Operation, count: i64| match u64::try_from(count) {
            Ok(0) => {}
            Ok(count) => {
                sum += u128::from(count);
                show(schema, table, op, count);
            }
            Err(_) => wrong = Some(format!("{schema}.{table} has {count} {op}")),
        };
        if let Some(file) = file {
            file.for_each(&mut |schema, table, op, count| {
                let correction = corrections.take(schema, table, op);
                pass(schema, table, op, count.saturating_add(correction));
            })?;
        }
        corrections.for_each(&mut pass);

        let total = self.state.days.get(&day).map_or(0, |known| known.changes);
        // A day whose entries are all in the tail has no file yet.
        if !has_file && sum != u128::from(total) {
            return Err(BookError::UnreadableCounts { day, reason: "it is missing".to_owned() });
        }
        if wrong.is_none() && sum != u128::from(total) {
            wrong = Some(format!("the counts are {sum} at entry {}, the log has {total}", self.tail.newest));
        }
        wrong.map_or(Ok(()), |what| Err(BookError::Disagree { day, what }))
    }

    /// A view by its declaration; `None` if the book has no view of this name.
    ///
    /// # Errors
    /// [`BookError::View`] for a view that is not built up to the newest commit, or that this version cannot read.
    pub(crate) fn view(&self, name: &str) -> Result<Option<View>, BookError> {
        let Some(known) = self.state.views.get(name) else { return Ok(None) };
        if !known.is_current {
            let reason = "it is declared, and not built yet: the next start of `walbook run` builds it, and so does `walbook view build`";
            return Err(BookError::View { view: name.to_owned(), reason: reason.into() });
        }
        view_files::parse_view(&self.state, 0, name, &known.declared).map(Some)
    }

    /// The rows of a view on the days that `wanted` accepts, in the order of days; `None` is the day of all rows where the view has
    /// no folder for each.
    ///
    /// # Errors
    /// [`BookError::Damaged`] for a file that is missing or not as committed: a run may have replaced it since the snapshot.
    pub(crate) fn view_rows(
        &self,
        view: &View,
        wanted: &dyn Fn(Option<Day>) -> bool,
    ) -> Result<Vec<RecordBatch>, BookError> {
        let Some(known) = self.state.views.get(view.name()) else { return Ok(Vec::new()) };
        let rows = view_files::read_rows(&self.store, view, known, wanted)?;
        Ok(rows.into_values().flatten().collect())
    }

    /// What the groups of a view hold on the days that `wanted` accepts.
    ///
    /// # Errors
    /// As [`Snapshot::view_rows`].
    pub(crate) fn view_groups(
        &self,
        view: &View,
        wanted: &dyn Fn(Option<Day>) -> bool,
    ) -> Result<BTreeMap<GroupKey, Accumulators>, BookError> {
        match self.state.views.get(view.name()) {
            Some(known) => view_files::read_groups(&self.store, view, known, wanted),
            None => Ok(BTreeMap::new()),
        }
    }

    /// The files of events on the days that `wanted` accepts, of commits up to this one, each once.
    ///
    /// # Errors
    /// [`BookError::Missing`] when the log names one that is not there; [`BookError::Damaged`] when the log has lost its end;
    /// [`BookError::Io`] when a folder cannot be listed.
    pub fn event_files(&self, wanted: &dyn Fn(Day) -> bool) -> Result<Vec<DataFile>, BookError> {
        let (files, missing) = self.files(Table::Events, wanted)?;
        missing.map(|()| files)
    }

    /// The files of rejects, of commits up to this one, each once.
    ///
    /// # Errors
    /// As [`Snapshot::event_files`].
    pub fn reject_files(&self) -> Result<Vec<DataFile>, BookError> {
        let (files, missing) = self.reject_files_in_place()?;
        missing.map(|()| files)
    }

    /// The files of rejects that are there, and the error when the log names others.
    ///
    /// # Errors
    /// As [`Snapshot::event_files`], but for missing files.
    pub fn reject_files_in_place(&self) -> Result<(Vec<DataFile>, Result<(), BookError>), BookError> {
        self.files(Table::Rejects, &|_| true)
    }

    /// By day of Kafka's timestamp: the number of rejects, as the log has it; those without a usable one are on 1970-01-01.
    ///
    /// # Errors
    /// [`BookError`] when files of rejects, or the entries that name them, are missing in a book that an earlier version wrote.
    pub fn reject_days(&self) -> Result<BTreeMap<Day, u64>, BookError> {
        match &self.state.rejects {
            Some(rejects) => Ok(rejects.clone()),
            None => {
                let mut rejects = BTreeMap::new();
                for file in self.reject_files()? {
                    let named = self.named.borrow_mut().find(&self.store, &file.path)?;
                    if let (Some(day), Some(named)) = (file.day(), named) {
                        *rejects.entry(day).or_default() += named.rows;
                    }
                }
                Ok(rejects)
            }
        }
    }

    /// Looks for every entry of the log and every file that it names, without reading rows of events and rejects.
    ///
    /// # Errors
    /// [`BookError::Damaged`] for an entry that is missing; [`BookError::Missing`] or [`BookError::UnreadableCounts`] with the first one that is not there; those of
    /// [`Snapshot::event_files`] and [`Snapshot::day_counts`].
    pub fn expect_all_files(&self) -> Result<(), BookError> {
        folding::repeated(&self.store, || self.expect_log())?;
        for file in self.event_files(&|_| true)?.into_iter().chain(self.reject_files()?) {
            if file.staged.is_some() {
                self.open(&file)?;
            }
        }
        self.days().try_for_each(|day| self.day_counts(day, &mut |_, _, _, _| {}))
    }

    /// Looks for every entry of the log, and for what stands for those that were swept.
    fn expect_log(&self) -> Result<(), BookError> {
        let base = base::read_newest(&self.store)?;
        if let Some(base) = &base {
            for table in [Table::Events, Table::Rejects] {
                for (day, _) in base.manifests.of(table) {
                    base.manifest(&self.store, table, day)?;
                }
            }
        }
        let present: HashSet<u64> = numbers(&self.store)?.into_iter().collect();
        let mut kept = base.map_or(0, |base| base.state.entries)..self.state.entries;
        match kept.find(|number| !present.contains(number)) {
            Some(absent) => Err(missing(&self.store, absent)?),
            None => Ok(()),
        }
    }

    fn files(
        &self,
        table: Table,
        wanted: &dyn Fn(Day) -> bool,
    ) -> Result<(Vec<DataFile>, Result<(), BookError>), BookError> {
        let listing = Listing { store: &self.store, state: &self.state, tail: &self.tail.entries };
        let (files, missing) = listing.files(table, wanted)?;
        Ok((files.into_iter().map(|(path, staged)| DataFile { path, staged }).collect(), missing))
    }

    /// Whether an entry names a file; if so, compares all of its bytes with the entry, which must happen before they are
    /// decoded. Reads a file only once.
    ///
    /// # Errors
    /// [`BookError::Damaged`] when the bytes are not those that were committed; [`BookError::Missing`].
    pub fn is_whole(&self, file: &DataFile) -> Result<bool, BookError> {
        if self.whole.borrow().contains(&file.path) {
            return Ok(true);
        }
        let Some(named) = self.named.borrow_mut().find(&self.store, &file.path)? else {
            warn!(path = file.path, "skipped a file that no entry names");
            return Ok(false);
        };
        match checksum::difference(&self.open(file)?, &named).at("read", &file.path)? {
            Some(what) => Err(BookError::damaged(&file.path, what)),
            None => Ok(self.whole.borrow_mut().insert(named.path)),
        }
    }

    /// As [`Snapshot::is_whole`], for one row group and the footer: of a merged file only these are compared.
    ///
    /// # Errors
    /// As [`Snapshot::is_whole`].
    pub fn is_group_whole(&self, file: &DataFile, group: usize) -> Result<bool, BookError> {
        let Some(place) = MergedPlace::parse(&file.path) else { return self.is_whole(file) };
        if place.entry >= self.state.entries {
            return Ok(false);
        }
        let named = || self.named.borrow_mut().parts(&self.store, &file.path);
        self.parts.borrow_mut().verify(file.path.as_str(), group, &named, &|| self.open(file))
    }

    /// Whether a file that cannot be read is in staging all the same: as an upload that is not completed.
    fn is_staged(&self, file: &DataFile) -> Result<bool, BookError> {
        file.staged.as_deref().map_or(Ok(false), |staged| self.store.exists(staged).at("look up", staged))
    }

    /// Opens a file of this snapshot: in its place, in staging, or among those that were replaced meanwhile.
    ///
    /// # Errors
    /// [`BookError::Missing`] when it is in none of them; [`BookError::NotInPlace`] while it is an upload that its run has not completed.
    pub fn open(&self, file: &DataFile) -> Result<StoredFile, BookError> {
        match first_found(&self.store, &file.path, file.staged.as_deref(), |path| self.store.open(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let is_staged = self.is_staged(file)?;
                // Its run may have put it in its place, and removed it from staging, since the last look.
                if !is_staged && let Ok(opened) = self.store.open(&file.path) {
                    return Ok(opened);
                }
                match self.named.borrow_mut().entry_of(&self.store, &file.path)? {
                    Some(entry) if is_staged => Err(BookError::NotInPlace { path: file.path.clone(), entry }),
                    Some(entry) => Err(missing_file(&self.store, entry, &file.path)),
                    None => Err(error).at("open", &file.path),
                }
            }
            opened => opened.at("open", &file.path),
        }
    }
}

/// Refuses a path that is something else than a directory, or below such.
pub(in crate::book) fn expect_directory(book: &BookStore) -> Result<(), BookError> {
    // In a bucket there are no directories.
    let Some(root) = book.location().directory() else { return Ok(()) };
    let is_none = match root.metadata() {
        Ok(found) => !found.is_dir(),
        Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    };
    if is_none { Err(BookError::NoBook { path: root.to_owned() }) } else { Ok(()) }
}

/// Entry `number`, or `None` when the log ends before it.
fn next_entry(store: &dyn Store, number: u64) -> Result<Option<LoggedEntry>, BookError> {
    if let Some(logged) = read_entry(store, number)? {
        return Ok(Some(logged));
    }
    let exists = |number| store.exists(&entry_path(number)).unwrap_or(false);
    if !(number + 1..=number + LOOK_AHEAD).any(exists) {
        return Ok(None);
    }
    // Entries may have been added since the first look; one that is still absent is missing.
    required(store, number).map(Some)
}
