//! Rows with tabs: as psql prints them, where a backslash is one, or in COPY's text form, where it begins an escape.
//!
//! COPY writes a line break as `\n` and a backslash as `\\`, and no escape but these (PostgreSQL, sql-copy): a row is one line. psql
//! writes both as they are. The first row decides in which a backslash can stand in one of them only:
//!
//! | in a row | it is |
//! |---|---|
//! | a line break | psql's |
//! | `\x`, `\"`, … | psql's: COPY writes no such escape |
//! | `[bytea]:'\\x…` | COPY's: the value begins with one backslash |
//! | the content of a logical message | of the one in which it has the length that the line states |

use memchr::{memchr, memmem};

use super::message::{SIZE, content_end, is_message};
use super::psql::{RowHead, is_frame};
use crate::source::file::form::FileForm;

/// The line that may end rows in COPY's text form.
pub(in crate::source::file) const END: &[u8] = b"\\.";

/// Which program wrote a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source::file) enum Writer {
    Psql,
    Copy,
    /// Either, and the row means different things.
    Unknown,
}

/// How rows with tabs are split that `text` begins with, all of which is looked at if `is_all`; `None` if more is needed to know, an
/// error if it cannot be known.
pub(in crate::source::file) fn tab_form(text: &[u8], is_all: bool) -> Option<Result<FileForm, AmbiguousRows>> {
    let mut is_ambiguous = false;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        // The last one may stand for the beginning of a longer one.
        let Some(line) = line.strip_suffix(b"\n") else { break };
        match writer(line.strip_suffix(b"\r").unwrap_or(line)) {
            Some(Writer::Psql) => return Some(Ok(FileForm::Lines)),
            Some(Writer::Copy) => return Some(Ok(FileForm::CopyText)),
            Some(Writer::Unknown) => is_ambiguous = true,
            None => {}
        }
    }
    is_all.then_some(if is_ambiguous { Err(AmbiguousRows) } else { Ok(FileForm::TabRows) })
}

/// psql and COPY would mean different rows by the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source::file) struct AmbiguousRows;

/// Whether a record is a row with tabs.
pub(in crate::source::file) fn is_tab_row(record: &[u8]) -> bool {
    RowHead::read(record).is_some_and(|head| record[head.length - 1] == b'\t')
}

/// Which program wrote a record that was split as one of psql's; `None` if it is no row with tabs, or that makes no difference.
///
/// Its first line decides: a row of COPY ends there, while one of psql may continue on the next lines.
pub(in crate::source::file) fn writer_of_record(record: &[u8]) -> Option<Writer> {
    let backslash = memchr(b'\\', record)?;
    let line = &record[..memchr(b'\n', record).unwrap_or(record.len())];
    if backslash >= line.len() || !is_tab_row(line) {
        return None;
    }
    match writer(line.strip_suffix(b"\r").unwrap_or(line)) {
        Some(Writer::Unknown) if is_message_of_other_length(record, line.len()) => Some(Writer::Copy),
        writer => writer,
    }
}

/// Whether a record is a logical message with a size in its first line, none of which leads to the record's end.
fn is_message_of_other_length(record: &[u8], line_length: usize) -> bool {
    let begin = RowHead::read(record).map_or(0, |head| head.length);
    let (line, message) = (&record[begin..line_length], &record[begin..]);
    if !is_message(message) {
        return false;
    }
    let ends = memmem::find_iter(line, SIZE).filter_map(|found| content_end(message, found, false));
    let is_end = |end: usize| message.get(end..).is_some_and(|rest| matches!(rest, b"" | b"\n" | b"\r\n"));
    let (sizes, fitting) = ends.fold((0, 0), |(all, fitting), end| (all + 1, fitting + usize::from(is_end(end))));
    sizes > 0 && fitting == 0
}

/// Which program wrote a line; `None` if that makes no difference.
fn writer(line: &[u8]) -> Option<Writer> {
    let Some(head) = RowHead::read(line) else {
        if line == END {
            return Some(Writer::Copy);
        }
        // What stands behind a line break.
        return (!line.is_empty() && !is_frame(line)).then_some(Writer::Psql);
    };
    let data = &line[head.length..];
    memchr(b'\\', data)?;
    let Some(unescaped) = unescaped(data) else { return Some(Writer::Psql) };
    if memmem::find(data, b"[bytea]:'\\\\x").is_some() {
        return Some(Writer::Copy);
    }
    if is_message(data) {
        return match (has_stated_length(data), has_stated_length(&unescaped)) {
            (true, false) => Some(Writer::Psql),
            (false, true) => Some(Writer::Copy),
            _ => Some(Writer::Unknown),
        };
    }
    Some(Writer::Unknown)
}

/// Whether the content of a logical message has the length that its line states.
fn has_stated_length(message: &[u8]) -> bool {
    memmem::find_iter(message, SIZE).any(|found| content_end(message, found, false) == Some(message.len()))
}

