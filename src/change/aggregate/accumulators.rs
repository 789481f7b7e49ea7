//! The accumulators of a group in few bytes, as the difference type of an arrangement.
//!
//! | bytes | hold |
//! |---|---|
//! | 1 | which accumulator it is in the low 3 bits; above them the number of bytes that follow, or 31 |
//! | 4 | that number, little-endian, if it is 31 or more |
//! | n | a count or sum: two's complement without leading bytes, little-endian; else what the accumulator has as bytes |
//!
//! One after the other. They are in memory and between the processes of a cluster only. A count and a sum are mostly 10 bytes: with
//! its key, epoch and offset a group is 60 bytes in an arrangement, and none of it on the heap.

use differential_dataflow::difference::{IsZero, Semigroup};
use serde::{Deserialize, Serialize};

use super::{Accumulator, ExactSum, ShortBytes, WideSum};

/// From here on a length has bytes of its own.
const LONG: usize = 31;

/// The accumulators of a group, in the order of the view's aggregates. Equal ones have equal bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Accumulators(ShortBytes);

impl Accumulators {
    /// Packs accumulators.
    pub fn new<'a>(all: impl IntoIterator<Item = &'a Accumulator<'a>>) -> Accumulators {
        let mut packed = ShortBytes::default();
        all.into_iter().for_each(|accumulator| pack(&mut packed, accumulator));
        Accumulators(packed)
    }

    /// Accumulators of which only one holds anything; those after it are left out.
    pub fn only(place: usize, accumulator: &Accumulator) -> Accumulators {
        Accumulators::new(std::iter::repeat_n(&Accumulator::Empty, place).chain([accumulator]))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Accumulator<'_>> {
        self.packed().map(unpack)
    }

    /// How many there are; those that were left out are not counted.
    pub fn len(&self) -> usize {
        self.packed().count()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    /// The one at a place; one that was left out is empty.
    pub fn get(&self, place: usize) -> Accumulator<'_> {
        self.packed().nth(place).map(unpack).unwrap_or_default()
    }

    /// Makes those at some places empty.
    pub fn clear(&mut self, places: &[usize]) {
        if places.is_empty() {
            return;
        }
        let kept = |(place, accumulator)| if places.contains(&place) { Accumulator::Empty } else { accumulator };
        let all: Vec<Accumulator> = self.iter().enumerate().map(kept).collect();
        *self = Accumulators::new(&all);
    }

    /// How many bytes they have.
    pub fn bytes(&self) -> usize {
        self.0.as_slice().len()
    }

    /// Which accumulator each is, and its bytes.
    fn packed(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut packed = self.0.as_slice();
        std::iter::from_fn(move || {
            let (head, mut rest) = packed.split_first()?;
            let mut length = usize::from(head >> 3);
            if length == LONG {
                let (long, after) = rest.split_first_chunk().expect("a long length has four bytes");
                (length, rest) = (u32::from_le_bytes(*long) as usize, after);
            }
            let (bytes, rest) = rest.split_at(length);
            packed = rest;
            Some((head & 7, bytes))
        })
    }
}

impl IsZero for Accumulators {
    /// Never: a group without values in any aggregate is a row of its view all the same.
    fn is_zero(&self) -> bool {
        false
    }
}

impl Semigroup for Accumulators {
    fn plus_equals(&mut self, other: &Accumulators) {
        let mut merged = ShortBytes::with_capacity(self.bytes().max(other.bytes()));
        let (mut ones, mut others) = (self.iter(), other.iter());
        loop {
            let accumulator = match (ones.next(), others.next()) {
                (Some(one), Some(other)) => one.merged(other),
                (Some(one), None) => one,
                (None, Some(other)) => other,
                (None, None) => break,
            };
            pack(&mut merged, &accumulator);
        }
        drop((ones, others));
        self.0 = merged;
    }
}

fn pack(packed: &mut ShortBytes, accumulator: &Accumulator) {
    match accumulator {
        Accumulator::Empty => pack_bytes(packed, 0, &[]),
        Accumulator::Count(count) => pack_number(packed, 1, (*count).into()),
        Accumulator::Sum(sum) => pack_number(packed, 2, *sum),
        Accumulator::WideSum(sum) => pack_bytes(packed, 3, &sum.to_bytes()),
        Accumulator::DoubleSum(sum) => pack_bytes(packed, 4, &sum.to_bytes()),
        Accumulator::Least(value) => pack_bytes(packed, 5, value),
        Accumulator::Greatest(value) => pack_bytes(packed, 6, value),
    }
}

