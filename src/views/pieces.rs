//! Rows divided by the size of their texts: a column of texts has at most 2^31 bytes.

use std::ops::Range;

use crate::change::{Accumulators, GroupKey};

/// About how many bytes of keys and values a row group has: a column of one may not have 2^31.
pub(super) const MOST_GROUP_BYTES: usize = 64 << 20;

/// The bytes of a sum in a file, which are more than it has in memory.
const MOST_SUM_BYTES: usize = 36;

/// Divides rows into stretches that have at most so many bytes, or are one row that has more; at least one stretch.
pub(super) fn pieces(rows: usize, most: usize, size_of: impl Fn(usize) -> usize) -> impl Iterator<Item = Range<usize>> {
    let (mut next, mut is_first) = (0, true);
    std::iter::from_fn(move || {
        if next == rows && !std::mem::take(&mut is_first) {
            return None;
        }
        is_first = false;
        let first = next;
        let mut bytes = 0usize;
        while next < rows {
            bytes = bytes.saturating_add(size_of(next));
            if bytes > most && next > first {
                break;
            }
            next += 1;
        }
        Some(first..next)
    })
}

/// Divides groups into stretches whose keys and values have about so many bytes.
pub(super) fn group_pieces(groups: &[(&GroupKey, &Accumulators)], most: usize) -> impl Iterator<Item = Range<usize>> {
    let size = move |row: usize| {
        let (key, values) = groups[row];
        key.values().len() + values.bytes() + values.len() * MOST_SUM_BYTES
    };
    pieces(groups.len(), most, size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_has_at_most_so_many_bytes_or_one_row() {
        let sizes = [3, 3, 3, 9, 1, usize::MAX, 0, 6, 1];
        let divided: Vec<_> = pieces(sizes.len(), 6, |row| sizes[row]).collect();
        assert_eq!(divided, [0..2, 2..3, 3..4, 4..5, 5..6, 6..8, 8..9]);
        assert_eq!(pieces(0, 6, |_| 1).collect::<Vec<_>>(), vec![0..0; 1]);
        assert_eq!(pieces(3, 6, |_| 1).collect::<Vec<_>>(), vec![0..3; 1]);
    }
}
