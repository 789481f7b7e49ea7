//! Sums of doubles without rounding: one result in any order.
//!
//! Shewchuk's expansions, as in Python's `math.fsum`: a sum is a list of doubles that do not overlap, whose exact total is the
//! exact total of the values. It is rounded once, when it is read. Sums that pass the largest double on the way are kept as
//! such by scaling: values of 2^1000 and more are summed apart, divided by 2^128.

use serde::{Deserialize, Serialize};

/// From here on values are kept divided by [`SCALE`].
const LARGE: f64 = f64::from_bits((1000 + 1023) << 52);
/// 2^128.
const SCALE: f64 = f64::from_bits((128 + 1023) << 52);

/// A sum of doubles. `NaN` and infinities among the values decide the result as in IEEE 754.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExactSum {
    /// The bits of the parts below 2^1000, least first.
    parts: Vec<u64>,
    /// The same for larger values, divided by 2^128.
    large: Vec<u64>,
    /// Whether there was an infinity, its negative, or `NaN`.
    special: [bool; 3],
}

impl ExactSum {
    /// The sum of one value.
    pub fn of(value: f64) -> ExactSum {
        let mut sum = ExactSum::default();
        sum.add_value(value);
        sum
    }

    /// Adds a value.
    pub fn add_value(&mut self, value: f64) {
        if value.is_nan() {
            self.special[2] = true;
        } else if value.is_infinite() {
            self.special[usize::from(value < 0.0)] = true;
        } else if value.abs() >= LARGE {
            add(&mut self.large, value / SCALE);
        } else {
            add(&mut self.parts, value);
        }
        self.normalize();
    }

    /// Adds another sum.
    pub fn add(&mut self, other: &ExactSum) {
        other.parts.iter().for_each(|part| add(&mut self.parts, f64::from_bits(*part)));
        other.large.iter().for_each(|part| add(&mut self.large, f64::from_bits(*part)));
        self.special.iter_mut().zip(other.special).for_each(|(one, other)| *one |= other);
        self.normalize();
    }

    /// The sum, rounded to the nearest double.
    pub fn value(&self) -> f64 {
        match self.special {
            [_, _, true] | [true, true, _] => return f64::NAN,
            [true, false, _] => return f64::INFINITY,
            [false, true, _] => return f64::NEG_INFINITY,
            _ => {}
        }
        if self.large.is_empty() {
            return rounded(&self.parts);
        }
        // All of it at the scale of the large values; what is lost there lies far below their last place.
        let mut all = self.large.clone();
        self.parts.iter().for_each(|part| add(&mut all, f64::from_bits(*part) / SCALE));
        rounded(&all) * SCALE
    }

    /// The sum as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let flags = self.special.iter().enumerate().fold(0, |flags, (bit, is_set)| flags | u8::from(*is_set) << bit);
        let mut bytes = vec![flags, u8::try_from(self.parts.len()).unwrap_or(u8::MAX)];
        bytes.extend(self.parts.iter().chain(&self.large).flat_map(|part| part.to_le_bytes()));
        bytes
    }

    /// The sum with these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<ExactSum> {
        let (head, parts) = bytes.split_first_chunk::<2>()?;
        let (parts, rest) = parts.as_chunks::<8>();
        let mut parts: Vec<u64> = parts.iter().map(|part| u64::from_le_bytes(*part)).collect();
        let is_sound = rest.is_empty() && parts.iter().all(|part| f64::from_bits(*part).is_finite());
        let small = usize::from(head[1]);
        if !is_sound || small > parts.len() || head[0] > 7 {
            return None;
        }
        let large = parts.split_off(small);
        Some(ExactSum { parts, large, special: [0, 1, 2].map(|bit| head[0] >> bit & 1 == 1) })
    }

    /// Large parts that have become small again are summed with the others.
    fn normalize(&mut self) {
        if self.parts.last().is_some_and(|part| f64::from_bits(*part).abs() >= LARGE) {
            let parts = std::mem::take(&mut self.parts);
            for part in parts.into_iter().map(f64::from_bits) {
                let (parts, part) =
                    if part.abs() >= LARGE { (&mut self.large, part / SCALE) } else { (&mut self.parts, part) };
                add(parts, part);
            }
        }
        if !self.large.is_empty() && self.large.iter().all(|part| f64::from_bits(*part).abs() < LARGE / SCALE) {
            let large = std::mem::take(&mut self.large);
            large.into_iter().for_each(|part| add(&mut self.parts, f64::from_bits(part) * SCALE));
        }
    }
}

