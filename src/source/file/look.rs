//! What an input is, by its first bytes: how its records are split, or why it cannot be read and what would help.
//!
//! Only the beginning decides, so that a file means the same however far it has grown.

use serde::de::IgnoredAny;

use super::psql::RowHead;

/// Bytes that are looked at.
pub(super) const HEAD_BYTES: usize = 64 << 10;
/// UTF-8's byte-order mark: it begins some files, and no record.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// How records are split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileForm {
    /// Lines, which may continue inside of quotes.
    Lines,
    /// The same under CSV's header of one column: a line in quotes is a field of CSV, and no JSON string.
    Column,
    /// JSON values: printed over several lines, or the elements of an array.
    Values,
}

/// Why an input cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// What it is.
    pub(super) what: &'static str,
    /// What would help.
    pub(super) help: &'static str,
}

const UNPACK: &str = "unpack it first, or pipe it: zcat, zstdcat, xzcat, bzcat FILE | walbook run BOOK --input -";
const CONVERT: &str = "convert it: iconv -f ENCODING -t UTF-8 FILE > NEW";
const QUERY: &str = "print it as CSV: psql --csv -c \"SELECT lsn, xid, data FROM pg_logical_slot_get_changes(…)\", or unaligned: psql -At -c …";
const BY_LINES: &str = "give a JSON value a line, or what pg_recvlogical or psql --csv prints";

/// Files that begin with these bytes.
const MAGIC: [(&[u8], Unreadable); 18] = [
    (b"\x1F\x8B", Unreadable { what: "compressed by gzip", help: UNPACK }),
    (b"\x28\xB5\x2F\xFD", Unreadable { what: "compressed by zstd", help: UNPACK }),
    (b"\xFD7zXZ\0", Unreadable { what: "compressed by xz", help: UNPACK }),
    (b"BZh", Unreadable { what: "compressed by bzip2", help: UNPACK }),
    (b"\x04\x22\x4D\x18", Unreadable { what: "compressed by lz4", help: UNPACK }),
    (b"PK\x03\x04", Unreadable { what: "a zip archive", help: "unpack it first" }),
    (b"\xFF\xFE\0\0", Unreadable { what: "UTF-32 text", help: CONVERT }),
    (b"\0\0\xFE\xFF", Unreadable { what: "UTF-32 text", help: CONVERT }),
    (b"\xFF\xFE", Unreadable { what: "UTF-16 text", help: CONVERT }),
    (b"\xFE\xFF", Unreadable { what: "UTF-16 text", help: CONVERT }),
    (b"PAR1", Unreadable { what: "a Parquet file", help: BY_LINES }),
    (b"Obj\x01", Unreadable { what: "an Avro file", help: BY_LINES }),
    (b"PGDMP", Unreadable { what: "a dump of pg_dump, which has rows and no changes", help: BY_LINES }),
    (b"PGCOPY\n\xFF\r\n\0", Unreadable { what: "binary output of COPY", help: QUERY }),
    (
        b"-- PostgreSQL database dump",
        Unreadable { what: "a dump of pg_dump, which has rows and no changes", help: BY_LINES },
    ),
    (
        b"--\n-- PostgreSQL database dump",
        Unreadable { what: "a dump of pg_dump, which has rows and no changes", help: BY_LINES },
    ),
    (b"-[ RECORD 1 ]", Unreadable { what: "psql's expanded output", help: QUERY }),
    (b"<table", Unreadable { what: "HTML", help: QUERY }),
];

/// Judges an input by its first bytes; `None` while they do not decide. All of it is there if `is_all`.
pub(super) fn look(head: &[u8], is_all: bool) -> Option<Result<FileForm, Unreadable>> {
    let is_all = is_all || head.len() >= HEAD_BYTES;
    let head = &head[..head.len().min(HEAD_BYTES)];
    if let Some((_, unreadable)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(Err(*unreadable));
    }
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    if let Some(unreadable) = other_encoding(text) {
        return Some(Err(unreadable));
    }
    let value = text.trim_ascii_start();
    match value.first() {
        Some(b'[') if is_array(value) => return Some(Ok(FileForm::Values)),
        Some(b'{') => return values_form(value, is_all).map(Ok),
        _ => {}
    }
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').take(6).collect();
    let is_ended = lines.last().is_none_or(|line| line.ends_with(b"\n"));
    let whole = if is_ended || is_all { &lines[..] } else { &lines[..lines.len() - 1] };
    if let Some(unreadable) = whole.iter().find_map(|line| table_of_psql(line.trim_ascii_end())) {
        return Some(Err(unreadable));
    }
    if whole.first().is_some_and(|line| is_column_header(line.trim_ascii_end())) && (whole.len() >= 2 || is_all) {
        return Some(Ok(FileForm::Column));
    }
    // A table's rule stands in its second line, or behind some lines of a script.
    let is_known = whole.first().is_some_and(|line| begins_plainly(line));
    (is_known || is_all || whole.len() >= 3).then_some(Ok(FileForm::Lines))
}

