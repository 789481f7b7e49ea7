//! Sums of whole numbers that never overflow.

use serde::{Deserialize, Serialize};

/// A sum as a whole number of 288 bits: no number of changes of 256-bit values can exceed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WideSum {
    /// Multiples of 2^256.
    carry: i32,
    /// The bits 128 to 255.
    high: u128,
    /// The lowest 128 bits.
    low: u128,
}

impl WideSum {
    /// A value of 256 bits in two's complement: its high and its low half.
    pub fn of_halves(high: i128, low: u128) -> WideSum {
        WideSum { carry: if high < 0 { -1 } else { 0 }, high: high.cast_unsigned(), low }
    }

    /// A value of 128 bits.
    pub fn of(value: i128) -> WideSum {
        WideSum::of_halves(if value < 0 { -1 } else { 0 }, value.cast_unsigned())
    }

    /// Adds another sum.
    pub fn add(&mut self, other: &WideSum) {
        let (low, carries) = self.low.overflowing_add(other.low);
        let (high, overflows) = self.high.overflowing_add(other.high);
        let (high, overflows_too) = high.overflowing_add(u128::from(carries));
        let carry = i32::from(overflows) + i32::from(overflows_too);
        *self = WideSum { carry: self.carry.wrapping_add(other.carry).wrapping_add(carry), high, low };
    }

    /// The sum as a number of 256 bits: its high and its low half; `None` if it does not fit.
    pub fn halves(&self) -> Option<(i128, u128)> {
        let high = self.high.cast_signed();
        (self.carry == if high < 0 { -1 } else { 0 }).then_some((high, self.low))
    }

    /// The sum as a number of 128 bits, if it fits.
    pub fn as_i128(&self) -> Option<i128> {
        let low = self.low.cast_signed();
        let sign = if low < 0 { -1 } else { 0 };
        self.halves().filter(|(high, _)| *high == sign).map(|_| low)
    }

    /// The bytes of the sum, least first.
    pub fn to_bytes(self) -> [u8; 36] {
        let mut bytes = [0; 36];
        bytes[..16].copy_from_slice(&self.low.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.high.to_le_bytes());
        bytes[32..].copy_from_slice(&self.carry.to_le_bytes());
        bytes
    }

    /// The sum with these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<WideSum> {
        let bytes: &[u8; 36] = bytes.try_into().ok()?;
        let low = u128::from_le_bytes(*bytes.first_chunk()?);
        let high = u128::from_le_bytes(*bytes[16..].first_chunk()?);
        Some(WideSum { carry: i32::from_le_bytes(*bytes[32..].first_chunk()?), high, low })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[(i128, u128)]) -> WideSum {
        let mut sum = WideSum::default();
        values.iter().for_each(|(high, low)| sum.add(&WideSum::of_halves(*high, *low)));
        sum
    }

    #[test]
    fn a_sum_that_left_its_range_returns() {
        let (largest, smallest) = ((i128::MAX, u128::MAX), (i128::MIN, 0));
        assert_eq!(sum(&[largest, (0, 1)]).halves(), None);
        assert_eq!(sum(&[largest, (0, 1), (-1, u128::MAX)]).halves(), Some(largest));
        assert_eq!(sum(&[smallest, (-1, u128::MAX)]).halves(), None);
        assert_eq!(sum(&[smallest, (-1, u128::MAX), (0, 1)]).halves(), Some(smallest));
        assert_eq!(sum(&[largest, largest, smallest, smallest]).as_i128(), Some(-2));
        assert_eq!(sum(&[(0, u128::MAX)]).as_i128(), None);
    }

    #[test]
    fn small_sums_are_those_of_i128() {
        let values = [0, 1, -1, i128::MAX, i128::MIN, 10_i128.pow(38), -(10_i128.pow(38))];
        for one in values {
            for other in values {
                let mut sum = WideSum::of(one);
                sum.add(&WideSum::of(other));
                assert_eq!(sum.as_i128(), one.checked_add(other), "{one} + {other}");
                assert_eq!(WideSum::from_bytes(&sum.to_bytes()), Some(sum));
            }
        }
        assert_eq!(WideSum::from_bytes(&[0; 35]), None);
    }
}
