//! What an input is, by its first bytes: how its records are split, or why it cannot be read and what would help.
//!
//! Only the first 64 KiB decide. A file that had fewer is looked at again by the next run, and may show more of what it is: what was read of it
//! means the same then, but for rows with tabs and backslashes that were read under a warning (`records/copy_text.rs`).

use serde::de::IgnoredAny;

use super::encoding::{BINARY, other_encoding};
use super::form::FileForm;
use super::records::copy_text::{is_tab_row, tab_form};
use super::records::psql::{RowHead, begins_line, is_frame};

/// Bytes that are looked at.
pub(super) const HEAD_BYTES: usize = 64 << 10;
/// UTF-8's byte-order mark: it begins some files, and no record.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Why an input cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// What it is.
    pub(super) what: &'static str,
    /// What would help.
    pub(super) help: &'static str,
}

impl Unreadable {
    /// How the rest of a file is split that was readable when it was shorter.
    pub(super) fn form_of_rest(self) -> FileForm {
        if self == TABS { FileForm::TabRows } else { FileForm::Lines }
    }
}

const UNPACK: &str = "unpack it first";
const UNPACK_AGAIN: &str =
    "it is read if it is compressed once, and whole when the run begins (--until-end): unpack it first";
const CONVERT: &str = "convert it: iconv -f ENCODING -t UTF-8 FILE > NEW";
const QUERY: &str = "print it as CSV: psql --csv -c \"SELECT lsn, xid, data FROM pg_logical_slot_get_changes(…)\", or unaligned: psql -At -c …";
const BY_LINES: &str = "give a JSON value a line, or what pg_recvlogical or psql --csv prints";

const TABS: Unreadable = Unreadable {
    what: "rows with tabs and backslashes, which psql and COPY write differently, and nothing in the first rows shows which wrote them",
    help: "print it as CSV: psql --csv -c …, or COPY … TO … WITH (FORMAT csv); or, if psql printed it, replace the first two tabs of each row by |",
};

/// Files that begin with these bytes.
const MAGIC: [(&[u8], Unreadable); 23] = [
    (b"\x1F\x8B", Unreadable { what: "compressed by gzip", help: UNPACK_AGAIN }),
    (b"\x28\xB5\x2F\xFD", Unreadable { what: "compressed by zstd", help: UNPACK_AGAIN }),
    (b"\xFD7zXZ\0", Unreadable { what: "compressed by xz", help: "pipe it: xzcat FILE | walbook run BOOK --input -" }),
    (b"BZh", Unreadable { what: "compressed by bzip2", help: "pipe it: bzcat FILE | walbook run BOOK --input -" }),
    (
        b"\x04\x22\x4D\x18",
        Unreadable { what: "compressed by lz4", help: "pipe it: lz4cat FILE | walbook run BOOK --input -" },
    ),
    (b"LZIP", Unreadable { what: "compressed by lzip", help: UNPACK }),
    (b"\x1F\x9D", Unreadable { what: "compressed by compress", help: UNPACK }),
    (b"\xFF\x06\0\0sNaPpY", Unreadable { what: "compressed by snappy", help: UNPACK }),
    (b"7z\xBC\xAF\x27\x1C", Unreadable { what: "a 7z archive", help: UNPACK }),
    (b"Rar!\x1A\x07", Unreadable { what: "a rar archive", help: UNPACK }),
    (b"PK\x03\x04", Unreadable { what: "a zip archive", help: "pipe it: unzip -p FILE | walbook run BOOK --input -" }),
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

/// Where a tar archive says that it is one.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// Judges an input by its first bytes; `None` while they do not decide. All of it is there if `is_all`.
pub(super) fn look(head: &[u8], is_all: bool) -> Option<Result<FileForm, Unreadable>> {
    let is_all = is_all || head.len() >= HEAD_BYTES;
    let head = &head[..head.len().min(HEAD_BYTES)];
    if let Some((_, unreadable)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(Err(*unreadable));
    }
    if head.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1)) && head.contains(&0) {
        let help = "pipe one of its files: tar -xOf ARCHIVE FILE | walbook run BOOK --input -";
        return Some(Err(Unreadable { what: "a tar archive", help }));
    }
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    if let Some(what) = other_encoding(text) {
        let help = if what == BINARY { BY_LINES } else { CONVERT };
        return Some(Err(Unreadable { what, help }));
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
    let is_column = whole.first().is_some_and(|line| is_column_header(line.trim_ascii_end()));
    // A table's rule stands in its second line, or behind some lines of a script. Behind a record all may stand inside of a value.
    let plain = whole.iter().skip(usize::from(is_column)).position(|line| begins_plainly(line.trim_ascii_end()));
    let before = &whole[..plain.map_or(whole.len(), |plain| plain + usize::from(is_column))];
    if let Some(unreadable) = before.iter().find_map(|line| table_of_psql(line.trim_ascii_end())) {
        return Some(Err(unreadable));
    }
    if is_column {
        return (whole.len() >= 2 || is_all).then_some(Ok(FileForm::Column));
    }
    if let Some(plain) = plain {
        // The names of the columns stand before the rows.
        let is_header = is_frame(whole[plain].trim_ascii_end()) && whole[plain].contains(&b'\t');
        let row = plain + usize::from(is_header);
        match whole.get(row) {
            Some(line) if is_tab_row(line) => {
                let begin = whole[..row].iter().map(|line| line.len()).sum();
                return tab_form(&text[begin..], is_all).map(|form| form.map_err(|_| TABS));
            }
            None if !is_all => return None,
            _ => {}
        }
    }
    (plain.is_some() || is_all || whole.len() >= 3).then_some(Ok(FileForm::Lines))
}

