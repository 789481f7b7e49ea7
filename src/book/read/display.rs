//! Texts and times as people read them.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat};

/// A text for a terminal: names and values come from outside and must not move its cursor.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        // Also characters that are invisible, change the direction of writing, or break a line.
        let moves = matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || moves || character == '\u{feff}' {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// An instant in microseconds since 1970-01-01 UTC, as `2026-11-22T12:34:56.123456Z`.
pub fn rfc3339(micros: i64) -> String {
    // Assumes an instant of the years 0001 to 9999, as the parser does.
    DateTime::from_timestamp_micros(micros)
        .map_or_else(|| micros.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Micros, true))
}
