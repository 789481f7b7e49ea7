//! Making an entry visible: files to their places, counts files of the touched days. Every step may be repeated.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tracing::warn;

use crate::change::Day;

use super::counts_file::CountsFile;
use super::day_counts::DayCounts;
use super::recount::{counts_of_log, recount};
use super::staging::Staging;
use crate::book::compact::place as place_merged;
use crate::book::concurrently::{at_once, concurrently};
use crate::book::error::At;
use crate::book::layout;
use crate::book::layout::Table;
use crate::book::log::commit_log::swept_to;
use crate::book::log::entry::{AddedFile, Delta, Entry, EntryKind};
use crate::book::log::pruning::Pruned;
use crate::book::missing_file::missing_file_of;
use crate::book::prune::move_away::{move_pruned_files, sync_moved_files};
use crate::book::read::counts_rows::CountsStamp;
use crate::book::read::listing::Listing;
use crate::book::{BookError, State};
use crate::store::{ObjectVersion, has_lost_parts};

/// Redoes entries on behalf of one run.
pub(in crate::book) struct Redo {
    staging: Arc<Staging>,
    /// Folders whose names this run has synced: an earlier run may have crashed before it did.
    durable_folders: HashSet<String>,
}

impl Redo {
    pub(in crate::book) fn new(staging: Arc<Staging>) -> Redo {
        Redo { staging, durable_folders: HashSet::new() }
    }

    /// Moves the files of the commits among `entries` out of their generations' staging folders, but those that one of them prunes.
    pub(in crate::book) fn place_files(&mut self, entries: &[Entry]) -> Result<(), BookError> {
        let pruned = Pruned::newest_of(entries);
        let removed: HashSet<&str> = entries.iter().flat_map(|entry| &entry.removed).map(String::as_str).collect();
        let is_there = |file: &AddedFile| !pruned.is_some_and(|pruned| pruned.covers_path(&file.path));
        let added = || added(entries).filter(|(_, file)| is_there(file));
        let folders: BTreeSet<&str> = added().map(|(_, file)| layout::parent(&file.path)).collect();
        self.make_folders(folders.iter().copied())?;
        let files: Vec<(&Entry, &AddedFile)> = added().collect();
        concurrently(self.staging.store(), &files, |(entry, file)| {
            self.place(entry, &file.path, removed.contains(file.path.as_str()))
        })?;
        // The new name must be durable before the old folder is swept.
        let sources = entries.iter().filter(|entry| entry.kind == EntryKind::Commit && !entry.added.is_empty());
        let sources: BTreeSet<String> = sources.map(|entry| layout::staging_folder(&entry.generation)).collect();
        folders.into_iter().try_for_each(|folder| self.sync(folder))?;
        sources.iter().try_for_each(|folder| match self.staging.store().sync_folder(folder) {
            // A start that then crashed may have swept an older generation's folder.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced.at("sync", folder),
        })
    }

