//! Filters of rejects.

use super::{Filter, QueryError};
use crate::change::Day;

/// A filter of rejects; a part that is `None` accepts everything.
#[derive(Clone, Debug, Default)]
pub struct RejectFilter {
    /// The first day of Kafka's timestamp; rejects without a usable one may be of any day.
    pub from: Option<Day>,
    /// The last day, itself included.
    pub to: Option<Day>,
    /// The topic, slot or file.
    pub source: Option<String>,
    /// The partition.
    pub partition: Option<i32>,
    /// A text that the reason contains, in upper or lower case.
    pub reason: Option<String>,
}

impl RejectFilter {
    /// Its days.
    pub fn days(&self) -> Filter {
        Filter { from: self.from, to: self.to, ..Filter::default() }
    }

    /// Refuses a range of days whose end is before its begin.
    ///
    /// # Errors
    /// [`QueryError::NoDays`].
    pub fn check(&self) -> Result<(), QueryError> {
        self.days().check()
    }
}
