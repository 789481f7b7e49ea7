//! Groups of views and their values, packed into bytes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Accumulators, ShortBytes};

/// A group of a view: the view's number in this run, and the values of the group columns in arrow's row format.
///
/// Equal values have equal bytes, and bytes are ordered as the values are, NULL first. Only within a run: files have typed columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupKey(ShortBytes);

impl GroupKey {
    /// Packs the values of a group.
    pub fn new(view: u16, values: &[u8]) -> GroupKey {
        GroupKey(ShortBytes::concat([&view.to_be_bytes(), values]))
    }

    /// The view's number.
    pub fn view(&self) -> u16 {
        self.0.as_slice().first_chunk().map_or(0, |number| u16::from_be_bytes(*number))
    }

    /// The values in row format.
    pub fn values(&self) -> &[u8] {
        self.0.as_slice().get(2..).unwrap_or_default()
    }
}

/// A value that a group holds, of an aggregate that counts distinct values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupValue {
    /// The group.
    pub group: GroupKey,
    /// The accumulator that counts it, by its place.
    pub accumulator: u16,
    /// The value in row format.
    pub value: ShortBytes,
}

/// Values that a view could not compute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewBadValues {
    /// The view's number.
    pub view: u16,
    /// How many.
    pub count: u64,
    /// The first one, for people: its expression, value and reason.
    pub first: Option<(String, String, String)>,
}

/// How views changed.
#[derive(Clone, Debug, Default)]
pub struct ViewChanges {
    /// Groups that changed, each with what it holds now. If a group occurs twice the last one is valid.
    pub groups: Vec<(GroupKey, Accumulators)>,
    /// Values that groups hold for the first time.
    pub values: Vec<GroupValue>,
    /// Values that could not be computed.
    pub bad_values: Vec<ViewBadValues>,
}

impl ViewChanges {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.values.is_empty() && self.bad_values.is_empty()
    }

    /// The changes of several epochs, oldest first, as one; those that nothing else shares are not copied.
    pub fn merged(epochs: Vec<Arc<ViewChanges>>) -> ViewChanges {
        let mut all = ViewChanges::default();
        epochs.into_iter().for_each(|changes| all.append(Arc::unwrap_or_clone(changes)));
        all
    }

    fn append(&mut self, mut later: ViewChanges) {
        self.groups.append(&mut later.groups);
        self.values.append(&mut later.values);
        self.bad_values.append(&mut later.bad_values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_parts() {
        for view in [0, 1, 255, 256, u16::MAX] {
            let key = GroupKey::new(view, &[0, 1, 2]);
            assert_eq!((key.view(), key.values()), (view, &[0, 1, 2][..]));
        }
        assert_eq!(GroupKey::new(3, &[]).values(), &[] as &[u8]);
        assert!(GroupKey::new(1, &[9]) < GroupKey::new(2, &[0]));
    }
}