/// Whether this first line is one of test_decoding, or a value.
fn begins_plainly(line: &[u8]) -> bool {
    let heads: [&[u8]; 6] = [b"BEGIN", b"table ", b"message: ", b"COMMIT", b"\"", b"Struct{"];
    heads.iter().any(|head| line.starts_with(head)) || RowHead::read(line).is_some()
}

/// Whether this begins as an array of records; a line may begin with a bracket too.
fn is_array(text: &[u8]) -> bool {
    matches!(text[1..].trim_ascii_start().first(), None | Some(b'{' | b'"' | b'[' | b']'))
}

/// Whether a first JSON object is a line, or several.
fn values_form(text: &[u8], is_all: bool) -> Option<FileForm> {
    let line_end = text.iter().position(|byte| *byte == b'\n');
    let Some(line_end) = line_end else { return is_all.then_some(FileForm::Lines) };
    if !is_begin_of_value(&text[..line_end]) {
        return Some(FileForm::Lines);
    }
    match serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>().next() {
        Some(Ok(_)) => Some(FileForm::Values),
        // The next line begins a value of its own: this one was cut short.
        Some(Err(_)) if text[line_end + 1..].starts_with(b"{") => Some(FileForm::Lines),
        Some(Err(error)) if error.is_eof() => is_all.then_some(FileForm::Values),
        _ => Some(FileForm::Lines),
    }
}

fn is_column_header(line: &[u8]) -> bool {
    line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line).eq_ignore_ascii_case(b"data")
}

/// Whether this is the beginning of a JSON value, and not a whole one.
fn is_begin_of_value(text: &[u8]) -> bool {
    let value = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>().next();
    value.is_some_and(|value| value.is_err_and(|error| error.is_eof()))
}

/// What psql prints for people, which cannot be read back: it pads and marks line breaks.
fn table_of_psql(line: &[u8]) -> Option<Unreadable> {
    let aligned = Unreadable { what: "a table that psql aligned for people", help: QUERY };
    let is_rule = line.len() >= 3
        && line.iter().all(|byte| matches!(byte, b'-' | b'+' | b'|'))
        && line.windows(2).any(|two| two == b"--");
    // Padded columns of which one is an LSN, or the name of the line.
    let is_of_table = line.split(|byte| *byte == b'|').any(|column| {
        let text = column.trim_ascii();
        text.len() < column.len() && (is_lsn(text) || text.eq_ignore_ascii_case(b"data"))
    });
    (is_rule || (is_of_table && line.contains(&b'|'))).then_some(aligned)
}

fn is_lsn(column: &[u8]) -> bool {
    let mut halves = column.split(|byte| *byte == b'/');
    let mut is_half =
        || halves.next().is_some_and(|half| (1..=8).contains(&half.len()) && half.iter().all(u8::is_ascii_hexdigit));
    is_half() && is_half() && halves.next().is_none()
}

/// Text of another encoding than UTF-8, and what is no text.
fn other_encoding(text: &[u8]) -> Option<Unreadable> {
    let first = &text[..text.len().min(64)];
    let zeros = |odd: usize| first.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    if first.len() >= 8 && (zeros(0) * 4 > first.len() || zeros(1) * 4 > first.len()) {
        return Some(Unreadable { what: "UTF-16 text", help: CONVERT });
    }
    if first.len() >= 8 && first[..8].contains(&0) {
        return Some(Unreadable { what: "binary", help: BY_LINES });
    }
    let (mut valid, mut words, mut other) = (0, 0, 0);
    for line in text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"table ") || line.starts_with(b"{")) {
        match str::from_utf8(line) {
            Ok(line) => valid += usize::from(!line.is_ascii()),
            // The end of what is looked at may stand inside of a character.
            Err(error) if error.error_len().is_none() => {}
            Err(error) if is_in_word(line, error.valid_up_to()) => words += 1,
            Err(_) => other += 1,
        }
    }
    // Single lines of other bytes are rejects; here no character beyond ASCII is UTF-8, and all are letters of words.
    let is_other = valid == 0 && other == 0 && words >= 2;
    is_other.then_some(Unreadable { what: "text of another encoding than UTF-8 (Latin-1, perhaps)", help: CONVERT })
}

