//! All tables of a book, brought to a state of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tracing::warn;
use twox_hash::XxHash3_64;

use super::actions::Add;
use super::error::{At, DeltaError, gone_is_fine};
use super::event_files::{EventFiles, FileSize};
use super::log::{CHECKPOINT_INTERVAL, Cut, TableLog, Wanted};
use super::schema;
use super::vacuum::vacuum;
use super::verify::{counts_name, view_name};
use super::writer::Writer;
use crate::book::{CountsFile, State, ViewState};
use crate::change::Day;
use crate::store::Store;
use crate::store::layout::{DELTA_FILES, DELTA_LOG, Table, VIEWS, ViewFileKind, ViewPlace, counts_path, view_folder};

/// How often old versions are looked for beside at checkpoints, in milliseconds: what was pruned must go also where few versions are put.
const LOOK_INTERVAL: i64 = 3_600_000;

/// The tables of a book that this run owns.
pub struct DeltaTables {
    writer: Writer,
    /// How long versions are kept; `None` for ever.
    keep: Option<Duration>,
    /// How many versions follow a checkpoint until the next one.
    checkpoint_interval: u64,
    /// When old versions are looked for again, in milliseconds since 1970-01-01 UTC.
    next_look: i64,
    /// By folder: what was read and written.
    tables: BTreeMap<String, TableLog>,
    /// The files of events at the entry up to which they were followed.
    events: Option<EventFiles>,
    /// The number of entries of the newest state that was asked for.
    entries: u64,
    /// Views that Delta cannot have, and were reported.
    refused: BTreeSet<(String, u64)>,
}

/// What came of bringing the tables to a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// They are there; how many versions were put.
    Versions(usize),
    /// The book has moved on: a file of that state was replaced. To be tried again with the newest one.
    Moved,
}

impl DeltaTables {
    /// The tables of a book, for the run of this generation. Nothing is read yet.
    pub fn new(store: Arc<dyn Store>, generation: &str, keep: Option<Duration>) -> DeltaTables {
        let (tables, events, entries, refused) = Default::default();
        DeltaTables {
            writer: Writer::new(store, generation),
            keep,
            checkpoint_interval: CHECKPOINT_INTERVAL,
            next_look: 0,
            tables,
            events,
            entries,
            refused,
        }
    }

    /// Makes checkpoints after so many versions.
    #[must_use]
    pub fn with_checkpoint_interval(self, checkpoint_interval: u64) -> DeltaTables {
        DeltaTables { checkpoint_interval, ..self }
    }

    /// Brings all tables to `state`, whose entries are redone: each that has changed gets one version.
    ///
    /// # Errors
    /// [`DeltaError`]; what was put stays, and the next call continues from there.
    pub fn bring_to(&mut self, state: &State) -> Result<Written, DeltaError> {
        if state.entries < self.entries {
            // A merge or a prune has brought them further meanwhile.
            return Ok(Written::Versions(0));
        }
        self.entries = state.entries;
        let brought = self.try_bring_to(state);
        if brought.is_err() {
            // What this run knows may not be what is there.
            (self.tables, self.events) = Default::default();
            self.writer.forget_folders("");
        }
        brought
    }

    fn try_bring_to(&mut self, state: &State) -> Result<Written, DeltaError> {
        let Some(entry) = state.newest_entry() else { return Ok(Written::Versions(0)) };
        let cut = Cut { book: &state.book, entry, commit: state.commit };
        let Some(events) = self.wanted_events(state)? else { return Ok(Written::Moved) };
        let Some(counts) = self.wanted_counts(state)? else { return Ok(Written::Moved) };
        let mut wanted = vec![(Table::Events.folder().to_owned(), events), (Table::Counts.folder().to_owned(), counts)];
        for (name, view) in state.views.iter().filter(|(_, view)| view.is_current) {
            match self.wanted_view(state, name, view)? {
                Some(Some(view)) => wanted.push((view_folder(VIEWS, name), view)),
                Some(None) => {}
                None => return Ok(Written::Moved),
            }
        }
        // Before the versions that name them.
        self.writer.sync()?;
        let now = self.writer.now();
        let looks = now >= self.next_look;
        let before_now = |keep: Duration| now.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        let limit = self.keep.filter(|_| looks).map(before_now);
        let mut versions = 0;
        for (folder, wanted) in wanted {
            let table = table(&mut self.tables, &self.writer, &folder, &state.book)?;
            if table.version.is_none() && wanted.schema.is_none() {
                continue;
            }
            versions += usize::from(table.bring_to(&mut self.writer, &wanted, cut)?);
            let has_new = table.checkpoint_if_due(&mut self.writer, &state.book, self.checkpoint_interval, limit)?;
            if let Some(keep) = self.keep.filter(|_| has_new || looks) {
                vacuum(&self.writer, table, keep)?;
            }
        }
        self.remove_dropped_views(state)?;
        if looks {
            self.next_look = now.saturating_add(LOOK_INTERVAL);
        }
        Ok(Written::Versions(versions))
    }

    /// The files of events, each under the name that a version has for it; `None` if one was moved away meanwhile.
    fn wanted_events(&mut self, state: &State) -> Result<Option<Wanted>, DeltaError> {
        let folder = Table::Events.folder();
        let table = table(&mut self.tables, &self.writer, folder, &state.book)?;
        let events = self.events.get_or_insert_with(|| known_events(table));
        events.follow(self.writer.store(), state)?;
        let mut files = BTreeMap::new();
        for (path, size) in &events.files {
            let name = path.strip_prefix("events/").unwrap_or(path);
            let day = name.split('/').next().and_then(|folder| folder.strip_prefix("day=")).map(str::to_owned);
            let named = if self.writer.links() { format!("{DELTA_FILES}/{name}") } else { name.to_owned() };
            if self.writer.links() && !table.files.contains_key(&named) {
                self.writer.make_folder(&format!("{folder}/{DELTA_FILES}"))?;
                if !self.writer.keep(path, &format!("{folder}/{named}"))? {
                    return Ok(None);
                }
            }
            files.insert(named.clone(), Add::new(named, day, size.bytes, size.rows));
        }
        Ok(Some(Wanted { files, schema: Some(schema::of_events()), has_days: true }))
    }