    /// Moves the files of views that `entries` replace out of staging, those that no later entry replaces.
    ///
    /// What is missing is built again from the events by the next run.
    pub(in crate::book) fn place_view_files(&mut self, entries: &[Entry], state: &State) -> Result<(), BookError> {
        let mut folders = BTreeSet::new();
        for entry in entries {
            for (name, said) in &entry.views {
                let Some(view) = state.views.get(name) else { continue };
                let is_newest =
                    |file: &&AddedFile| view.files.get(&file.path).is_some_and(|known| known.xxh3 == file.xxh3);
                for file in said.files.iter().filter(is_newest) {
                    let folder = layout::parent(&file.path);
                    self.make_folders(std::iter::once(folder))?;
                    let staged = layout::staged_view_name(&file.path, &file.xxh3);
                    let staged = format!("{}/{staged}", layout::staging_folder(&entry.generation));
                    let mut renamed = self.staging.store().rename(&staged, &file.path);
                    if renamed.is_err() && self.staging.store().exists(&staged).at("look up", &staged)? {
                        // Its folder is gone.
                        self.durable_folders.clear();
                        self.make_folders(std::iter::once(folder))?;
                        renamed = self.staging.store().rename(&staged, &file.path);
                    }
                    match renamed {
                        // It is in its place, or will be missed when it is read.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        renamed => {
                            renamed.at("rename a staged file to", &file.path)?;
                            folders.insert(folder);
                        }
                    }
                }
            }
        }
        folders.into_iter().try_for_each(|folder| self.sync(folder))
    }

    /// Puts the merged files of `entries` in their places; the files of their commits are there. See [`Committer::before_removal`] for the rest.
    ///
    /// [`Committer::before_removal`]: crate::book::Committer::before_removal
    pub(in crate::book) fn place_merged(
        &self,
        entries: &[Entry],
        before_removal: &mut dyn FnMut(),
    ) -> Result<(), BookError> {
        place_merged::place(&self.staging, entries, before_removal)
    }

    /// Keeps the merged files of `entries` when the staging folders of older runs are removed.
    pub(in crate::book) fn rescue_merged(&self, entries: &[Entry]) -> Result<(), BookError> {
        place_merged::rescue(&self.staging, entries)
    }

    /// Takes the files away that `entries` prune; all other files of these entries are in their places.
    pub(in crate::book) fn move_pruned_files(&mut self, entries: &[Entry]) -> Result<(), BookError> {
        // A late change makes the folder of its day again.
        self.durable_folders.clear();
        move_pruned_files(&self.staging, entries)
    }

    /// Makes durable what older runs have begun to move away, before their staging folders are removed.
    pub(in crate::book) fn sync_moved_files(&self, entries: &[Entry]) -> Result<(), BookError> {
        sync_moved_files(&self.staging, entries)
    }

    /// Places one file, unless a later compaction `has_removed` it and was redone already.
    fn place(&self, entry: &Entry, path: &str, has_removed: bool) -> Result<(), BookError> {
        let store = self.staging.store();
        let staged = layout::staged_path(&entry.generation, path);
        match store.rename(&staged, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if has_removed || store.exists(path).at("look up", path)? {
                    return Ok(());
                }
                // Its day's folder may be gone instead.
                let is_staged = store.exists(&staged).at("look up", &staged)?;
                match self.staging.explain(error, "rename a staged file to", path) {
                    BookError::Io { .. } if !is_staged => Err(missing_file_of(entry, path, None)),
                    other => Err(other),
                }
            }
            // The merged file has its rows.
            Err(error) if has_lost_parts(&error) && has_removed => Ok(()),
            Err(error) if has_lost_parts(&error) => {
                // Or a newer run has completed it, and merged or pruned it since.
                match self.staging.explain(io::ErrorKind::NotFound.into(), "rename a staged file to", path) {
                    BookError::Io { .. } => Err(missing_file_of(entry, path, Some(error))),
                    other => Err(other),
                }
            }
            renamed => renamed.at("rename a staged file to", path),
        }
    }

    /// Updates the counts files of `days` to `state`, by the deltas of `entries`, and shows each: a book may have thousands.
    ///
    /// `entries` are the newest of the log up to the state's newest; their files are in place, and staging folders of older
    /// generations are gone, so that no suspended run can put an older file back.
    pub(in crate::book) fn update_counts_files(
        &mut self,
        state: &State,
        entries: &[Entry],
        days: &BTreeSet<Day>,
        show: &mut dyn FnMut(&CountsFile) -> Result<(), BookError>,
    ) -> Result<(), BookError> {
        let folders: Vec<String> = days.iter().map(|day| layout::day_folder(Table::Counts, *day)).collect();
        self.make_folders(folders.iter().map(String::as_str))?;
        let mut unusable = BTreeMap::new();
        let all: Vec<Day> = days.iter().copied().collect();
        for some in all.chunks(at_once(self.staging.store())) {
            let update = |day: &Day| self.update_counts_file(state, entries, *day);
            for (day, updated) in some.iter().zip(concurrently(self.staging.store(), some, update)?) {
                match updated {
                    CountsUpdate::Current(file) => show(&file)?,
                    CountsUpdate::Unusable(reason, read) => {
                        warn!(%day, reason, "recounting a day from its events");
                        unusable.insert(*day, read);
                    }
                }
            }
        }
        if !unusable.is_empty() {
            let (of_log, of_events): (BTreeSet<Day>, BTreeSet<Day>) =
                unusable.keys().copied().partition(|day| state.is_pruned_day(*day));
            let mut counts = recount(self.staging.store(), state, &of_events)?;
            counts.extend(counts_of_log(self.staging.store(), state, &of_log)?);
            for (day, counts) in counts {
                let file = CountsFile { stamp: self.stamp(state, day), counts };
                let expected = expected(state, day);
                if file.total() != expected {
                    let listing = Listing { store: self.staging.store(), state, tail: &[] };
                    listing.files(Table::Events, &|other| other == day)?.1?;
                    let what = format!("the log has {expected} changes, the event files have {}", file.total());
                    return Err(BookError::Disagree { day, what });
                }
                self.replace_counts(&file, &unusable[&day])?;
                show(&file)?;
            }
        }
        folders.iter().try_for_each(|folder| self.sync(folder))
    }

    /// Writes the counts files of all days that differ from the log, and returns how many; the events must have the same counts.
    pub(in crate::book) fn rebuild_counts_files(&mut self, state: &State) -> Result<u64, BookError> {
        let days: BTreeSet<Day> = state.days.keys().copied().collect();
        let folders: Vec<String> = days.iter().map(|day| layout::day_folder(Table::Counts, *day)).collect();
        self.make_folders(folders.iter().map(String::as_str))?;
        let mut rewritten = 0;
        for (day, counts) in counts_of_log(self.staging.store(), state, &days)? {
            if !state.is_pruned_day(day) {
                let of_events = recount(self.staging.store(), state, &BTreeSet::from([day]))?;
                let of_events = of_events.get(&day).cloned().unwrap_or_default();
                if let Some(what) = counts.difference(&of_events) {
                    return Err(BookError::Disagree { day, what });
                }
            }
            let stamp = self.stamp(state, day);
            let (held, read) = self.read_counts(&stamp)?;
            let is_as_it_was = held.is_ok_and(|file| file.counts == counts);
            if !is_as_it_was {
                self.replace_counts(&CountsFile { stamp, counts }, &read)?;
                rewritten += 1;
            }
        }
        folders.iter().try_for_each(|folder| self.sync(folder))?;
        Ok(rewritten)
    }

    fn update_counts_file(&self, state: &State, entries: &[Entry], day: Day) -> Result<CountsUpdate, BookError> {
        loop {
            if let Some(update) = self.try_update_counts_file(state, entries, day)? {
                return Ok(update);
            }
            // An older run has replaced it since it was read; a newer one is noticed by what it holds.
        }
    }

    /// `None` if another process has replaced the file meanwhile.
    fn try_update_counts_file(
        &self,
        state: &State,
        entries: &[Entry],
        day: Day,
    ) -> Result<Option<CountsUpdate>, BookError> {
        let stamp = self.stamp(state, day);
        let (held, read) = self.read_counts(&stamp)?;
        let mut file = match held {
            Ok(file) => file,
            // The day's first changes.
            Err(_) if added_by(entries, day) == expected(state, day) => {
                CountsFile { stamp: CountsStamp { entry: 0, ..stamp.clone() }, counts: DayCounts::default() }
            }
            Err(reason) => return Ok(Some(CountsUpdate::Unusable(reason, read))),
        };
        let file_entry = file.stamp.entry;
        for entry in entries.iter().filter(|entry| file_entry < entry.entry) {
            file.counts.add(of_day(entry, day));
        }
        // Deltas are positive: a file that missed an entry has too few.
        if file.total() != expected(state, day) {
            let reason = format!(
                "it held entry {file_entry} and adds up to {} of {} changes",
                file.total(),
                expected(state, day)
            );
            return Ok(Some(CountsUpdate::Unusable(reason, read)));
        }
        if state.days.get(&day).is_none_or(|known| known.entry <= file_entry) {
            return Ok(Some(CountsUpdate::Current(file)));
        }
        let file = CountsFile { stamp, ..file };
        Ok(self.write_counts(&file, &read)?.then_some(CountsUpdate::Current(file)))
    }

    fn stamp(&self, state: &State, day: Day) -> CountsStamp {
        CountsStamp {
            book: state.book.clone(),
            generation: self.staging.generation().to_owned(),
            entry: state.newest_entry().expect("only a book with a log is written to"),
            commit: state.commit,
            day,
        }
    }

    /// The day's counts file, or why it cannot be used; and which version of it that is, where the store has versions.
    fn read_counts(&self, own: &CountsStamp) -> Result<(Result<CountsFile, String>, Option<ObjectVersion>), BookError> {
        let store = self.staging.store();
        let path = layout::counts_path(own.day);
        let (bytes, version) = match store.objects() {
            Some(objects) => {
                let (bytes, version) = objects.read_version(&path).at("read", &path)?;
                (bytes, Some(version))
            }
            None => match store.read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => (None, None),
                read => (Some(read.at("read", &path)?), None),
            },
        };
        let Some(bytes) = bytes else { return Ok((Err("there is no counts file".into()), version)) };
        self.usable_counts(own, &path, bytes).map(|file| (file, version))
    }

    /// A counts file by its bytes, or why it cannot be used.
    fn usable_counts(
        &self,
        own: &CountsStamp,
        path: &str,
        bytes: Vec<u8>,
    ) -> Result<Result<CountsFile, String>, BookError> {
        let store = self.staging.store();
        let file = match CountsFile::read(own.day, Bytes::from(bytes)) {
            Ok(file) => file,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if file.stamp.book != own.book {
            return Ok(Err(format!("it is of book {}", file.stamp.book)));
        }
        if file.stamp.entry > own.entry {
            let next = layout::entry_path(own.entry + 1);
            if store.exists(&next).at("look up", &next)? || swept_to(store)? > Some(own.entry) {
                let reason = format!("{path:?} holds entry {} of another run", file.stamp.entry);
                return Err(BookError::Fenced { reason });
            }
            return Ok(Err(format!("it holds entry {}, which is not in the log", file.stamp.entry)));
        }
        Ok(Ok(file))
    }

    /// Replaces a counts file; `false` if it is not the version any more that was read. A file system needs none: there a run whose staging
    /// folder is gone cannot replace anything.
    fn write_counts(&self, file: &CountsFile, read: &Option<ObjectVersion>) -> Result<bool, BookError> {
        let path = layout::counts_path(file.stamp.day);
        if let (Some(objects), Some(read)) = (self.staging.store().objects(), read) {
            // After the version was read: the start of a newer run sweeps this run's folder before it replaces anything.
            self.staging.expect_folder()?;
            return objects.replace(&path, &file.encode(), read).at("replace", &path);
        }
        let staged = layout::staged_name(&path);
        self.staging.write(&staged, &file.encode())?;
        self.staging.publish(&staged, &path)?;
        Ok(true)
    }

    /// Replaces a counts file by one that was counted from the events or the log.
    fn replace_counts(&self, file: &CountsFile, read: &Option<ObjectVersion>) -> Result<(), BookError> {
        let mut read = read.clone();
        while !self.write_counts(file, &read)? {
            // An older run has replaced it since it was read; a newer one is noticed by what it holds.
            read = self.read_counts(&file.stamp)?.1;
        }
        Ok(())
    }

    /// Makes day folders and the folders above them, and makes their names survive a crash.
    fn make_folders<'a>(&mut self, folders: impl Iterator<Item = &'a str>) -> Result<(), BookError> {
        let mut parents = BTreeSet::new();
        let mut made = Vec::new();
        for folder in folders.flat_map(with_parents) {
            if !self.durable_folders.contains(folder) && !made.contains(&folder) {
                self.staging.store().create_folder(folder).at("make", folder)?;
                parents.insert(layout::parent(folder));
                made.push(folder);
            }
        }
        parents.into_iter().try_for_each(|parent| self.sync(parent))?;
        self.durable_folders.extend(made.into_iter().map(str::to_owned));
        Ok(())
    }

    fn sync(&self, folder: &str) -> Result<(), BookError> {
        self.staging.store().sync_folder(folder).at("sync", folder)
    }
}

