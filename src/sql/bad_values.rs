//! Values that an expression could not compute.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

/// The most characters of a value that are kept.
const LONGEST_VALUE: usize = 80;

/// Values that could not be cast, and operations that failed: each counts as NULL and is counted here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct BadValues {
    /// How many.
    pub count: u64,
    /// The first one.
    pub first: Option<BadValue>,
}

/// A value that could not be cast, or an operation that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BadValue {
    /// The expression, as in `new.amount::NUMERIC(18,2)`.
    #[schema(value_type = String)]
    pub expression: Arc<str>,
    /// Its operands, shortened.
    pub value: String,
    /// What is wrong with them.
    pub reason: &'static str,
}

impl BadValues {
    /// Adds those of a later batch.
    pub fn merge(&mut self, later: BadValues) {
        self.count += later.count;
        if self.first.is_none() {
            self.first = later.first;
        }
    }

    /// Counts one; `value` is called for the first only.
    pub(in crate::sql) fn record(
        &mut self,
        expression: &Arc<str>,
        reason: &'static str,
        value: impl FnOnce() -> String,
    ) {
        self.count += 1;
        if self.first.is_none() {
            let mut value = value();
            if let Some((end, _)) = value.char_indices().nth(LONGEST_VALUE) {
                value.truncate(end);
                value.push('…');
            }
            self.first = Some(BadValue { expression: Arc::clone(expression), value, reason });
        }
    }
}

impl fmt::Display for BadValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = if self.count == 1 { "value" } else { "values" };
        write!(f, "{} {values} could not be computed and counted as NULL", self.count)?;
        match &self.first {
            Some(first) => write!(f, ", first {first}."),
            None => f.write_str("."),
        }
    }
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:?}: {}", self.expression, self.value, self.reason)
    }
}
