//! `LIKE` and `ILIKE`.
//!
//! *Why* not arrow's kernel: it compiles a pattern to a regular expression, whose size is limited, and patterns may come from
//! rows.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray};

use super::kernels::{Failures, Reason, result_rows};
use super::text::lower;
use super::value::Value;

/// `text LIKE pattern`; ILIKE compares both in lower case, as PostgreSQL does.
pub(super) fn like(text: &Value, pattern: &Value, ignores_case: bool, failures: &mut Failures<'_>) -> Value {
    let (text, pattern) = match ignores_case {
        false => (text.clone(), pattern.clone()),
        true => (lower(text, failures), lower(pattern, failures)),
    };
    let (texts, patterns) = (text.array.as_string::<i32>(), pattern.array.as_string::<i32>());
    let (rows, is_scalar) = result_rows(&text, &pattern);
    let constant = (pattern.is_scalar && patterns.is_valid(0)).then(|| Pattern::parse(patterns.value(0)));
    let mut results = Vec::with_capacity(rows);
    for row in 0..rows {
        let (text_row, pattern_row) = (text.row(row), pattern.row(row));
        if texts.is_null(text_row) || patterns.is_null(pattern_row) {
            results.push(None);
            continue;
        }
        let matches = match &constant {
            Some(pattern) => {
                pattern.as_ref().map(|pattern| pattern.matches(texts.value(text_row))).map_err(|reason| *reason)
            }
            None => Pattern::parse(patterns.value(pattern_row)).map(|pattern| pattern.matches(texts.value(text_row))),
        };
        results.push(matches.map_err(|reason| failures.record(row, reason, &[&text, &pattern])).ok());
    }
    Value { array: Arc::new(BooleanArray::from(results)), is_scalar }
}

/// The pieces of a pattern, between which any text may stand; at least one.
struct Pattern(Vec<Piece>);

/// A piece of a pattern, without `%`.
#[derive(Default)]
struct Piece {
    /// Its characters; `None` for `_`.
    letters: Vec<Option<char>>,
    /// The piece as text, if it has no `_`.
    literal: Option<String>,
}

impl Pattern {
    fn parse(pattern: &str) -> Result<Pattern, Reason> {
        let mut pieces = vec![Piece::default()];
        let mut letters = pattern.chars();
        while let Some(letter) = letters.next() {
            let letter = match letter {
                '%' => {
                    pieces.push(Piece::default());
                    continue;
                }
                '_' => None,
                '\\' => Some(letters.next().ok_or("a pattern cannot end with a backslash")?),
                letter => Some(letter),
            };
            pieces.last_mut().expect("at least one piece").letters.push(letter);
        }
        for piece in &mut pieces {
            piece.literal = piece.letters.iter().copied().collect();
        }
        Ok(Pattern(pieces))
    }

    fn matches(&self, text: &str) -> bool {
        let (first, rest) = self.0.split_first().expect("at least one piece");
        let Some(mut text) = first.strip(text) else { return false };
        let Some((last, middle)) = rest.split_last() else { return text.is_empty() };
        // The leftmost place of each piece leaves the most text for those behind it.
        for piece in middle {
            match piece.strip_to(text) {
                Some(behind) => text = behind,
                None => return false,
            }
        }
        last.ends(text)
    }
}

impl Piece {
    /// What follows the piece at the start of a text.
    fn strip<'t>(&self, text: &'t str) -> Option<&'t str> {
        if let Some(literal) = &self.literal {
            return text.strip_prefix(literal.as_str());
        }
        let mut letters = text.chars();
        let fits = self
            .letters
            .iter()
            .all(|wanted| letters.next().is_some_and(|letter| wanted.is_none_or(|one| one == letter)));
        fits.then_some(letters.as_str())
    }

    /// What follows the piece at its leftmost place in a text.
    fn strip_to<'t>(&self, text: &'t str) -> Option<&'t str> {
        if let Some(literal) = &self.literal {
            return text.find(literal.as_str()).map(|at| &text[at + literal.len()..]);
        }
        text.char_indices().find_map(|(at, _)| self.strip(&text[at..]))
    }

    /// Whether a text ends with the piece.
    fn ends(&self, text: &str) -> bool {
        if let Some(literal) = &self.literal {
            return text.ends_with(literal.as_str());
        }
        let start = text.char_indices().rev().nth(self.letters.len() - 1);
        start.is_some_and(|(at, _)| self.strip(&text[at..]).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_postgres() {
        for (text, pattern, expected) in [
            ("", "", true),
            ("", "%", true),
            ("a", "", false),
            ("abc", "a%", true),
            ("abc", "%c", true),
            ("abc", "%b%", true),
            ("abc", "a%b", false),
            ("aab", "a%ab", true),
            ("ab", "ab%ab", false),
            ("abab", "ab%ab", true),
            ("äöü", "_ö_", true),
            ("äöü", "%_ü", true),
            ("äöü", "____", false),
            ("abcbd", "%b_%", true),
            ("abcb", "%b__%", true),
            ("ab", "%b_%", false),
            ("50%", "50\\%", true),
            ("500", "50\\%", false),
            ("a\\b", "a\\\\b", true),
            ("axb", "a\\xb", true),
            ("a\nb", "a_b", true),
            ("mississippi", "m%iss%ip%i", true),
            ("mississippi", "m%iss%iss%iss%", false),
        ] {
            let matches = Pattern::parse(pattern).map(|pattern| pattern.matches(text));
            assert_eq!(matches, Ok(expected), "{text:?} LIKE {pattern:?}");
        }
        assert!(Pattern::parse("a\\").is_err());
        let long = "_".repeat(60_000);
        assert!(Pattern::parse(&long).is_ok_and(|pattern| pattern.matches(&"é".repeat(60_000))));
    }
}
