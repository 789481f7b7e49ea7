//! What views keep of groups of changes: keys, and accumulators that only ever grow.
//!
//! Changes are only added, so each aggregate is a semigroup: the accumulators of two sets of changes are merged into those of
//! both, in any order and grouping, with one result. [`Accumulators`] are the difference type of an arrangement.

mod accumulator;
mod exact_sum;
mod group_limit;
mod key;
mod wide_sum;

pub use accumulator::{Accumulator, Accumulators};
pub use exact_sum::ExactSum;
pub use group_limit::{GroupLimit, TooManyGroups};
pub use key::{GroupKey, GroupValue, ViewBadValues, ViewChanges};
pub use wide_sum::WideSum;
