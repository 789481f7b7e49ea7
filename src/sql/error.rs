//! Why a text is refused: what is wrong, where, and what to write instead.

use std::fmt;

/// The place of a token: lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line; 0 if the place is unknown.
    pub line: u64,
    /// The column in the line.
    pub column: u64,
}

/// Why a text is refused.
///
/// Prints the reason, the alternative, and the line of the text with a caret under the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    message: String,
    place: Option<Place>,
    excerpt: String,
    caret: usize,
}

/// The most characters of a line that are shown, and how many of them stand before the place.
const EXCERPT: usize = 100;
const BEFORE_PLACE: usize = 60;

impl SqlError {
    /// An error at a place of a text; a place beyond the text is its end.
    pub(in crate::sql) fn at(text: &str, place: Place, message: impl Into<String>) -> SqlError {
        let message = message.into();
        if place.line == 0 || text.trim().is_empty() {
            return SqlError { message, place: None, excerpt: String::new(), caret: 0 };
        }
        let (number, line) = text.split('\n').enumerate().take(place.line as usize).last().unwrap_or_default();
        let width = line.chars().count();
        let column = match number + 1 == place.line as usize {
            true => (place.column.max(1) as usize - 1).min(width),
            false => width,
        };
        let skipped = column.saturating_sub(BEFORE_PLACE);
        let shown = |letter: char| if letter.is_control() { ' ' } else { letter };
        let excerpt = line.chars().skip(skipped).take(EXCERPT).map(shown).collect::<String>().trim_end().to_owned();
        let place = Some(Place { line: number as u64 + 1, column: column as u64 + 1 });
        SqlError { message, place, excerpt, caret: column - skipped }
    }

    /// An error about a text as a whole.
    pub(in crate::sql) fn of_text(message: impl Into<String>) -> SqlError {
        SqlError { message: message.into(), place: None, excerpt: String::new(), caret: 0 }
    }

    /// Where it is; `None` if it is about the whole text.
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    /// What is wrong, with the alternative, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            None => f.write_str(&self.message),
            Some(Place { line, column }) => {
                writeln!(f, "line {line}, column {column}: {}", self.message)?;
                write!(f, "    {}\n    {}^", self.excerpt, " ".repeat(self.caret))
            }
        }
    }
}

impl std::error::Error for SqlError {}

/// The candidate that a misspelt name probably means.
pub(in crate::sql) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&name, candidate);
    let nearest = candidates.into_iter().map(|candidate| (distance(candidate), candidate)).min()?;
    (nearest.0 <= 1 + name.len() / 4).then_some(nearest.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_the_line_and_the_place() {
        let error = SqlError::at("op = 'a'\nAND\tx = 1", Place { line: 2, column: 5 }, "no column x");
        assert_eq!(error.to_string(), "line 2, column 5: no column x\n    AND x = 1\n        ^");
        let long = format!("{} x", "y".repeat(500));
        let error = SqlError::at(&long, Place { line: 1, column: 502 }, "no");
        assert!(error.to_string().lines().all(|line| line.chars().count() < 110), "{error}");
        assert!(error.to_string().ends_with("^"));
    }

    #[test]
    fn a_place_beyond_the_text_is_its_end() {
        for place in [Place { line: 9, column: 1 }, Place { line: 1, column: 99 }, Place { line: 1, column: 4 }] {
            assert_eq!(SqlError::at("a =", place, "no").place(), Some(Place { line: 1, column: 4 }));
        }
        assert_eq!(SqlError::at(" ", Place { line: 1, column: 1 }, "no").place(), None);
    }

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(nearest("comit_time", ["commit_time", "kafka_time"]), Some("commit_time"));
        assert_eq!(nearest("amount", ["commit_time", "kafka_time"]), None);
    }
}
