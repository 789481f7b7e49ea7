//! PostgreSQL's log sequence number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A position in PostgreSQL's log, printed `X/Y` in upper-case hexadecimal; at most 2^63 − 1, so that it fits an `int64` column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lsn(i64);

/// A text that is not `X/Y`, or one above 2^63 − 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an LSN of the form X/Y up to 7FFFFFFF/FFFFFFFF")]
pub struct LsnError;

impl Lsn {
    /// `0/0`: no WAL record ends there, and a status with it confirms nothing.
    pub const ZERO: Lsn = Lsn(0);

    /// The LSN with a number; `None` for a negative one.
    pub fn from_i64(number: i64) -> Option<Lsn> {
        (number >= 0).then_some(Lsn(number))
    }

    /// The number as it stands in an `int64` column; never negative.
    pub fn as_i64(self) -> i64 {
        self.0
    }

    /// Reads `X/Y`: one to eight hexadecimal digits on each side, either case.
    ///
    /// # Errors
    /// [`LsnError`] for any other text and for values above 2^63 − 1.
    pub fn parse(text: &[u8]) -> Result<Lsn, LsnError> {
        let slash = text.iter().position(|b| *b == b'/').ok_or(LsnError)?;
        let half = |digits: &[u8]| -> Result<u64, LsnError> {
            if digits.is_empty() || digits.len() > 8 {
                return Err(LsnError);
            }
            digits.iter().try_fold(0u64, |sum, digit| {
                let value = (*digit as char).to_digit(16).ok_or(LsnError)?;
                Ok(sum << 4 | u64::from(value))
            })
        };
        let number = half(&text[..slash])? << 32 | half(&text[slash + 1..])?;
        i64::try_from(number).map(Lsn).map_err(|_| LsnError)
    }
}

impl TryFrom<String> for Lsn {
    type Error = LsnError;

    fn try_from(text: String) -> Result<Lsn, LsnError> {
        text.parse()
    }
}

impl From<Lsn> for String {
    fn from(lsn: Lsn) -> String {
        lsn.to_string()
    }
}

impl FromStr for Lsn {
    type Err = LsnError;

    fn from_str(text: &str) -> Result<Lsn, LsnError> {
        Lsn::parse(text.as_bytes())
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_lsn_prints_as_it_parses() {
        for text in ["0/0", "0/16B2E58", "16/B374D848", "7FFFFFFF/FFFFFFFF"] {
            assert_eq!(text.parse::<Lsn>().expect("an LSN").to_string(), text);
        }
        assert_eq!("16/B374D848".parse::<Lsn>().map(Lsn::as_i64), Ok(0x16_B374_D848));
        assert_eq!(Lsn::from_i64(0x16_B374_D848).map(|lsn| lsn.to_string()).as_deref(), Some("16/B374D848"));
        assert_eq!(Lsn::from_i64(-1), None);
    }

    #[test]
    fn what_is_no_lsn_is_refused() {
        for text in ["", "/", "0", "0/", "/0", "0/123456789", "0/g", "80000000/0", "0/0/0", "-1/0", "+1/0", " 0/0"] {
            assert!(text.parse::<Lsn>().is_err(), "{text:?}");
        }
    }
}
