//! What the values of one aggregate add up to.

use std::borrow::Cow;

use super::{ExactSum, WideSum};

/// What the values of one aggregate add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Accumulator<'a> {
    /// There is no value.
    #[default]
    Empty,
    /// How many there are.
    Count(i64),
    /// Their sum, if it has at most 128 bits.
    Sum(i128),
    /// A larger sum.
    WideSum(Box<WideSum>),
    /// The sum of doubles.
    DoubleSum(Box<ExactSum>),
    /// The least of them, in row format.
    Least(Cow<'a, [u8]>),
    /// The greatest of them.
    Greatest(Cow<'a, [u8]>),
}

impl<'a> Accumulator<'a> {
    /// A sum, in the smallest form.
    pub fn sum(sum: WideSum) -> Accumulator<'a> {
        match sum.as_i128() {
            Some(sum) => Accumulator::Sum(sum),
            None => Accumulator::WideSum(Box::new(sum)),
        }
    }

    /// The number of values; 0 for anything but a count.
    pub fn count(&self) -> i64 {
        if let Accumulator::Count(count) = self { *count } else { 0 }
    }

    /// The exact sum of whole numbers, if it is one.
    pub fn as_sum(&self) -> Option<WideSum> {
        match self {
            Accumulator::Sum(sum) => Some(WideSum::of(*sum)),
            Accumulator::WideSum(sum) => Some(**sum),
            _ => None,
        }
    }

    /// The one value that it holds, in row format, if it holds one.
    pub fn value(&self) -> Option<&[u8]> {
        match self {
            Accumulator::Least(value) | Accumulator::Greatest(value) => Some(value),
            _ => None,
        }
    }

    /// What its values and those of another accumulator of the same aggregate add up to.
    pub fn merged(self, other: Accumulator<'a>) -> Accumulator<'a> {
        match (self, other) {
            (one, Accumulator::Empty) => one,
            (Accumulator::Empty, other) => other,
            (Accumulator::Count(one), Accumulator::Count(other)) => Accumulator::Count(one.saturating_add(other)),
            (Accumulator::DoubleSum(mut one), Accumulator::DoubleSum(other)) => {
                one.add(&other);
                Accumulator::DoubleSum(one)
            }
            (Accumulator::Least(one), Accumulator::Least(other)) => Accumulator::Least(one.min(other)),
            (Accumulator::Greatest(one), Accumulator::Greatest(other)) => Accumulator::Greatest(one.max(other)),
            (one, other) => {
                let (Some(mut sum), Some(other)) = (one.as_sum(), other.as_sum()) else {
                    debug_assert!(false, "accumulators of different aggregates are never merged");
                    return one;
                };
                sum.add(&other);
                Accumulator::sum(sum)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accumulator_is_small() {
        assert_eq!(size_of::<Accumulator>(), 32);
    }

    #[test]
    fn sums_grow_and_shrink() {
        let sum = Accumulator::Sum(i128::MAX).merged(Accumulator::Sum(1));
        assert!(matches!(sum, Accumulator::WideSum(_)));
        assert_eq!(sum.merged(Accumulator::Sum(-1)), Accumulator::Sum(i128::MAX));
    }

    #[test]
    fn the_empty_one_changes_nothing() {
        let least = |text: &'static str| Accumulator::Least(text.as_bytes().into());
        for other in [least("b"), Accumulator::Count(3), Accumulator::Empty, Accumulator::Sum(-4)] {
            assert_eq!(Accumulator::Empty.merged(other.clone()), other);
            assert_eq!(other.clone().merged(Accumulator::Empty), other);
        }
        assert_eq!(least("b").merged(least("a")).merged(least("c")), least("a"));
    }
}
