//! What a group's changes add up to, as the difference type of an arrangement.

use differential_dataflow::difference::{IsZero, Semigroup};
use serde::{Deserialize, Serialize};

use super::{ExactSum, WideSum};

/// What the values of one aggregate add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Accumulator {
    /// There is no value.
    #[default]
    Empty,
    /// How many there are.
    Count(i64),
    /// Their sum, if it has at most 128 bits: its high and its low half.
    Sum(i64, u64),
    /// A larger sum.
    WideSum(Box<WideSum>),
    /// The sum of doubles.
    DoubleSum(Box<ExactSum>),
    /// The least of them, in row format.
    Least(Box<[u8]>),
    /// The greatest of them.
    Greatest(Box<[u8]>),
}

impl Accumulator {
    /// A sum, in the smallest form.
    pub fn sum(sum: WideSum) -> Accumulator {
        match sum.as_i128() {
            Some(sum) => Accumulator::small_sum(sum),
            None => Accumulator::WideSum(Box::new(sum)),
        }
    }

    /// A sum of 128 bits.
    pub fn small_sum(sum: i128) -> Accumulator {
        Accumulator::Sum((sum >> 64) as i64, sum as u64)
    }

    /// The number of values; 0 for anything but a count.
    pub fn count(&self) -> i64 {
        if let Accumulator::Count(count) = self { *count } else { 0 }
    }

    /// The exact sum of whole numbers, if it is one.
    pub fn as_sum(&self) -> Option<WideSum> {
        match self {
            Accumulator::Sum(high, low) => Some(WideSum::of(i128::from(*high) << 64 | i128::from(*low))),
            Accumulator::WideSum(sum) => Some(**sum),
            _ => None,
        }
    }

    /// Adds the values of another accumulator of the same aggregate.
    pub fn merge(&mut self, other: &Accumulator) {
        match (&mut *self, other) {
            (_, Accumulator::Empty) => {}
            (this @ Accumulator::Empty, other) => *this = other.clone(),
            (Accumulator::Count(one), Accumulator::Count(other)) => *one = one.saturating_add(*other),
            (Accumulator::DoubleSum(one), Accumulator::DoubleSum(other)) => one.add(other),
            (Accumulator::Least(one), Accumulator::Least(other)) => {
                if other < one {
                    one.clone_from(other);
                }
            }
            (Accumulator::Greatest(one), Accumulator::Greatest(other)) => {
                if other > one {
                    one.clone_from(other);
                }
            }
            (one, other) => {
                let (Some(mut sum), Some(other)) = (one.as_sum(), other.as_sum()) else {
                    debug_assert!(false, "accumulators of different aggregates are never merged");
                    return;
                };
                sum.add(&other);
                *one = Accumulator::sum(sum);
            }
        }
    }
}

/// The accumulators of a group, in the order of the view's aggregates.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Accumulators(pub Box<[Accumulator]>);

impl Accumulators {
    /// Accumulators of which only one holds anything; those after it are left out.
    pub fn only(place: usize, accumulator: Accumulator) -> Accumulators {
        let mut all = vec![Accumulator::Empty; place];
        all.push(accumulator);
        Accumulators(all.into())
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
        if self.0.len() < other.0.len() {
            let all = std::mem::take(&mut self.0);
            self.0 = all
                .into_iter()
                .chain(std::iter::repeat_n(Accumulator::Empty, other.0.len()))
                .take(other.0.len())
                .collect();
        }
        self.0.iter_mut().zip(&other.0).for_each(|(one, other)| one.merge(other));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accumulator_is_small() {
        assert_eq!(size_of::<Accumulator>(), 24);
    }

    #[test]
    fn sums_grow_and_shrink() {
        let mut sum = Accumulator::small_sum(i128::MAX);
        sum.merge(&Accumulator::small_sum(1));
        assert!(matches!(sum, Accumulator::WideSum(_)));
        sum.merge(&Accumulator::small_sum(-1));
        assert_eq!(sum, Accumulator::small_sum(i128::MAX));
        for value in [0, -1, 1, i128::MIN, -(1 << 64), (1 << 64) - 1] {
            assert_eq!(Accumulator::small_sum(value).as_sum(), Some(WideSum::of(value)));
        }
    }

    #[test]
    fn the_empty_one_changes_nothing() {
        let least = |text: &str| Accumulator::Least(text.as_bytes().into());
        for other in [least("b"), Accumulator::Count(3), Accumulator::Empty, Accumulator::small_sum(-4)] {
            let mut one = Accumulator::Empty;
            one.merge(&other);
            assert_eq!(one, other);
            one.merge(&Accumulator::Empty);
            assert_eq!(one, other);
        }
        let mut one = least("b");
        one.merge(&least("a"));
        one.merge(&least("c"));
        assert_eq!(one, least("a"));
    }
}
