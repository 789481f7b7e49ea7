//! Decimal numbers: their digits, as text, in the widest form, and divided as PostgreSQL divides.

use std::cmp::Ordering;
use std::fmt::Write;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type, Int64Type};
use arrow_array::{ArrayRef, Decimal256Array};
use arrow_buffer::i256;

use super::kernels::Reason;
use super::value::Value;
use crate::sql::types::{DECIMAL_DIGITS, NUMERIC_DIGITS, Type};

pub(super) const TOO_LARGE: Reason = "the number has too many digits";
pub(super) const DIVISION_BY_ZERO: Reason = "division by zero";

/// A decimal number: `digits / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) digits: i256,
    pub(super) scale: u8,
}

const TEN: i256 = i256::from_i128(10);

/// A power of ten up to 10^38.
pub(super) fn pow10(exponent: u8) -> Option<i128> {
    10i128.checked_pow(exponent.into())
}

fn pow10_wide(exponent: u32) -> Option<i256> {
    TEN.checked_pow(exponent)
}

fn magnitude(digits: i256) -> i256 {
    // Assumes that no number has as many digits as the lowest i256.
    digits.wrapping_abs()
}

/// Divides, and rounds half away from zero.
fn divide_rounded(dividend: i256, divisor: i256) -> Option<i256> {
    let (quotient, remainder) = dividend.checked_div_rem(divisor)?;
    let rest = magnitude(divisor).wrapping_sub(magnitude(remainder));
    let away = if magnitude(remainder) >= rest { 1 } else { 0 };
    let sign = if dividend.is_negative() == divisor.is_negative() { 1 } else { -1 };
    quotient.checked_add(i256::from_i128(sign * away))
}

impl Decimal {
    /// The number of a column's value.
    fn of_numeric(digits: i256) -> Decimal {
        Decimal { digits, scale: NUMERIC_DIGITS }.trimmed()
    }

    /// Without zeros at the end of the digits after the point.
    pub(super) fn trimmed(self) -> Decimal {
        let Decimal { mut digits, mut scale } = self;
        if digits == i256::ZERO {
            return Decimal { digits, scale: 0 };
        }
        for step in [16u8, 8, 4, 2, 1] {
            let factor = i256::from_i128(pow10(step).unwrap_or(1));
            while scale >= step && digits.wrapping_rem(factor) == i256::ZERO {
                digits = digits.wrapping_div(factor);
                scale -= step;
            }
        }
        Decimal { digits, scale }
    }

    /// With another number of digits after the point, rounded half away from zero; `None` if it does not fit.
    pub(super) fn with_scale(self, scale: u8) -> Option<i256> {
        match scale.cmp(&self.scale) {
            Ordering::Equal => Some(self.digits),
            Ordering::Greater => self.digits.checked_mul(pow10_wide((scale - self.scale).into())?),
            Ordering::Less => divide_rounded(self.digits, pow10_wide((self.scale - scale).into())?),
        }
    }

    /// The same where the number, the power of ten and the result have at most 128 bits, which is fast; else `None`.
    fn with_scale_small(self, scale: u8) -> Option<i128> {
        let digits = self.digits.to_i128()?;
        match scale.cmp(&self.scale) {
            Ordering::Equal => Some(digits),
            Ordering::Greater => digits.checked_mul(pow10(scale - self.scale)?),
            Ordering::Less => {
                let divisor = pow10(self.scale - scale)?;
                let (quotient, remainder) = (digits / divisor, digits % divisor);
                let is_away = remainder.unsigned_abs() >= divisor.unsigned_abs() - remainder.unsigned_abs();
                Some(if is_away { quotient + digits.signum() } else { quotient })
            }
        }
    }

    /// As a value of a column of some scale; `precision` are the most digits.
    pub(super) fn to_decimal128(self, scale: u8, precision: u8) -> Result<i128, Reason> {
        let digits = self.with_scale_small(scale).or_else(|| self.with_scale(scale).and_then(i256::to_i128));
        let digits = digits.ok_or(TOO_LARGE)?;
        let limit = 10u128.pow(precision.min(DECIMAL_DIGITS).into());
        if digits.unsigned_abs() < limit { Ok(digits) } else { Err(TOO_LARGE) }
    }