fn pack_number(packed: &mut ShortBytes, kind: u8, number: i128) {
    // Without the leading bytes that only repeat the sign.
    let bits = 129 - (number ^ (number >> 127)).leading_zeros();
    let length = bits.div_ceil(8) as usize;
    let mut bytes = [0; 17];
    bytes[0] = kind | (length as u8) << 3;
    bytes[1..].copy_from_slice(&number.to_le_bytes());
    packed.extend(&bytes[..=length]);
}

fn pack_bytes(packed: &mut ShortBytes, kind: u8, bytes: &[u8]) {
    packed.extend(&[kind | (bytes.len().min(LONG) as u8) << 3]);
    if bytes.len() >= LONG {
        let length = u32::try_from(bytes.len()).expect("a text has at most 2 GiB, and in row format a sixteenth more");
        packed.extend(&length.to_le_bytes());
    }
    packed.extend(bytes);
}

fn unpack((kind, bytes): (u8, &[u8])) -> Accumulator<'_> {
    match kind {
        1 => Accumulator::Count(unpack_number(bytes) as i64),
        2 => Accumulator::Sum(unpack_number(bytes)),
        3 => Accumulator::WideSum(Box::new(WideSum::from_bytes(bytes).expect("packed from a sum"))),
        4 => Accumulator::DoubleSum(Box::new(ExactSum::from_bytes(bytes).expect("packed from a sum"))),
        5 => Accumulator::Least(bytes.into()),
        6 => Accumulator::Greatest(bytes.into()),
        _ => Accumulator::Empty,
    }
}

fn unpack_number(bytes: &[u8]) -> i128 {
    let mut number = [0; 16];
    number[16 - bytes.len()..].copy_from_slice(bytes);
    // Also extends the sign.
    i128::from_le_bytes(number) >> (128 - 8 * bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accumulators_are_what_was_packed() {
        let long = [7; 1 << 17];
        let mut all = vec![Accumulator::Empty, Accumulator::Sum(i128::MIN), Accumulator::Sum(i128::MAX)];
        for shift in 0..64 {
            for count in [1 << shift, !(-1 << shift), -1 << shift, i64::MIN >> shift, i64::MAX >> shift] {
                all.extend([Accumulator::Count(count), Accumulator::Sum(i128::from(count) << 64 | 1)]);
            }
        }
        for length in [0, 1, 30, 31, 32, 255, 256, long.len()] {
            let value = &long[..length];
            all.extend([Accumulator::Least(value.into()), Accumulator::Greatest(value.into())]);
        }
        all.push(Accumulator::sum(WideSum::of_halves(5, 3)));
        for values in [&[][..], &[0.5], &[1e300, -1e-300, 3.0], &[f64::NAN, f64::INFINITY], &[f64::MAX, f64::MAX]] {
            let mut sum = ExactSum::default();
            values.iter().for_each(|value| sum.add_value(*value));
            all.push(Accumulator::DoubleSum(Box::new(sum)));
        }
        let packed = Accumulators::new(&all);
        assert_eq!(packed.iter().collect::<Vec<_>>(), all);
        for (place, accumulator) in all.iter().enumerate() {
            assert_eq!(packed.get(place), *accumulator);
            let only = Accumulators::only(place % 5, accumulator);
            assert_eq!((only.get(place % 5), only.len()), (accumulator.clone(), place % 5 + 1));
        }
        assert_eq!(packed.get(all.len()), Accumulator::Empty);
    }

    #[test]
    fn merging_is_merging_each() {
        let value = |text: &'static str| Accumulator::Least(text.as_bytes().into());
        let all = [Accumulator::Count(300), Accumulator::Empty, value("b"), Accumulator::Sum(-70_000)];
        let others = [Accumulator::Count(-300), value("x"), value("a")];
        let expected = [Accumulator::Count(0), value("x"), value("a"), Accumulator::Sum(-70_000)];
        for (one, other) in [(&all[..], &others[..]), (&others, &all)] {
            let mut merged = Accumulators::new(one);
            merged.plus_equals(&Accumulators::new(other));
            assert_eq!(merged, Accumulators::new(&expected));
        }
        let mut cleared = Accumulators::new(&all);
        cleared.clear(&[0, 3]);
        let empty = Accumulator::Empty;
        assert_eq!(cleared.iter().collect::<Vec<_>>(), [empty.clone(), empty.clone(), value("b"), empty]);
    }

    #[test]
    fn a_group_with_a_count_and_a_sum_has_no_heap() {
        let group = Accumulators::new(&[Accumulator::Count(1_000_000), Accumulator::Sum(-1 << 80)]);
        assert!(group.bytes() <= 23 && size_of::<Accumulators>() == 24, "{group:?}");
    }
}
