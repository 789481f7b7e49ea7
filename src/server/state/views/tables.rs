//! The groups of views that clients ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tracing::debug;

use super::known_views::KnownViews;
use crate::book::{Entry, Snapshot};
use crate::change::instant::now_micros;
use crate::change::{Accumulators, Day, GroupKey};
use crate::query::{QueryError, ViewGroup, ViewGroups};
use crate::server::state::frames::Changes;
use crate::store::layout::{ViewFileKind, ViewPlace};

/// Groups that are kept in memory, of all views.
pub(in crate::server) const MOST_GROUPS: usize = 500_000;
/// Bytes of keys and values of a view that is kept in memory.
const MOST_BYTES: usize = 256 << 20;
/// How long after its last request a view is kept, in microseconds.
const UNUSED_AFTER: i64 = 60_000_000;

/// The number of the next load.
static NEXT_LOAD: AtomicU64 = AtomicU64::new(1);

/// All groups of a view at one state; cheap to clone.
#[derive(Clone)]
pub(in crate::server) struct ViewTable {
    /// The groups.
    pub(in crate::server) groups: ViewGroups,
    load: Arc<ViewLoad>,
}

/// When a view came into memory: shared by its table at all states since then.
struct ViewLoad {
    /// Distinguishes this load of the view from others.
    number: u64,
    /// The entry that declares the view.
    declared_at: u64,
    last_used: AtomicI64,
}

impl ViewTable {
    pub(in crate::server) fn new(groups: ViewGroups, declared_at: u64) -> ViewTable {
        let number = NEXT_LOAD.fetch_add(1, Ordering::Relaxed);
        let load = ViewLoad { number, declared_at, last_used: AtomicI64::new(now_micros()) };
        ViewTable { groups, load: Arc::new(load) }
    }

    /// Keeps it in memory for longer.
    pub(in crate::server) fn note_use(&self) {
        self.load.last_used.store(now_micros(), Ordering::Relaxed);
    }

    /// The number of the load that brought it into memory: all that changed since then is in frames.
    pub(in crate::server) fn load_number(&self) -> u64 {
        self.load.number
    }

    fn last_used(&self) -> i64 {
        self.load.last_used.load(Ordering::Relaxed)
    }

    /// Whether the groups may be kept in memory: texts of a column have less than 2 GiB, and a server more to do than to keep them.
    pub(in crate::server) fn has_room_for(groups: &ViewGroups) -> bool {
        groups.len() <= MOST_GROUPS && groups.packed_bytes() <= MOST_BYTES
    }

    pub(in crate::server) fn is_of(&self, known: &KnownViews, name: &str) -> bool {
        known.get(name).is_some_and(|view| view.is_current && view.entry == self.load.declared_at)
    }
}

/// Changes the groups of the view of this name; returns those that changed.
type UpdateGroups<'a> = dyn FnMut(&str, &mut ViewGroups) -> Result<Vec<Arc<ViewGroup>>, QueryError> + 'a;

/// The views in memory, by name; cheap to clone.
#[derive(Clone, Default)]
pub(in crate::server) struct ViewTables(Arc<BTreeMap<String, ViewTable>>);

impl ViewTables {
    pub(in crate::server) fn get(&self, name: &str) -> Option<&ViewTable> {
        self.0.get(name)
    }

    pub(in crate::server) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These and one more, without those that were not used for the longest if there are too many groups.
    pub(in crate::server) fn with(&self, name: &str, table: ViewTable) -> ViewTables {
        let mut tables = (*self.0).clone();
        tables.insert(name.to_owned(), table);
        drop_least_used(&mut tables, MOST_GROUPS);
        ViewTables(Arc::new(tables))
    }

    /// These without those that are not used, or whose view the book does not have any more.
    pub(in crate::server) fn retained(&self, known: &KnownViews) -> ViewTables {
        let unused_since = now_micros() - UNUSED_AFTER;
        let is_kept = |name: &str, table: &ViewTable| table.last_used() > unused_since && table.is_of(known, name);
        if self.0.iter().all(|(name, table)| is_kept(name, table)) {
            return self.clone();
        }
        let kept = self.0.iter().filter(|(name, table)| is_kept(name, table));
        ViewTables(Arc::new(kept.map(|(name, table)| (name.clone(), table.clone())).collect()))
    }