    /// As a value of a column of numbers without a fixed scale.
    pub(super) fn to_numeric(self) -> Result<i256, Reason> {
        let limit = pow10_wide(2 * u32::from(NUMERIC_DIGITS)).unwrap_or(i256::MAX);
        self.with_scale(NUMERIC_DIGITS).filter(|digits| magnitude(*digits) < limit).ok_or(TOO_LARGE)
    }

    pub(super) fn multiply(self, other: Decimal) -> Result<Decimal, Reason> {
        let (one, other) = (self.trimmed(), other.trimmed());
        let digits = one.digits.checked_mul(other.digits).ok_or(TOO_LARGE)?;
        Ok(Decimal { digits, scale: one.scale + other.scale })
    }

    /// The quotient with as many digits as PostgreSQL computes: at least 16 significant ones, rounded half away from zero.
    pub(super) fn divide(self, other: Decimal) -> Result<Decimal, Reason> {
        if other.digits == i256::ZERO {
            return Err(DIVISION_BY_ZERO);
        }
        let scale = self.quotient_scale(other);
        let (dividend, divisor) = (self.trimmed(), other.trimmed());
        let shift = i32::from(scale) - i32::from(dividend.scale) + i32::from(divisor.scale);
        let factor = pow10_wide(shift.unsigned_abs()).ok_or(TOO_LARGE)?;
        let quotient = match shift >= 0 {
            true => divide_rounded(dividend.digits.checked_mul(factor).ok_or(TOO_LARGE)?, divisor.digits),
            false => divide_rounded(dividend.digits, divisor.digits.checked_mul(factor).ok_or(TOO_LARGE)?),
        };
        Ok(Decimal { digits: quotient.ok_or(TOO_LARGE)?, scale })
    }

    /// The digits after the point of a quotient (PostgreSQL's numeric.c, `select_div_scale`).
    fn quotient_scale(self, other: Decimal) -> u8 {
        let ((weight, first), (other_weight, other_first)) = (self.leading(), other.leading());
        let weight = weight - other_weight - i32::from(first <= other_first);
        let scale = (16 - 4 * weight).max(self.scale.into()).max(other.scale.into());
        scale.clamp(0, NUMERIC_DIGITS.into()) as u8
    }

    /// The weight of its first digit in base 10 000, and that digit; zeros for zero.
    fn leading(self) -> (i32, i128) {
        let Some(log) = magnitude(self.digits).checked_ilog10() else { return (0, 0) };
        let exponent = log as i32 - i32::from(self.scale);
        let weight = exponent.div_euclid(4);
        let kept = exponent.rem_euclid(4) as u32;
        let first =
            pow10_wide(log - kept.min(log)).map_or(i256::ZERO, |unit| magnitude(self.digits).wrapping_div(unit));
        let first = first.as_i128() * 10i128.pow(kept.saturating_sub(log));
        (weight, first)
    }

    /// Writes it as PostgreSQL prints a number of its scale.
    pub(super) fn print(self, text: &mut String) {
        let Decimal { digits, scale } = self;
        let digits_text = magnitude(digits).to_string();
        if digits.is_negative() {
            text.push('-');
        }
        let scale = usize::from(scale);
        let whole = digits_text.len().saturating_sub(scale);
        text.push_str(if whole == 0 { "0" } else { &digits_text[..whole] });
        if scale > 0 {
            let fraction = &digits_text[whole..];
            let _ = write!(text, ".{fraction:0>scale$}");
        }
    }

    /// As the nearest double.
    pub(super) fn to_double(self) -> f64 {
        let mut text = String::new();
        self.print(&mut text);
        text.parse().unwrap_or(f64::NAN)
    }
}

/// The average of values with `scale` digits after the point, whose sum is `sum`: with as many digits as PostgreSQL's `avg`.
/// Its digits are those of a [`Type::Numeric`]; `None` without values, and for numbers that do not fit.
pub fn average(sum: i256, scale: u8, count: i64) -> Option<i256> {
    let count = Decimal { digits: i256::from_i128(count.into()), scale: 0 };
    Decimal { digits: sum, scale }.divide(count).and_then(Decimal::to_numeric).ok()
}

/// The most digits of a number that is read without wide arithmetic; one more fits 64 bits.
const MOST_SHORT_DIGITS: usize = 18;

