//! How many groups views may have: all of them are in memory.

use super::super::{Classified, FailureKind};

/// Views have more groups and distinct values than they may.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "view {view} has {of_view} groups and distinct values, all views together {of_all}, which is more than --view-max-groups \
     {most}: drop the view and start the run again, group by a column with fewer values, or raise the limit; the next start reads \
     what is not committed again"
)]
pub struct TooManyGroups {
    /// The view that has the most.
    pub view: String,
    /// How many it has.
    pub of_view: u64,
    /// How many all of them have.
    pub of_all: u64,
    /// How many they may have.
    pub most: u64,
}

impl Classified for TooManyGroups {
    fn kind(&self) -> FailureKind {
        // A restart would read the same changes.
        FailureKind::Usage
    }
}

/// Counts the groups and distinct values of views against the most that all of them may have together. The default one knows no
/// view, and counts nothing.
#[derive(Clone, Debug, Default)]
pub struct GroupLimit {
    most: u64,
    /// By number: the view's name, and how many it has.
    views: Vec<(String, u64)>,
}

impl GroupLimit {
    /// The most that views may have unless something else is asked for.
    pub const DEFAULT: u64 = 10_000_000;

    /// Begins with views that have nothing.
    pub fn new(most: u64, names: impl IntoIterator<Item = String>) -> GroupLimit {
        GroupLimit { most, views: names.into_iter().map(|name| (name, 0)).collect() }
    }

    /// Counts more groups and values of a view, or fewer.
    pub fn add(&mut self, view: u16, added: i64) {
        if let Some((_, count)) = self.views.get_mut(usize::from(view)) {
            *count = count.saturating_add_signed(added);
        }
    }

    /// Compares all of them with the limit.
    ///
    /// # Errors
    /// [`TooManyGroups`] when there are more.
    pub fn check(&self) -> Result<(), TooManyGroups> {
        let of_all = self.views.iter().map(|(_, count)| count).sum();
        match self.views.iter().max_by_key(|(_, count)| count) {
            Some((view, of_view)) if of_all > self.most => {
                Err(TooManyGroups { view: view.clone(), of_view: *of_view, of_all, most: self.most })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_view_is_named() {
        let mut limit = GroupLimit::new(10, ["a", "b", "c"].map(str::to_owned));
        [(0, 4), (1, 5), (2, 2), (2, -1)].into_iter().for_each(|(view, added)| limit.add(view, added));
        assert_eq!(limit.check(), Ok(()));
        limit.add(2, 1);
        let error = TooManyGroups { view: "b".to_owned(), of_view: 5, of_all: 11, most: 10 };
        assert_eq!(limit.check(), Err(error));
    }
}
