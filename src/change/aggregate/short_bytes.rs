//! Bytes that are mostly few, and of which there are very many.

use std::cmp::Ordering;

use compact_bytes::CompactBytes;
use serde::{Deserialize, Serialize};

/// Bytes in 24 bytes: up to 23 of them are inside, more are on the heap. Ordered as slices are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ShortBytes(CompactBytes);

impl ShortBytes {
    /// The bytes of several slices, one after the other.
    pub fn concat<const N: usize>(slices: [&[u8]; N]) -> ShortBytes {
        let mut bytes = ShortBytes::with_capacity(slices.iter().map(|slice| slice.len()).sum());
        slices.iter().for_each(|slice| bytes.extend(slice));
        bytes
    }

    /// No bytes, with room for so many.
    pub(super) fn with_capacity(bytes: usize) -> ShortBytes {
        ShortBytes(CompactBytes::with_capacity(bytes))
    }

    /// Appends bytes.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// All of them.
    pub fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl From<&[u8]> for ShortBytes {
    fn from(bytes: &[u8]) -> ShortBytes {
        ShortBytes(CompactBytes::new(bytes))
    }
}

impl PartialOrd for ShortBytes {
    fn partial_cmp(&self, other: &ShortBytes) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ShortBytes {
    fn cmp(&self, other: &ShortBytes) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_bytes_are_ordered_as_slices() {
        assert_eq!(size_of::<ShortBytes>(), 24);
        let slices = [&b""[..], b"a", b"ab", &[b'a'; 23], &[b'a'; 24], &[b'a'; 100], b"b", &[255; 23], &[255; 24]];
        for one in slices {
            assert_eq!(ShortBytes::from(one).as_slice(), one);
            for other in slices {
                assert_eq!(ShortBytes::from(one).cmp(&ShortBytes::from(other)), one.cmp(other));
                assert_eq!(ShortBytes::concat([one, other]).as_slice(), [one, other].concat());
            }
        }
    }
}
