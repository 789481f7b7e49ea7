//! All groups of a view, or those of one day: what its files hold.

use std::collections::{BTreeMap, BTreeSet, btree_map};

use arrow_array::cast::AsArray;
use arrow_array::types::Date32Type;

use super::deltas::GroupDeltas;
use super::pieces::{MOST_GROUP_BYTES, pieces};
use super::view::View;
use crate::change::{Accumulator, Accumulators, Day, GroupKey, GroupValue};
use crate::sql::BadValues;
use differential_dataflow::difference::Semigroup;

/// Groups with what they hold, in the order of their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewContents {
    /// By key; what counts distinct values counts those of `values`.
    pub groups: BTreeMap<GroupKey, Accumulators>,
    /// The distinct values of groups.
    pub values: BTreeSet<GroupValue>,
    /// Values that could not be computed, where that is known.
    pub bad_values: BadValues,
}

impl ViewContents {
    /// How many groups and distinct values there are.
    pub fn size(&self) -> usize {
        self.groups.len() + self.values.len()
    }

    /// Adds what some changes add.
    pub fn add(&mut self, deltas: GroupDeltas) {
        let GroupDeltas { groups, values, bad_values } = deltas;
        self.bad_values.merge(bad_values);
        for (key, added) in groups {
            match self.groups.entry(key) {
                btree_map::Entry::Occupied(mut known) => known.get_mut().plus_equals(&added),
                btree_map::Entry::Vacant(new) => drop(new.insert(added)),
            }
        }
        self.add_values(values);
    }

    /// Adds values that groups have; each counts once.
    pub fn add_values(&mut self, values: impl IntoIterator<Item = GroupValue>) {
        // A group is packed again for all of its values at once.
        let mut added: BTreeMap<(GroupKey, u16), i64> = BTreeMap::new();
        for value in values.into_iter().filter(|value| self.groups.contains_key(&value.group)) {
            let counted = (value.group.clone(), value.accumulator);
            if self.values.insert(value) {
                *added.entry(counted).or_default() += 1;
            }
        }
        for ((group, place), count) in added {
            let group = self.groups.get_mut(&group).expect("it was just found");
            group.plus_equals(&Accumulators::only(place.into(), &Accumulator::Count(count)));
        }
    }

    /// Adds the groups of other changes.
    pub fn merge(&mut self, other: ViewContents) {
        let ViewContents { groups, values, bad_values } = other;
        let mut groups: Vec<(GroupKey, Accumulators)> = groups.into_iter().collect();
        // Distinct values are counted again: both may have the same.
        let counted: BTreeSet<(&GroupKey, u16)> =
            values.iter().map(|value| (&value.group, value.accumulator)).collect();
        for (group, place) in counted {
            if let Ok(group) = groups.binary_search_by(|(key, _)| key.cmp(group)) {
                groups[group].1.clear(&[place.into()]);
            }
        }
        self.add(GroupDeltas { groups, values: values.into_iter().collect(), bad_values });
    }

    /// Divides the groups by day, in a view that has a folder for each; else all are under `None`.
    ///
    /// # Errors
    /// For keys that are not of this view.
    pub fn by_day(self, view: &View) -> Result<BTreeMap<Option<Day>, ViewContents>, String> {
        let mut divided: BTreeMap<Option<Day>, ViewContents> = BTreeMap::new();
        let days = view.days(self.groups.keys())?;
        let mut day_of: BTreeMap<GroupKey, Option<Day>> = BTreeMap::new();
        for ((key, accumulators), day) in self.groups.into_iter().zip(days) {
            if !self.values.is_empty() {
                day_of.insert(key.clone(), day);
            }
            divided.entry(day).or_default().groups.insert(key, accumulators);
        }
        for value in self.values {
            let day = day_of.get(&value.group).copied().ok_or("a value of no group")?;
            divided.entry(day).or_default().values.insert(value);
        }
        Ok(divided)
    }
}

impl View {
    /// Whether each group is of one day, so that the view has a folder for each.
    pub fn has_days(&self) -> bool {
        self.plan.day_group().is_some()
    }

    /// The day of each group, in a view that has a folder for each; else `None` for each.
    ///
    /// # Errors
    /// For keys that are not of this view.
    pub fn days<'k>(&self, keys: impl ExactSizeIterator<Item = &'k GroupKey>) -> Result<Vec<Option<Day>>, String> {
        let Some(place) = self.plan.day_group() else { return Ok(vec![None; keys.len()]) };
        let keys: Vec<&GroupKey> = keys.collect();
        let mut all = Vec::with_capacity(keys.len());
        // A column of text has at most 2 GiB.
        for stretch in pieces(keys.len(), MOST_GROUP_BYTES, |key| keys[key].values().len()) {
            let columns = self.group_columns(keys[stretch].iter().copied())?;
            let days = columns[place].as_primitive_opt::<Date32Type>().ok_or("days of another type")?;
            for day in days {
                let day = day.and_then(|day| Day::from_days(day.into()).ok());
                all.push(Some(day.ok_or("a group without a day")?));
            }
        }
        Ok(all)
    }
}