/// Adds a value to parts that do not overlap.
fn add(parts: &mut Vec<u64>, mut value: f64) {
    let mut kept = 0;
    for place in 0..parts.len() {
        let mut part = f64::from_bits(parts[place]);
        if value.abs() < part.abs() {
            std::mem::swap(&mut value, &mut part);
        }
        let sum = value + part;
        let lost = part - (sum - value);
        if lost != 0.0 {
            parts[kept] = lost.to_bits();
            kept += 1;
        }
        value = sum;
    }
    parts.truncate(kept);
    if value != 0.0 {
        parts.push(value.to_bits());
    }
}

/// The sum of parts that do not overlap, least first: rounded half to even.
fn rounded(parts: &[u64]) -> f64 {
    let mut rest = parts.iter().rev().map(|part| f64::from_bits(*part));
    let mut total = rest.next().unwrap_or(0.0);
    let mut lost = 0.0;
    for part in rest.by_ref() {
        let before = total;
        total = before + part;
        lost = part - (total - before);
        if lost != 0.0 {
            break;
        }
    }
    // Halfway between two doubles: the next part decides.
    if let Some(next) = rest.next()
        && ((lost < 0.0 && next < 0.0) || (lost > 0.0 && next > 0.0))
    {
        let twice = lost * 2.0;
        let other = total + twice;
        if twice == other - total {
            total = other;
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        values.iter().for_each(|value| sum.add_value(*value));
        assert_eq!(ExactSum::from_bytes(&sum.to_bytes()), Some(sum.clone()));
        sum.value()
    }

    #[test]
    fn nothing_is_lost_on_the_way() {
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1e100, 1.0, -1e100]), 1.0);
        assert_eq!(sum(&[1e308, 1e308, -1e308]), 1e308);
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(sum(&[f64::MAX, f64::MAX, -f64::MAX, -f64::MAX, 3.0]), 3.0);
        assert_eq!(sum(&[1.0, 2f64.powi(-53), 2f64.powi(-106)]), 1.0 + f64::EPSILON);
        assert_eq!(sum(&[]), 0.0);
    }

    #[test]
    fn what_is_no_number_decides() {
        assert!(sum(&[1.0, f64::NAN]).is_nan());
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(sum(&[f64::INFINITY, -1.0]), f64::INFINITY);
        assert_eq!(sum(&[f64::NEG_INFINITY, f64::MAX]), f64::NEG_INFINITY);
    }

    #[test]
    fn any_order_and_grouping_has_one_result() {
        let random = &mut fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let mut values: Vec<f64> = (0..random.usize(1..40))
                .map(|_| {
                    let range = if random.bool() { -20..20 } else { -1000..1023 };
                    let exponent = random.i32(range);
                    (random.f64() - 0.5) * 2f64.powi(exponent)
                })
                .collect();
            let expected = sum(&values);
            random.shuffle(&mut values);
            let (one, other) = values.split_at(random.usize(0..=values.len()));
            let mut merged = ExactSum::default();
            for part in [other, one] {
                let mut partial = ExactSum::default();
                part.iter().for_each(|value| partial.add_value(*value));
                merged.add(&partial);
            }
            assert_eq!(merged.value(), expected, "{values:?}");
        }
    }
}
