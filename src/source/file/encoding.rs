//! Text of another encoding than UTF-8, recognized by the bytes that an input begins with.

use memchr::memmem;

use super::records::message::{is_message, line_begin};
use super::records::scan::RecordScanner;

/// What is no text.
pub(super) const BINARY: &str = "binary";

/// What a text is that is not UTF-8; `None` if it is, but for single records.
pub(super) fn other_encoding(text: &[u8]) -> Option<&'static str> {
    let first = &text[..text.len().min(64)];
    let zeros = |odd: usize| first.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    if first.len() >= 8 && (zeros(0) * 4 > first.len() || zeros(1) * 4 > first.len()) {
        return Some("UTF-16 text");
    }
    if first.len() >= 8 && first[..8].contains(&0) {
        return Some(BINARY);
    }
    // Of most inputs this is all.
    if str::from_utf8(text).is_ok() {
        return None;
    }
    let (mut valid, mut words, mut other) = (0, 0, 0);
    let (mut rest, mut scanner) = (text, RecordScanner::default());
    while !rest.is_empty() {
        let length = scanner.end(rest).or_else(|| scanner.settled()).unwrap_or(rest.len());
        let (record, next) = rest.split_at(length);
        rest = next;
        match str::from_utf8(record) {
            Ok(record) => valid += usize::from(!record.is_ascii()),
            // Its content is any bytes.
            Err(_) if holds_message(record) => {}
            // The end of what is looked at may stand inside of a character.
            Err(error) if error.error_len().is_none() => {}
            Err(error) if is_in_word(record, error.valid_up_to()) => words += 1,
            Err(_) => other += 1,
        }
    }
    // Single records of other bytes are rejects; here no character beyond ASCII is UTF-8, and all are letters of words.
    (valid == 0 && other == 0 && words >= 2).then_some("text of another encoding than UTF-8 (Latin-1, perhaps)")
}

/// Whether a record is a logical message, in any of the forms that may hold its bytes.
fn holds_message(record: &[u8]) -> bool {
    let line = &record[line_begin(record)..];
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    is_message(line) || (line.starts_with(b"Struct{") && memmem::find(line, b"data=message: ").is_some())
}

/// Whether a byte is a letter of Latin-1 beside a letter of ASCII.
fn is_in_word(line: &[u8], at: usize) -> bool {
    let is_letter = |at: Option<usize>| at.and_then(|at| line.get(at)).is_some_and(u8::is_ascii_alphabetic);
    (0xC0..=0xFE).contains(&line[at]) && (is_letter(at.checked_sub(1)) || is_letter(at.checked_add(1)))
}
