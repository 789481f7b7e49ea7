//! The views of a book at its newest entry.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::book::log::entry::BadValueCount;
use crate::book::{State, ViewState};
use crate::change::Day;
use crate::query::ReadableView;

/// A view of a book.
pub(in crate::server) struct KnownView {
    /// Its declaration.
    pub(in crate::server) declared: String,
    /// The entry that declares it.
    pub(in crate::server) entry: u64,
    /// Whether its files hold all changes up to the newest commit.
    pub(in crate::server) is_current: bool,
    /// How many groups its files have.
    pub(in crate::server) groups: u64,
    /// How many files of rows there are.
    pub(in crate::server) files: usize,
    /// Values that could not be computed.
    pub(in crate::server) bad_values: BadValueCount,
    /// The first day of which it has all changes, if that is not all.
    pub(in crate::server) events_from: Option<Day>,
    /// The view, or why this version cannot read it.
    pub(in crate::server) view: Result<ReadableView, String>,
}

/// The views of a book, by name; cheap to clone.
#[derive(Clone, Default)]
pub(in crate::server) struct KnownViews(Arc<BTreeMap<String, KnownView>>);

impl KnownViews {
    /// The views of the log folded up to an entry. Those that are as in `before` are not parsed again.
    pub(in crate::server) fn at(state: &State, before: &KnownViews) -> KnownViews {
        let view = |(name, view): (&String, &ViewState)| {
            let before = before.get(name).filter(|before| before.entry == view.entry);
            let parse = || ReadableView::parse(0, &view.declared, &state.settings.time_zone);
            let (groups, files) = view.sizes();
            let known = KnownView {
                declared: view.declared.clone(),
                entry: view.entry,
                is_current: view.is_current,
                groups,
                files,
                bad_values: view.bad_values.clone(),
                events_from: view.events_from,
                view: before.map_or_else(parse, |before| before.view.clone()),
            };
            (name.clone(), known)
        };
        KnownViews(Arc::new(state.views.iter().map(view).collect()))
    }

    pub(in crate::server) fn get(&self, name: &str) -> Option<&KnownView> {
        self.0.get(name)
    }

    pub(in crate::server) fn iter(&self) -> impl Iterator<Item = (&String, &KnownView)> {
        self.0.iter()
    }

    /// The names of all, for people.
    pub(in crate::server) fn names(&self) -> String {
        self.0.keys().cloned().collect::<Vec<_>>().join(", ")
    }
}
