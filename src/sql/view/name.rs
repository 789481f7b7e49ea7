//! Names of views, which are names of folders too.

use std::fmt;

/// The most bytes of a name, as of PostgreSQL's identifiers.
const LONGEST: usize = 63;

/// The name of a view: 1 to 63 of the characters `a-z`, `0-9` and `_`, not beginning with a digit.
///
/// It names a folder of the book, so capitals are refused: file systems disagree on whether `Paid` and `paid` are one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewName(String);

impl ViewName {
    /// Checks a name; the error says what is wrong with it.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn parse(name: &str) -> Result<ViewName, String> {
        let rule = "a view's name has 1 to 63 of the characters a-z, 0-9 and _, and does not begin with a digit";
        let is_plain = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '_');
        match name.chars().next() {
            Some(first) if !first.is_ascii_digit() && name.chars().all(is_plain) && name.len() <= LONGEST => {
                Ok(ViewName(name.to_owned()))
            }
            _ if name.chars().any(|letter| letter.is_ascii_uppercase()) => {
                Err(format!("{rule}; capitals are refused since the name is a folder's: write {}", name.to_lowercase()))
            }
            _ => Err(rule.to_owned()),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ViewName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