/// Whether a byte is a letter of Latin-1 beside a letter of ASCII.
fn is_in_word(line: &[u8], at: usize) -> bool {
    let is_letter = |at: Option<usize>| at.and_then(|at| line.get(at)).is_some_and(u8::is_ascii_alphabetic);
    (0xC0..=0xFE).contains(&line[at]) && (is_letter(at.checked_sub(1)) || is_letter(at.checked_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(head: &[u8], form: FileForm) {
        assert_eq!(look(head, true), Some(Ok(form)), "{}", String::from_utf8_lossy(head));
    }

    #[track_caller]
    fn refused(head: &[u8], what: &str) {
        let found = look(head, true);
        let is_named = found.is_some_and(|found| found.is_err_and(|unreadable| unreadable.what.contains(what)));
        assert!(is_named, "{found:?}: {}", String::from_utf8_lossy(head));
    }

    #[test]
    fn records_of_one_line_are_lines() {
        for head in [
            "",
            "\n",
            "BEGIN 5\ntable a.b: INSERT:\n",
            "{\"data\":\"BEGIN\"}\n{\n",
            "{\"data\":\n{\"data\":\"BEGIN\"}\n",
            "{\"data\":\"BEGIN\"}",
            "[5]\n",
            "[info] some log\n",
            "\"BEGIN 736\"\n",
            "rubbish\n",
            "lsn|xid|data\n0/1|5|BEGIN 5\n",
            "lsn,xid,data\n0/1,5,BEGIN 5\n",
            "\u{feff}BEGIN 5\n",
        ] {
            is(head.as_bytes(), FileForm::Lines);
        }
        for table in ["unaligned", "csv", "tab"] {
            let path = format!("{}/tests/data/inputs/psql_{table}.txt", env!("CARGO_MANIFEST_DIR"));
            is(&std::fs::read(path).expect("it is part of the repository"), FileForm::Lines);
        }
        is(b"table a.b: INSERT: v[text]:'\xff'\ntable a.b: INSERT: v[text]:'\xfe'\n", FileForm::Lines);
        is(b"table a.b: INSERT: v[text]:'\xff'\ntable a.b: INSERT:\ntable a.b: INSERT:\n", FileForm::Lines);
    }

    #[test]
    fn a_header_of_one_column_is_known() {
        is(b"data\nBEGIN 5\n", FileForm::Column);
        is(b"\"data\"\r\n\"BEGIN 5\"\r\n", FileForm::Column);
        is(b"lsn,data\n", FileForm::Lines);
        refused(b" data \n------\n BEGIN 5\n", "aligned");
    }

    #[test]
    fn values_of_several_lines_and_arrays_are_values() {
        for head in [
            "{\n  \"data\": \"BEGIN\"\n}\n",
            "{\n",
            "[{\"data\":\"BEGIN\"}]",
            "[\n  \"BEGIN\"\n]\n",
            "\u{feff} [",
            "[]",
        ] {
            is(head.as_bytes(), FileForm::Values);
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        refused(b"\x1F\x8B\x08\0", "gzip");
        refused(b"\x28\xB5\x2F\xFD....", "zstd");
        refused(b"\xFF\xFEB\0E\0", "UTF-16");
        refused(b"B\0E\0G\0I\0N\0 \x005\0", "UTF-16");
        refused(b"\0B\0E\0G\0I\0N\0 \x005", "UTF-16");
        refused(b"\x7FELF\x02\x01\0\0", "binary");
        refused(include_bytes!("../../../tests/data/inputs/psql_aligned.txt"), "aligned");
        refused(b" 0/E1AC820 | 138168 | BEGIN 138168\n", "aligned");
        refused(b"+-----+\n| lsn |\n", "aligned");
        refused(b"SET\n lsn | data \n-----+------\n", "aligned");
        refused(b"-[ RECORD 1 ]-----\nlsn | 0/1\n", "expanded");
        refused(b"--\n-- PostgreSQL database dump\n--\n", "pg_dump");
        refused(b"table a.b: INSERT: v[text]:'caf\xe9'\ntable a.b: INSERT: v[text]:'\xe8re'\n", "encoding");
    }

    #[test]
    fn a_beginning_that_does_not_decide_waits() {
        for head in ["", "{\n  \"da", "{\"data\":", "lsn|xid|data\n", " lsn "] {
            assert_eq!(look(head.as_bytes(), false), None, "{head:?}");
        }
        for head in ["BEGIN 5\n", "\"BEGIN 5\"\n", "{\"data\":\"BEGIN\"}\n"] {
            assert_eq!(look(head.as_bytes(), false), Some(Ok(FileForm::Lines)), "{head:?}");
        }
    }
}
