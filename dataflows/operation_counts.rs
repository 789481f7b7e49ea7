//! Counts by day, table and operation.
//!
//! ```text
//! deltas ─┐
//!         ├─▶ arrange by key ─▶ count ─▶ totals
//! initial ┘
//! ```

use differential_dataflow::AsCollection;
use differential_dataflow::operators::CountTotal;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concat;

use crate::change::{Epoch, PackedCountKey};

/// An update: a key, its epoch, and how many changes it stands for.
pub type CountUpdate = (PackedCountKey, Epoch, isize);

/// Counts the changes of each key, beginning with what the book has, and emits each total that begins or ends to hold.
pub fn operation_counts<'scope>(
    deltas: StreamVec<'scope, Epoch, CountUpdate>,
    initial_counts: StreamVec<'scope, Epoch, CountUpdate>,
) -> StreamVec<'scope, Epoch, ((PackedCountKey, isize), Epoch, isize)> {
    let changes = deltas.concat(initial_counts).as_collection();
    let counts = changes.arrange_by_self_named("Counts");
    counts.count_total().inner
}