    /// The counts of each day, kept under the number of the entry that has added to it last.
    fn wanted_counts(&mut self, state: &State) -> Result<Option<Wanted>, DeltaError> {
        let folder = Table::Counts.folder();
        let table = table(&mut self.tables, &self.writer, folder, &state.book)?;
        let mut files = BTreeMap::new();
        for (day, known) in &state.days {
            let named = counts_name(*day, known.entry);
            if let Some(held) = table.files.get(&named) {
                files.insert(named, held.clone());
                continue;
            }
            let check = |bytes: &[u8]| counts_at(state, *day, known.changes, bytes);
            match self.writer.keep_checked(&counts_path(*day), &format!("{folder}/{named}"), check)? {
                Some(FileSize { bytes, rows }) => {
                    files.insert(named.clone(), Add::new(named, Some(day.to_string()), bytes, rows))
                }
                None => return Ok(None),
            };
        }
        Ok(Some(Wanted { files, schema: Some(schema::of_counts()), has_days: true }))
    }

    /// The rows of a view, kept under their checksums; `Some(None)` for a view that Delta cannot have.
    fn wanted_view(
        &mut self,
        state: &State,
        name: &str,
        view: &ViewState,
    ) -> Result<Option<Option<Wanted>>, DeltaError> {
        if self.refused.contains(&(name.to_owned(), view.entry)) {
            return Ok(Some(None));
        }
        let folder = view_folder(VIEWS, name);
        let table = table(&mut self.tables, &self.writer, &folder, &state.book)?;
        let mut wanted = Wanted { files: BTreeMap::new(), schema: None, has_days: false };
        for (path, file) in &view.files {
            let Some(place) = ViewPlace::parse(path).filter(|place| place.kind == ViewFileKind::Rows) else { continue };
            wanted.has_days |= place.day.is_some();
            let named = view_name(&place, &file.xxh3);
            if !table.files.contains_key(&named) {
                let is_same = |bytes: &[u8]| {
                    let is_same = format!("{:016x}", XxHash3_64::oneshot(bytes)) == file.xxh3;
                    is_same.then(|| Bytes::copy_from_slice(bytes))
                };
                let kept = self.writer.keep_checked(path, &format!("{folder}/{named}"), is_same)?;
                let Some(bytes) = kept else { return Ok(None) };
                match schema::of_file(bytes, place.day) {
                    Ok(schema) => wanted.schema = Some(schema),
                    Err(reason) => {
                        warn!(view = name, reason, "this view cannot be a Delta table");
                        self.refused.insert((name.to_owned(), view.entry));
                        return Ok(Some(None));
                    }
                }
            }
            let day = place.day.map(|day| day.to_string());
            wanted.files.insert(named.clone(), Add::new(named, day, file.bytes, file.rows));
        }
        Ok(Some(Some(wanted)))
    }

    /// Removes the tables of views that the book has no longer.
    fn remove_dropped_views(&mut self, state: &State) -> Result<(), DeltaError> {
        let names = match self.writer.store().list(VIEWS) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            names => names.at("list", VIEWS)?,
        };
        for name in names.iter().filter(|name| !state.views.contains_key(*name)) {
            let folder = view_folder(VIEWS, name);
            for part in [DELTA_LOG, DELTA_FILES] {
                let path = format!("{folder}/{part}");
                if !gone_is_fine(self.writer.store().list(&path)).at("list", &path)?.is_empty() {
                    self.writer.remove_folder(&path)?;
                }
            }
            self.tables.remove(&folder);
        }
        Ok(())
    }
}

/// A table as far as this run knows it, which is read the first time.
fn table<'t>(
    tables: &'t mut BTreeMap<String, TableLog>,
    writer: &Writer,
    folder: &str,
    book: &str,
) -> Result<&'t mut TableLog, DeltaError> {
    if !tables.contains_key(folder) {
        let read = TableLog::read(writer.store(), folder, book)?;
        if read.version.is_some() {
            // The run that has put it may have been stopped before its sync.
            let log = format!("{folder}/{DELTA_LOG}");
            writer.store().sync_folder(&log).at("sync", &log)?;
        }
        tables.insert(folder.to_owned(), read);
    }
    Ok(tables.get_mut(folder).expect("it was just inserted"))
}

/// The files of events that a table has, as the book names them.
fn known_events(table: &TableLog) -> EventFiles {
    let Some(entry) = table.covers else { return EventFiles::default() };
    let files = table.files.iter().map(|(path, add)| {
        let name = path.strip_prefix(DELTA_FILES).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path);
        let size = FileSize { bytes: u64::try_from(add.size).unwrap_or(0), rows: add.rows().unwrap_or(0) };
        (format!("{}/{name}", Table::Events.folder()), size)
    });
    EventFiles::at(entry, files.collect())
}

/// The size of a counts file, if it has the counts of `state`: they only grow, so that the sum says it.
fn counts_at(state: &State, day: Day, changes: u64, bytes: &[u8]) -> Option<FileSize> {
    let file = CountsFile::read(day, Bytes::copy_from_slice(bytes)).ok()?;
    let is_of_state = file.stamp.book == state.book && file.total() == i128::from(changes);
    is_of_state.then(|| FileSize { bytes: bytes.len() as u64, rows: file.counts.iter().count() as u64 })
}