/// The number of a text of a few digits, with a sign or a point or neither; `None` for any other text.
fn parse_short(text: &str) -> Option<Decimal> {
    let (is_negative, unsigned) = match text.as_bytes() {
        [b'-', unsigned @ ..] => (true, unsigned),
        unsigned => (false, unsigned),
    };
    if unsigned.len() > MOST_SHORT_DIGITS + 1 {
        return None;
    }
    let (mut digits, mut count, mut point) = (0u64, 0, None);
    for byte in unsigned {
        match byte {
            b'0'..=b'9' => {
                digits = 10 * digits + u64::from(byte - b'0');
                count += 1;
            }
            b'.' if point.is_none() => point = Some(count),
            _ => return None,
        }
    }
    if count == 0 || count > MOST_SHORT_DIGITS {
        return None;
    }
    let digits = if is_negative { -i128::from(digits) } else { digits.into() };
    let scale = point.map_or(0, |whole| count - whole);
    Some(Decimal { digits: i256::from_i128(digits), scale: scale as u8 })
}

/// Reads a number as PostgreSQL does: `-1.50`, `1e-3`, with blanks around it; not `NaN` or `Infinity`.
pub(super) fn parse_decimal(text: &str) -> Result<Decimal, Reason> {
    match parse_short(text) {
        Some(number) => Ok(number),
        None => parse_any(text),
    }
}

fn parse_any(text: &str) -> Result<Decimal, Reason> {
    const NO_NUMBER: Reason = "not a number";
    let text = text.trim_matches(|letter: char| letter.is_ascii_whitespace() || letter == '\x0b');
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (number, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().map_err(|_| NO_NUMBER)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_digits(whole) || !is_digits(fraction) {
        return Err(NO_NUMBER);
    }
    let whole = whole.trim_start_matches('0');
    let exponent = i64::from(exponent);
    // Digits that cannot matter at 76 digits of precision.
    let kept = fraction.len().min((i64::from(NUMERIC_DIGITS) + 1 + exponent.max(0)).clamp(0, 80) as usize);
    if whole.len() > 76 {
        return Err(TOO_LARGE);
    }
    let mut digits = i256::ZERO;
    for byte in whole.bytes().chain(fraction[..kept].bytes()) {
        let digit = i256::from_i128((byte - b'0').into());
        digits = digits.checked_mul(TEN).and_then(|digits| digits.checked_add(digit)).ok_or(TOO_LARGE)?;
    }
    if negative {
        digits = digits.wrapping_neg();
    }
    let scale = kept as i64 - exponent;
    if digits == i256::ZERO {
        return Ok(Decimal { digits, scale: scale.clamp(0, NUMERIC_DIGITS.into()) as u8 });
    }
    if scale < 0 {
        let factor = u32::try_from(-scale).ok().and_then(pow10_wide).ok_or(TOO_LARGE)?;
        return Ok(Decimal { digits: digits.checked_mul(factor).ok_or(TOO_LARGE)?, scale: 0 });
    }
    match u8::try_from(scale) {
        Ok(scale) if scale <= 2 * NUMERIC_DIGITS => Ok(Decimal { digits, scale }),
        _ => Ok(Decimal { digits: i256::ZERO, scale: NUMERIC_DIGITS }),
    }
}

/// The digits and the scale of a number that is written in an expression; `None` if it has too many.
pub(in crate::sql) fn decimal_of_text(text: &str) -> Option<(i128, u8)> {
    let number = parse_decimal(text).ok().filter(|number| number.scale <= DECIMAL_DIGITS)?;
    Some((number.to_decimal128(number.scale, DECIMAL_DIGITS).ok()?, number.scale))
}

/// The numbers of a column of exact numbers, by row; the rows must not be NULL.
pub(super) fn decimals(value: &Value, kind: Type) -> Box<dyn Fn(usize) -> Decimal + '_> {
    match kind {
        Type::Decimal { scale } => {
            let values = value.array.as_primitive::<Decimal128Type>();
            Box::new(move |row| Decimal { digits: i256::from_i128(values.value(row)), scale })
        }
        Type::Numeric => {
            let values = value.array.as_primitive::<Decimal256Type>();
            Box::new(move |row| Decimal::of_numeric(values.value(row)))
        }
        _ => {
            let values = value.array.as_primitive::<Int64Type>();
            Box::new(move |row| Decimal { digits: i256::from_i128(values.value(row).into()), scale: 0 })
        }
    }
}