/// Whether this line is one of test_decoding, a row or a frame of psql, or a value.
fn begins_plainly(line: &[u8]) -> bool {
    begins_line(line)
        || line.starts_with(b"\"")
        || line.starts_with(b"Struct{")
        || RowHead::read(line).is_some()
        || is_frame(line)
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
        && line.iter().all(|byte| matches!(byte, b'-' | b'+' | b'|' | b' '))
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
    fn what_stands_in_values_is_no_table() {
        for value in [
            "Title\n-----\ntext",
            "x\n| a | data |\ny",
            " 0/16B3748 | 5 | data ",
            "x\n lsn | xid | data \n-----+----\n",
        ] {
            let change = format!("table public.posts: INSERT: id[integer]:1 body[text]:'{value}'\n");
            for (begin, head) in
                [("", ""), ("BEGIN 5\n", ""), ("0/1|7|BEGIN 7\n", "0/1|7|"), ("lsn|xid|data\n", "0/1|7|")]
            {
                is(format!("{begin}{head}{change}").as_bytes(), FileForm::Lines);
            }
            is(format!("data\n\"{change}\"\n").as_bytes(), FileForm::Column);
            is(format!("lsn,xid,data\n0/1,7,\"{change}\"\n").as_bytes(), FileForm::Lines);
            is(format!("Struct{{lsn=0/1,data={change}}}\n").as_bytes(), FileForm::Lines);
        }
    }

    #[test]
    fn text_of_another_encoding_is_known_in_all_forms() {
        for (first, head, tail) in [
            ("", "table a.b: INSERT: v[text]:'", "'"),
            ("", "0/1|7|table a.b: INSERT: v[text]:'", "'"),
            ("lsn,xid,data\n", "0/1,7,\"table a.b: INSERT: v[text]:'", ",'\""),
            ("data\n", "\"table a.b: INSERT: v[text]:'", ",'\""),
            ("", "Struct{data=table a.b: INSERT: v[text]:'", "'}"),
            ("", "\"table a.b: INSERT: v[text]:'", "'\""),
            ("", "{\"data\":\"table a.b: INSERT: v[text]:'", "'\"}"),
        ] {
            let record = |word: &[u8]| [head.as_bytes(), word, tail.as_bytes(), b"\n"].concat();
            refused(&[first.as_bytes(), &record(b"caf\xe9"), &record(b"\xe8re")].concat(), "encoding");
            // Bytes in one record, beside UTF-8, or that are no letters.
            for other in ["x", "caf\u{e9}"] {
                let text = [first.as_bytes(), &record(b"caf\xe9"), &record(other.as_bytes())].concat();
                assert!(look(&text, true).is_some_and(|form| form.is_ok()), "{}", String::from_utf8_lossy(&text));
            }
        }
        // A logical message's content is any bytes.
        for head in ["", "0/1|7|", "Struct{data="] {
            let tail = if head.starts_with('S') { "}" } else { "" };
            let message = [
                head.as_bytes(),
                b"message: transactional: 0 prefix: p, sz: 9 content:caf\xe9\nth\xe9\n",
                tail.as_bytes(),
                b"\n",
            ]
            .concat();
            is(&message.repeat(3), FileForm::Lines);
        }
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
        for (head, what) in [
            (&b"BZh91AY&SY"[..], "bzip2"),
            (b"\xFD7zXZ\0", "xz"),
            (b"\x04\x22\x4D\x18", "lz4"),
            (b"LZIP\x01", "lzip"),
            (b"\x1F\x9D\x90", "compress"),
            (b"\xFF\x06\0\0sNaPpY", "snappy"),
            (b"7z\xBC\xAF\x27\x1C", "7z"),
            (b"Rar!\x1A\x07\0", "rar"),
            (b"PK\x03\x04", "zip"),
        ] {
            refused(head, what);
        }
        let mut tar = b"changes.txt".to_vec();
        tar.resize(257, 0);
        refused(&[&tar[..], b"ustar\x0000"].concat(), "tar");
        refused(b"0/5\t7\ttable a.b: INSERT: v[text]:'a\\nb'\n", "COPY");
        // Inside of what is decompressed.
        refused(b"\x1F\x8B\x08\0", "gzip");
        refused(b"\x28\xB5\x2F\xFD....", "zstd");
        refused(b"\xFF\xFEB\0E\0", "UTF-16");
        refused(b"B\0E\0G\0I\0N\0 \x005\0", "UTF-16");
        refused(b"\0B\0E\0G\0I\0N\0 \x005", "UTF-16");
        refused(b"\x7FELF\x02\x01\0\0", "binary");
        refused(include_bytes!("../../../tests/data/inputs/psql_aligned.txt"), "aligned");
        refused(b" 0/E1AC820 | 138168 | BEGIN 138168\n", "aligned");
        refused(b"+-----+\n| lsn |\n", "aligned");
        refused(b"data   \n-------\nBEGIN 5\n", "aligned");
        refused(b"SET\n lsn | data \n-----+------\n", "aligned");
        refused(b"-[ RECORD 1 ]-----\nlsn | 0/1\n", "expanded");
        refused(b"--\n-- PostgreSQL database dump\n--\n", "pg_dump");
        refused(b"table a.b: INSERT: v[text]:'caf\xe9'\ntable a.b: INSERT: v[text]:'\xe8re'\n", "encoding");
    }

    #[test]
    fn a_beginning_that_does_not_decide_waits() {
        for head in ["", "{\n  \"da", "{\"data\":", "lsn|xid|da", " lsn ", "data\n", "\"data\"\n", "rubbish\n"] {
            assert_eq!(look(head.as_bytes(), false), None, "{head:?}");
        }
        for head in [
            "BEGIN 5\n",
            "\"BEGIN 5\"\n",
            "{\"data\":\"BEGIN\"}\n",
            "lsn|xid|data\n",
            "\"lsn\",\"xid\",\"data\"\n",
            "PREPARE TRANSACTION 'x', txid 5\n",
            "ROLLBACK PREPARED 'x', txid 5\n",
            "streaming change for transaction\n",
            "opening a streamed block for transaction\n",
        ] {
            assert_eq!(look(head.as_bytes(), false), Some(Ok(FileForm::Lines)), "{head:?}");
        }
    }
}
