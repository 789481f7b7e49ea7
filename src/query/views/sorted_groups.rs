//! Groups in the order of a view's rows.

use std::sync::Arc;

use crate::change::{Accumulators, Day, GroupKey};
use crate::query::Filter;

/// The most groups of a chunk.
const MOST_IN_CHUNK: usize = 512;

/// A group of a view, and what it holds.
#[derive(Debug)]
pub struct ViewGroup {
    /// Its day, in a view that has a folder for each.
    pub(super) day: Option<Day>,
    pub(super) key: GroupKey,
    pub(super) holds: Accumulators,
}

impl ViewGroup {
    /// Leaves each group once, in one of its states, in the order of rows.
    pub fn deduplicate(groups: &mut Vec<Arc<ViewGroup>>) {
        groups.sort_unstable_by(|one, other| one.place().cmp(&other.place()));
        groups.dedup_by(|one, other| one.place() == other.place());
    }

    /// Whether a filter of days accepts it; one without a day is on all days.
    pub(super) fn is_on(&self, days: &Filter) -> bool {
        self.day.is_none_or(|day| days.has_day(day))
    }

    /// About the bytes of its row.
    pub(super) fn packed_bytes(&self) -> usize {
        self.key.values().len() + self.holds.bytes()
    }

    /// Its place among the others: rows come by day, then by group columns.
    pub(super) fn place(&self) -> (Option<Day>, &GroupKey) {
        (self.day, &self.key)
    }
}

/// A part of all groups; never empty.
type Chunk = Arc<Vec<Arc<ViewGroup>>>;

/// Groups in the order of their rows. A clone shares all of them; later changes copy only the chunks in which they are.
#[derive(Clone, Debug, Default)]
pub(super) struct SortedGroups {
    chunks: Vec<Chunk>,
    len: usize,
}

impl SortedGroups {
    /// Sorts groups; each is there once.
    pub(super) fn of(mut groups: Vec<Arc<ViewGroup>>) -> SortedGroups {
        groups.sort_unstable_by(|one, other| one.place().cmp(&other.place()));
        let chunks = groups.chunks(MOST_IN_CHUNK / 2).map(|chunk| Arc::new(chunk.to_vec())).collect();
        SortedGroups { chunks, len: groups.len() }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a group, or replaces what it held.
    pub(super) fn set(&mut self, group: Arc<ViewGroup>) {
        let place = group.place();
        let found = self.chunk_of(&group);
        let Some(at) = found.or(self.chunks.len().checked_sub(1)) else {
            (self.chunks, self.len) = (vec![Arc::new(vec![group])], 1);
            return;
        };
        let chunk = Arc::make_mut(&mut self.chunks[at]);
        match chunk.binary_search_by(|known| known.place().cmp(&place)) {
            Ok(known) => chunk[known] = group,
            Err(next) => {
                chunk.insert(next, group);
                self.len += 1;
            }
        }
        if chunk.len() > MOST_IN_CHUNK {
            let second = chunk.split_off(MOST_IN_CHUNK / 2);
            self.chunks.insert(at + 1, Arc::new(second));
        }
    }

    /// What a group holds now, given an earlier state of it.
    pub(super) fn get(&self, earlier: &ViewGroup) -> Option<&Arc<ViewGroup>> {
        let chunk = &self.chunks[self.chunk_of(earlier)?];
        let found = chunk.binary_search_by(|known| known.place().cmp(&earlier.place()));
        found.ok().map(|place| &chunk[place])
    }

    /// The groups on the days of a filter, in order; those without a day are on all days.
    pub(super) fn iter<'a>(&'a self, days: &'a Filter) -> impl Iterator<Item = &'a Arc<ViewGroup>> {
        let is_before = move |chunk: &Chunk| match (chunk.last().and_then(|last| last.day), days.from) {
            (Some(last), Some(from)) => last < from,
            _ => false,
        };
        let first = self.chunks.partition_point(is_before);
        let is_after = move |chunk: &Chunk| match (chunk.first().and_then(|first| first.day), days.to) {
            (Some(first), Some(to)) => first > to,
            _ => false,
        };
        let chunks = self.chunks[first..].iter().take_while(move |chunk| !is_after(chunk));
        chunks.flat_map(|chunk| chunk.iter()).filter(move |group| group.is_on(days))
    }

    /// The first chunk that ends at a group or after it.
    fn chunk_of(&self, group: &ViewGroup) -> Option<usize> {
        let is_before = |chunk: &Chunk| chunk.last().is_some_and(|last| last.place() < group.place());
        let at = self.chunks.partition_point(is_before);
        (at < self.chunks.len()).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::change::Accumulator;

    fn group(day: i64, key: u32, count: i64) -> Arc<ViewGroup> {
        let day = (day > 0).then(|| Day::from_days(day).expect("a day"));
        let holds = Accumulators::new(&[Accumulator::Count(count)]);
        Arc::new(ViewGroup { day, key: GroupKey::new(0, &key.to_be_bytes()), holds })
    }

    fn count(group: &ViewGroup) -> i64 {
        group.holds.get(0).count()
    }

    #[test]
    fn groups_are_those_of_a_map() {
        let random = &mut fastrand::Rng::with_seed(3);
        let mut expected: BTreeMap<(i64, u32), i64> =
            (0..3_000).map(|_| ((random.i64(1..5), random.u32(0..2_000)), random.i64(0..9))).collect();
        let drawn = expected.iter().map(|((day, key), count)| group(*day, *key, *count)).collect();
        let mut groups = SortedGroups::of(drawn);
        let before = groups.clone();
        let all = |groups: &SortedGroups, filter: &Filter| groups.iter(filter).map(|of| count(of)).collect::<Vec<_>>();
        let of_before = all(&before, &Filter::default());
        for _ in 0..5_000 {
            let (day, key, new) = (random.i64(1..7), random.u32(0..2_500), random.i64(10..99));
            expected.insert((day, key), new);
            groups.set(group(day, key, new));
        }
        assert_eq!(groups.len(), expected.len());
        for (from, to) in [(0, 9), (2, 3), (3, 9), (0, 1), (7, 9), (6, 6)] {
            let day = |day| Day::from_days(day).ok();
            let filter = Filter { from: day(from), to: day(to), ..Filter::default() };
            let wanted = expected.iter().filter(|((day, _), _)| (from..=to).contains(day));
            assert_eq!(all(&groups, &filter), wanted.map(|(_, count)| *count).collect::<Vec<_>>(), "{from} to {to}");
        }
        let found = expected
            .iter()
            .all(|((day, key), new)| groups.get(&group(*day, *key, 0)).is_some_and(|group| count(group) == *new));
        assert!(found && groups.get(&group(3, 9_999, 0)).is_none() && groups.get(&group(9, 0, 0)).is_none());
        assert_eq!(all(&before, &Filter::default()), of_before, "a clone is not changed");
    }

    #[test]
    fn the_first_groups_may_come_late() {
        let mut groups = SortedGroups::default();
        assert!(groups.get(&group(0, 1, 0)).is_none());
        for key in (0..2_000).rev() {
            groups.set(group(0, key, key.into()));
        }
        let filter = Filter { from: Day::from_days(3).ok(), ..Filter::default() };
        let found: Vec<i64> = groups.iter(&filter).map(|group| count(group)).collect();
        assert_eq!((groups.len(), found), (2_000, (0..2_000).collect()));
    }
}