/// A folder and those above it, the outermost first.
fn with_parents(folder: &str) -> impl Iterator<Item = &str> {
    let ends = folder.match_indices('/').map(|(end, _)| end).chain(std::iter::once(folder.len()));
    ends.map(|end| &folder[..end])
}

/// The outcome of updating a day's counts file.
enum CountsUpdate {
    /// The file is in place and agrees with the log.
    Current(CountsFile),
    /// The file cannot be updated, with the reason, and which version of it that is.
    Unusable(String, Option<ObjectVersion>),
}

/// The number of a day's changes in the log.
fn expected(state: &State, day: Day) -> i128 {
    state.days.get(&day).map_or(0, |known| i128::from(known.changes))
}

fn added(entries: &[Entry]) -> impl Iterator<Item = (&Entry, &AddedFile)> {
    let commits = entries.iter().filter(|entry| entry.kind == EntryKind::Commit);
    commits.flat_map(|entry| entry.added.iter().map(move |file| (entry, file)))
}

fn of_day(entry: &Entry, day: Day) -> impl Iterator<Item = &Delta> {
    // Deltas are sorted by day.
    let start = entry.deltas.partition_point(|delta| delta.key.day < day);
    entry.deltas[start..].iter().take_while(move |delta| delta.key.day == day)
}

fn added_by(entries: &[Entry], day: Day) -> i128 {
    entries.iter().flat_map(|entry| of_day(entry, day)).map(|delta| i128::from(delta.count)).sum()
}