/// What COPY's text form means; `None` for what COPY does not write.
pub(in crate::source::file) fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(b'\\', rest) {
        plain.extend_from_slice(&rest[..at]);
        plain.push(match rest.get(at + 1)? {
            b'b' => 0x08,
            b'f' => 0x0C,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0B,
            b'\\' => b'\\',
            _ => return None,
        });
        rest = &rest[at + 2..];
    }
    plain.extend_from_slice(rest);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(rows: &[&str]) -> Result<FileForm, AmbiguousRows> {
        let text: String = rows.iter().map(|row| format!("0/5\t7\t{row}\n")).collect();
        tab_form(text.as_bytes(), true).expect("all is there")
    }

    #[test]
    fn the_first_row_that_only_one_program_writes_decides() {
        let path = "table a.b: INSERT: v[text]:'C:\\new'";
        for (row, expected) in [
            ("table a.b: INSERT: v[bytea]:'\\x00ff'", Ok(FileForm::Lines)),
            ("table a.b: INSERT: v[text]:'a\nb'", Ok(FileForm::Lines)),
            ("table a.b: INSERT: v[json]:'{\"a\":\"\\\"\"}'", Ok(FileForm::Lines)),
            ("message: transactional: 1 prefix: p, sz: 4 content:a\\nb", Ok(FileForm::Lines)),
            ("table a.b: INSERT: v[bytea]:'\\\\x00ff'", Ok(FileForm::CopyText)),
            ("message: transactional: 1 prefix: p, sz: 3 content:a\\nb", Ok(FileForm::CopyText)),
            ("message: transactional: 1 prefix: p, sz: 9 content:a\\nb", Err(AmbiguousRows)),
            ("table a.b: INSERT: v[text]:'a\\nb'", Err(AmbiguousRows)),
            ("table a.b: INSERT: v[text]:'a\\\\b'", Err(AmbiguousRows)),
            ("table a.b: INSERT: v[text]:'a'", Ok(FileForm::TabRows)),
        ] {
            assert_eq!(form(&["BEGIN 7", row, "COMMIT 7"]), expected, "{row}");
            let expected = if expected == Ok(FileForm::TabRows) { Err(AmbiguousRows) } else { expected };
            assert_eq!(form(&["BEGIN 7", path, row]), expected, "{row}");
        }
        let ended = b"0/5\t7\ttable a.b: INSERT: v[text]:'a\\nb'\n\\.\n";
        assert_eq!(tab_form(ended, true), Some(Ok(FileForm::CopyText)));
        // What is not decided may be by the next row.
        assert_eq!(tab_form(b"lsn\txid\tdata\n0/5\t7\tBEGIN 7\n0/5\t7\ttable a.b: INSERT: v[bytea]:'\\", false), None);
    }

    #[test]
    fn the_first_line_of_a_record_shows_who_wrote_it() {
        let message = "0/7\t7\tmessage: transactional: 1 prefix: p, sz: ";
        for (record, expected) in [
            (format!("{message}3 content:a\\nb\n"), Some(Writer::Copy)),
            // The size of another message seems to be its own.
            (format!("{message}3 content:a\\nb\n{message}3 content:abc\n"), Some(Writer::Copy)),
            (format!("{message}2 content:a\\nb\n"), Some(Writer::Copy)),
            (format!("{message}4 content:a\\nb\n"), Some(Writer::Psql)),
            (format!("{message}7 content:a\\nb\ncd\n"), Some(Writer::Unknown)),
            ("0/7\t7\ttable a.b: INSERT: v[bytea]:'\\\\x00ff'\n".to_owned(), Some(Writer::Copy)),
            ("0/7\t7\ttable a.b: INSERT: v[text]:'C:\\new'\n".to_owned(), Some(Writer::Unknown)),
            ("0/7\t7\ttable a.b: INSERT: v[json]:'\\\"'\n".to_owned(), Some(Writer::Psql)),
            ("0/7\t7\ttable a.b: INSERT: v[text]:'a\n\\n'\n".to_owned(), None),
            ("0/7|7|table a.b: INSERT: v[text]:'\\n'\n".to_owned(), None),
        ] {
            assert_eq!(writer_of_record(record.as_bytes()), expected, "{record}");
        }
    }

    #[test]
    fn escapes_of_copy_are_read_back() {
        assert_eq!(unescaped(b"a\\tb\\\\n\\r\\n\\b\\f\\v"), Some(b"a\tb\\n\r\n\x08\x0C\x0B".to_vec()));
        for other in [&b"\\x"[..], b"\\N", b"\\.", b"a\\", b"\\\\\\"] {
            assert_eq!(unescaped(other), None, "{}", String::from_utf8_lossy(other));
        }
    }
}
