//! What views keep of groups of changes: keys, and accumulators that only ever grow.
//!
//! Changes are only added, so each aggregate is a semigroup: the accumulators of two sets of changes are merged into those of
//! both, in any order and grouping, with one result. [`Accumulators`] are the difference type of an arrangement.

mod accumulator;
mod accumulators;
mod exact_sum;
mod group_limit;
mod key;
mod short_bytes;
mod wide_sum;

pub use accumulator::Accumulator;
pub use accumulators::Accumulators;
pub use exact_sum::ExactSum;
pub use group_limit::{GroupLimit, TooManyGroups};
pub use key::{GroupKey, GroupValue, ViewBadValues, ViewChanges};
pub use short_bytes::ShortBytes;
pub use wide_sum::WideSum;