    /// The tables after changes; `changes` gives those of a view by its name, and the groups go to `changed`. One that cannot be changed is dropped: its next request
    /// reads it again.
    pub(in crate::server) fn after<'g, G: Iterator<Item = (&'g GroupKey, &'g Accumulators)>>(
        &self,
        changes: impl Fn(&str) -> G,
        changed: &mut Changes,
    ) -> ViewTables {
        self.updated(changed, &mut |name, groups| groups.set(changes(name)))
    }

    /// The tables after further entries of a book, at the newest of which is the snapshot; the groups that changed go to `changed`.
    pub(in crate::server) fn after_entries(
        &self,
        entries: &[Entry],
        snapshot: &Snapshot,
        known: &KnownViews,
        changed: &mut Changes,
    ) -> ViewTables {
        self.retained(known).updated(changed, &mut |name, groups| {
            let said: Vec<_> = entries.iter().filter_map(|entry| entry.views.get(name)).collect();
            let places = said.iter().flat_map(|said| &said.files).filter_map(|file| ViewPlace::parse(&file.path));
            let days: BTreeSet<Option<Day>> =
                places.filter(|place| place.kind == ViewFileKind::State).map(|place| place.day).collect();
            groups.read_days(snapshot, &days)
        })
    }

    fn updated(&self, changed: &mut Changes, update: &mut UpdateGroups<'_>) -> ViewTables {
        let mut tables = BTreeMap::new();
        for (name, table) in &*self.0 {
            let mut table = table.clone();
            match update(name, &mut table.groups) {
                Ok(groups) => {
                    changed.add_groups(table.load_number(), groups);
                    tables.insert(name.clone(), table);
                }
                Err(error) => debug!(view = name, %error, "dropped a view from memory"),
            }
        }
        drop_least_used(&mut tables, MOST_GROUPS);
        ViewTables(Arc::new(tables))
    }
}

/// Drops views until the others have no more than `most` groups: first the one that was not used for the longest.
fn drop_least_used(tables: &mut BTreeMap<String, ViewTable>, most: usize) {
    // One that is too large for itself must not cost the others their places.
    tables.retain(|_, table| table.groups.len() <= most);
    while tables.values().map(|table| table.groups.len()).sum::<usize>() > most
        && let Some((name, _)) = tables.iter().min_by_key(|(_, table)| table.last_used())
    {
        let name = name.clone();
        tables.remove(&name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Accumulator;
    use crate::query::ReadableView;

    /// A view with some groups, used at an instant.
    fn table(groups: u32, last_used: i64) -> ViewTable {
        let declared = "CREATE VIEW v AS SELECT op, count(*) AS n FROM changes GROUP BY op";
        let view = ReadableView::parse(0, declared, "UTC").expect("a view");
        let key = |number: u32| GroupKey::new(0, &number.to_be_bytes());
        let holds = Accumulators::new(&[Accumulator::Count(1)]);
        let keys: Vec<GroupKey> = (0..groups).map(key).collect();
        let groups = ViewGroups::of(&view, keys.iter().map(|key| (key, &holds))).expect("groups of this view");
        let table = ViewTable::new(groups, 7);
        table.load.last_used.store(last_used, Ordering::Relaxed);
        table
    }

    fn names(tables: &BTreeMap<String, ViewTable>) -> String {
        tables.keys().cloned().collect()
    }

    #[test]
    fn the_views_that_were_not_used_for_the_longest_make_room() {
        let all = || {
            let tables = [("a", 30, 5), ("b", 50, 1), ("c", 20, 9)];
            BTreeMap::from(tables.map(|(name, groups, used)| (name.to_owned(), table(groups, used))))
        };
        for (most, left) in [(100, "abc"), (99, "ac"), (50, "ac"), (49, "c"), (19, "")] {
            let mut tables = all();
            drop_least_used(&mut tables, most);
            assert_eq!(names(&tables), left, "at most {most}");
        }
    }

    #[test]
    fn what_was_used_again_stays_and_has_its_load() {
        let (old, new) = (table(3, 1), table(3, 2));
        assert_ne!(old.load_number(), new.load_number());
        let later = old.clone();
        later.note_use();
        assert!(old.last_used() > new.last_used(), "states of one load are used together");
        assert_eq!(old.load_number(), later.load_number());
    }
}
