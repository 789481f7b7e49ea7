//! The files of views, compared with the log before they are decoded.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use arrow_array::RecordBatch;
use bytes::Bytes;

use super::checksum;
use crate::book::error::At;
use crate::book::log::entry::AddedFile;
use crate::book::log::state::{ViewFileState, ViewState};
use crate::book::{BookError, State, layout};
use crate::change::{Accumulators, Day, GroupKey};
use crate::store::Store;
use crate::store::layout::{ViewFileKind, ViewPlace};
use crate::views::{View, ViewContents, batches};

/// A view of the book by its declaration.
///
/// # Errors
/// [`BookError::View`] for a declaration that this version cannot read.
pub(in crate::book) fn parse_view(state: &State, number: u16, name: &str, declared: &str) -> Result<View, BookError> {
    // A book is made with a zone of this list only.
    let time_zone = state.settings.time_zone.parse().unwrap_or(chrono_tz::Tz::UTC);
    View::parse(number, declared, time_zone)
        .map_err(|error| BookError::View { view: name.to_owned(), reason: Box::new(error) })
}

/// What a view holds on a day, or all of it where it has no folder for each; nothing if there are no files.
pub(in crate::book) fn read_part(
    store: &dyn Store,
    state: &State,
    view: &View,
    day: Option<Day>,
) -> Result<ViewContents, BookError> {
    let Some(known) = state.views.get(view.name()) else { return Ok(ViewContents::default()) };
    let place = |kind| ViewPlace { view: view.name().to_owned(), day, kind };
    let Some(bytes) = read_if_any(store, known, &place(ViewFileKind::State))? else {
        return Ok(ViewContents::default());
    };
    let mut values = Vec::new();
    for slot in view.distinct_slots().map(|slot| slot as u16) {
        values.extend(read_if_any(store, known, &place(ViewFileKind::Values(slot)))?.map(|bytes| (slot, bytes)));
    }
    let path = place(ViewFileKind::State).path();
    view.decode(bytes, &values).map_err(|reason| BookError::damaged(&path, reason))
}

/// All that a view holds.
pub(in crate::book) fn read_all(store: &dyn Store, state: &State, view: &View) -> Result<ViewContents, BookError> {
    let mut all = ViewContents::default();
    let Some(known) = state.views.get(view.name()) else { return Ok(all) };
    for (path, file) in &known.files {
        let Some(place) = ViewPlace::parse(path) else { continue };
        match place.kind {
            // Days are different groups.
            ViewFileKind::State => {
                let part = read_part(store, state, view, place.day)?;
                all.groups.extend(part.groups);
                all.values.extend(part.values);
            }
            // Nothing follows from it, but a run that keeps the view must not leave it damaged.
            ViewFileKind::Rows => drop(read(store, path, file)?),
            ViewFileKind::Values(_) => {}
        }
    }
    Ok(all)
}

/// What the groups of a view hold on the days that `wanted` accepts.
pub(in crate::book) fn read_groups(
    store: &dyn Store,
    view: &View,
    known: &ViewState,
    wanted: &dyn Fn(Option<Day>) -> bool,
) -> Result<BTreeMap<GroupKey, Accumulators>, BookError> {
    let mut groups = BTreeMap::new();
    for (_, path, file) in files_of(view, known, ViewFileKind::State).filter(|(place, ..)| wanted(place.day)) {
        let bytes = read(store, path, file)?;
        groups.extend(view.decode_groups(bytes).map_err(|reason| BookError::damaged(path, reason))?);
    }
    Ok(groups)
}

/// The files of a view that are of one kind.
fn files_of<'s>(
    view: &View,
    known: &'s ViewState,
    kind: ViewFileKind,
) -> impl Iterator<Item = (ViewPlace, &'s String, &'s ViewFileState)> {
    known.files.iter().filter_map(move |(path, file)| {
        let place = ViewPlace::parse(path).filter(|place| place.kind == kind && place.view == view.name())?;
        Some((place, path, file))
    })
}

/// The rows of a view on the days that `wanted` accepts, by day where it has a folder for each.
pub(in crate::book) fn read_rows(
    store: &dyn Store,
    view: &View,
    known: &ViewState,
    wanted: &dyn Fn(Option<Day>) -> bool,
) -> Result<BTreeMap<Option<Day>, Vec<RecordBatch>>, BookError> {
    let mut rows = BTreeMap::new();
    for (place, path, file) in files_of(view, known, ViewFileKind::Rows).filter(|(place, ..)| wanted(place.day)) {
        let unreadable = |reason: String| BookError::damaged(path, reason);
        let bytes = read(store, path, file)?;
        let of_day = batches(bytes)
            .map_err(unreadable)?
            .map(|batch| view.restored(&batch?))
            .collect::<Result<Vec<_>, _>>()
            .map_err(unreadable)?;
        rows.insert(place.day, of_day);
    }
    Ok(rows)
}

fn read_if_any(store: &dyn Store, known: &ViewState, place: &ViewPlace) -> Result<Option<Bytes>, BookError> {
    let path = place.path();
    known.files.get(&path).map(|file| read(store, &path, file)).transpose()
}

/// The bytes of a file, in its place or still in staging.
fn read(store: &dyn Store, path: &str, file: &ViewFileState) -> Result<Bytes, BookError> {
    let named = AddedFile { path: path.to_owned(), bytes: file.bytes, rows: file.rows, xxh3: file.xxh3.clone() };
    let staged = layout::staged_view_name(path, &file.xxh3);
    let staged = format!("{}/{staged}", layout::staging_folder(&file.generation));
    let mut wrong = None;
    // Once more in its place: it may have been moved there in between.
    for place in [path, &staged, path] {
        match store.read(place) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            read => {
                let bytes = read.at("read", place)?;
                match checksum::difference_of(&bytes, &named) {
                    None => return Ok(bytes.into()),
                    different => wrong = different,
                }
            }
        }
    }
    Err(BookError::damaged(path, wrong.unwrap_or_else(|| "it is missing".to_owned())))
}