/// Exact numbers in the widest form, into which all of them fit.
pub(super) fn to_numeric(value: &Value, kind: Type) -> Value {
    if kind == Type::Numeric {
        return value.clone();
    }
    let decimal = decimals(value, kind);
    let digits = (0..value.array.len()).map(|row| {
        let is_valid = value.array.is_valid(row);
        is_valid.then(|| decimal(row).with_scale(NUMERIC_DIGITS).unwrap_or(i256::ZERO))
    });
    let array: Decimal256Array = digits.collect();
    let array: ArrayRef = Arc::new(array.with_data_type(Type::Numeric.data_type()));
    Value { array, is_scalar: value.is_scalar }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(number: Result<Decimal, Reason>) -> String {
        let mut text = String::new();
        match number {
            Ok(number) => number.print(&mut text),
            Err(reason) => text.push_str(reason),
        }
        text
    }

    fn number(text: &str) -> Decimal {
        parse_decimal(text).expect(text)
    }

    #[test]
    fn numbers_print_as_they_parse() {
        for (text, expected) in [
            ("0", "0"),
            (" -1.50 ", "-1.50"),
            ("+.5", "0.5"),
            ("7.", "7"),
            ("1e3", "1000"),
            ("1.25e1", "12.5"),
            ("1e-3", "0.001"),
            ("-0.0", "0.0"),
            ("00012.3400", "12.3400"),
            ("123456789012345678901234567890.5", "123456789012345678901234567890.5"),
        ] {
            assert_eq!(printed(parse_decimal(text)), expected, "{text}");
        }
        for text in ["", ".", "-", "1e", "1 2", "0x1", "NaN", "1e99999999999", "1.2.3", "１"] {
            assert!(parse_decimal(text).is_err(), "{text}");
        }
        assert_eq!(parse_decimal("1e76"), Ok(number("1e76")));
        assert_eq!(parse_decimal("1e77"), Err(TOO_LARGE));
        assert_eq!(parse_decimal("1e-999999"), Ok(Decimal { digits: i256::ZERO, scale: NUMERIC_DIGITS }));
    }

    /// Expected values are those of PostgreSQL 17.
    #[test]
    fn quotients_have_the_digits_of_postgres() {
        for (one, other, expected) in [
            ("1", "3", "0.33333333333333333333"),
            ("2", "3", "0.66666666666666666667"),
            ("-2", "3", "-0.66666666666666666667"),
            ("100", "3", "33.3333333333333333"),
            ("4", "2", "2.0000000000000000"),
            ("1", "8", "0.12500000000000000000"),
            ("10000", "3", "3333.3333333333333333"),
            ("100000", "3", "33333.333333333333"),
            ("1.50", "0.25", "6.0000000000000000"),
            ("0", "7", "0.00000000000000000000"),
            ("0.0001", "3", "0.000033333333333333333333"),
        ] {
            assert_eq!(printed(number(one).divide(number(other))), expected, "{one} / {other}");
        }
        assert_eq!(number("1").divide(number("0.00")), Err(DIVISION_BY_ZERO));
    }

    #[test]
    fn short_numbers_are_read_and_scaled_as_all_others() {
        let random = &mut fastrand::Rng::with_seed(13);
        for _ in 0..50_000 {
            let letters = b"0123456789059.-+ e";
            let text: String =
                (0..random.usize(0..24)).map(|_| char::from(letters[random.usize(0..letters.len())])).collect();
            assert_eq!(parse_decimal(&text), parse_any(&text), "{text}");
            let digits = random.i128(..) >> random.u32(0..128);
            let number = Decimal { digits: i256::from_i128(digits), scale: random.u8(0..=76) };
            let scale = random.u8(0..=38);
            if let Some(small) = number.with_scale_small(scale) {
                assert_eq!(number.with_scale(scale), Some(i256::from_i128(small)), "{number:?} to {scale}");
            }
        }
    }

    #[test]
    fn a_change_of_scale_rounds_half_away_from_zero() {
        for (text, scale, expected) in
            [("2.5", 0, 3), ("-2.5", 0, -3), ("2.449", 1, 24), ("-0.04", 1, 0), ("7", 2, 700)]
        {
            assert_eq!(number(text).with_scale(scale), Some(i256::from_i128(expected)), "{text}");
        }
        assert_eq!(number("999.995").to_decimal128(2, 5), Err(TOO_LARGE));
        assert_eq!(number("999.994").to_decimal128(2, 5), Ok(99_999));
    }
}
