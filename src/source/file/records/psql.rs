//! Rows of `SELECT lsn, xid, data FROM pg_logical_slot_get_changes(…)` as psql prints them: unaligned, or as CSV.
//!
//! Both are a record at a time: the LSN and the transaction's number, either of which may be missing, each with or without quotes
//! of CSV; then the line as it is, or as a field of CSV in quotes. No line of test_decoding begins with an LSN, a number or a quote.
//!
//! | form | example |
//! |---|---|
//! | `psql -At` | `0/E1AC820\|138168\|BEGIN 138168` |
//! | `psql -At -F $'\t'` | the same with tabs |
//! | `psql --csv` of `data` alone | `"table public.ev: INSERT: a[text]:'a,""b""'"` |
//! | `psql --csv`, `COPY … CSV` | `0/E1B0CE8,138168,"table public.ev: INSERT: a[text]:'a,""b""'"` |

use std::borrow::Cow;

use memchr::memmem;

use crate::change::Decoded;

/// Bytes that show whether a record is a row, if no line break comes before.
pub(in crate::source::file) const HEAD_BYTES: usize = 64;

/// Bytes in which a field of CSV must show that it is no JSON string.
const LONGEST_QUOTED: usize = 64 << 10;

/// Where a row says that its line stands; −1 where it does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source::file) struct RowPlace {
    pub(in crate::source::file) lsn: i64,
    pub(in crate::source::file) xid: i64,
}

/// The place of a line alone.
const NOWHERE: RowPlace = RowPlace { lsn: -1, xid: -1 };

impl RowPlace {
    /// Adds to what is known of a change where it stands; its transaction's number, if that is known, stays.
    pub(in crate::source::file) fn placed(self, decoded: Decoded) -> Decoded {
        let known = |number: i64| Some(number).filter(|number| *number >= 0);
        Decoded { lsn: known(self.lsn), xid: decoded.xid.or(known(self.xid)), ..decoded }
    }

    pub(in crate::source::file) fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.lsn.cast_unsigned()) << 64 | u128::from(self.xid.cast_unsigned())).to_le_bytes()
    }

    pub(in crate::source::file) fn from_bytes(bytes: [u8; 16]) -> RowPlace {
        let both = u128::from_le_bytes(bytes);
        RowPlace { lsn: ((both >> 64) as u64).cast_signed(), xid: (both as u64).cast_signed() }
    }
}

/// A row's columns before its line, and how many bytes they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source::file) struct RowHead {
    pub(in crate::source::file) place: RowPlace,
    pub(in crate::source::file) length: usize,
    /// Whether the line is a field of CSV in quotes.
    pub(in crate::source::file) is_quoted: bool,
}

impl RowHead {
    /// The columns before the line that `record` begins with; `None` if it is no row.
    pub(in crate::source::file) fn read(record: &[u8]) -> Option<RowHead> {
        if !record.first()?.is_ascii_hexdigit() && record[0] != b'"' {
            return None;
        }
        let mut place = NOWHERE;
        let (mut length, mut delimiter) = (0, None);
        for _ in 0..2 {
            let rest = &record[length..];
            let Some((column, next)) = column(rest, delimiter) else { break };
            match column {
                Column::Lsn(lsn) if place.lsn < 0 => place.lsn = lsn,
                Column::Number(xid) if place.xid < 0 => place.xid = xid,
                _ => return None,
            }
            delimiter = Some(rest[next - 1]);
            length += next;
        }
        let rest = &record[length..];
        let is_quoted = rest.starts_with(b"\"");
        let is_row = length > 0 && begins_line(rest.strip_prefix(b"\"").unwrap_or(rest));
        is_row.then_some(RowHead { place, length, is_quoted })
    }
}

/// A field of CSV in quotes that is the whole record: a line alone, which a JSON string may look like.
///
/// Without a header that says so it is one only where it cannot be a JSON string: where a line break stands in it, or a quote is doubled.
pub(in crate::source::file) fn quoted_column(record: &[u8], has_header: bool) -> Option<RowHead> {
    let field = record.strip_prefix(b"\"").filter(|field| begins_line(field))?;
    let head = RowHead { place: NOWHERE, length: 0, is_quoted: true };
    if has_header {
        return Some(head);
    }
    let mut rest = field.iter().take(LONGEST_QUOTED).enumerate();
    while let Some((at, byte)) = rest.next() {
        match byte {
            b'\\' => drop(rest.next()),
            b'\n' => return Some(head),
            b'"' => return (field.get(at + 1) == Some(&b'"')).then_some(head),
            _ => {}
        }
    }
    None
}

/// Whether the quote that `text` begins with is closed and the byte behind it is known, or its line ends, or it is too long to matter.
pub(in crate::source::file) fn json_string_ends(text: &[u8]) -> bool {
    let mut rest = text.iter().enumerate().skip(1);
    while let Some((at, byte)) = rest.next() {
        match byte {
            b'\\' => drop(rest.next()),
            b'"' => return at + 1 < text.len(),
            b'\n' => return true,
            _ if at > LONGEST_QUOTED => return true,
            _ => {}
        }
    }
    false
}

/// The line of a row that ends with `record`; its line end is already gone.
pub(in crate::source::file) fn line_of(head: RowHead, record: &[u8]) -> Cow<'_, [u8]> {
    let field = &record[head.length..];
    if !head.is_quoted {
        return Cow::Borrowed(field);
    }
    let field = field.strip_prefix(b"\"").unwrap_or(field);
    let field = field.strip_suffix(b"\"").unwrap_or(field);
    if memmem::find(field, b"\"\"").is_none() {
        return Cow::Borrowed(field);
    }
    let mut line = Vec::with_capacity(field.len());
    let mut begin = 0;
    for doubled in memmem::find_iter(field, b"\"\"") {
        line.extend_from_slice(&field[begin..=doubled]);
        begin = doubled + 2;
    }
    line.extend_from_slice(&field[begin..]);
    Cow::Owned(line)
}

/// Whether this is the line of column names or the count of rows that psql prints around its rows.
pub(in crate::source::file) fn is_frame(text: &[u8]) -> bool {
    if let Some(inner) = text.strip_prefix(b"(").and_then(|rest| rest.strip_suffix(b")")) {
        let digits = inner.iter().take_while(|byte| byte.is_ascii_digit()).count();
        return digits > 0 && inner[digits..].starts_with(b" ") && !inner[digits + 1..].contains(&b' ');
    }
    let mut names = text.split(|byte| b"|\t,;".contains(byte)).map(column_name);
    let known: [&[u8]; 4] = [b"lsn", b"location", b"xid", b"data"];
    let is_known = |name: &[u8]| known.iter().any(|known| name.eq_ignore_ascii_case(known));
    text.len() <= HEAD_BYTES
        && names.clone().all(is_known)
        && names.next_back().is_some_and(|last| last.eq_ignore_ascii_case(b"data"))
}

fn column_name(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name)
}

enum Column {
    Lsn(i64),
    Number(i64),
}

/// The column that bytes begin with, and how many bytes it has with its delimiter, which is one of four or as before.
fn column(bytes: &[u8], delimiter: Option<u8>) -> Option<(Column, usize)> {
    let quotes = usize::from(bytes.first() == Some(&b'"'));
    let text = &bytes[quotes..];
    let number = |digits: &[u8], radix| i64::from_str_radix(str::from_utf8(digits).ok()?, radix).ok();
    let hex = |bytes: &[u8]| bytes.iter().take(9).take_while(|byte| byte.is_ascii_hexdigit()).count();
    let first = hex(text);
    let (column, length) = match text.get(first) {
        Some(b'/') if (1..=8).contains(&first) => {
            let second = hex(&text[first + 1..]);
            let low = number(&text[first + 1..first + 1 + second], 16).filter(|_| second <= 8)?;
            let lsn = number(&text[..first], 16)?.checked_mul(1 << 32)?.checked_add(low)?;
            (Column::Lsn(lsn), first + 1 + second)
        }
        _ => {
            let digits = text.iter().take(19).take_while(|byte| byte.is_ascii_digit()).count();
            (Column::Number(number(&text[..digits], 10)?), digits)
        }
    };
    let rest = text[length..].strip_prefix(&b"\""[..quotes])?;
    let next = *rest.first().filter(|next| b"|\t,;".contains(next))?;
    delimiter.is_none_or(|delimiter| delimiter == next).then_some((column, 2 * quotes + length + 1))
}

/// Whether this begins as a line of test_decoding.
pub(in crate::source::file) fn begins_line(text: &[u8]) -> bool {
    let heads: [&[u8]; 10] = [
        b"table ",
        b"BEGIN",
        b"COMMIT",
        b"message: ",
        b"PREPARE TRANSACTION ",
        b"ROLLBACK PREPARED ",
        b"streaming ",
        b"opening a streamed ",
        b"closing a streamed ",
        b"aborting streamed ",
    ];
    heads.iter().any(|head| text.starts_with(head))
        || text.starts_with(b"committing streamed ")
        || text.starts_with(b"preparing streamed ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(record: &str) -> Option<(i64, i64, String)> {
        let head = RowHead::read(record.as_bytes())?;
        let line = String::from_utf8(line_of(head, record.as_bytes()).into_owned()).expect("UTF-8");
        Some((head.place.lsn, head.place.xid, line))
    }

    #[test]
    fn rows_have_a_place_and_a_line() {
        for (record, lsn, xid, line) in [
            ("0/E1AC820|138168|BEGIN 138168", 0xE1_AC820, 138_168, "BEGIN 138168"),
            ("1/2\t3\ttable a.b: INSERT: v[text]:'x | y'", (1 << 32) | 2, 3, "table a.b: INSERT: v[text]:'x | y'"),
            ("0/5,7,\"table a.b: INSERT: v[text]:'a,\"\"b\"\"'\"", 5, 7, "table a.b: INSERT: v[text]:'a,\"b\"'"),
            ("\"0/5\";\"7\";\"COMMIT 7\"", 5, 7, "COMMIT 7"),
            ("0/5|table a.b: DELETE:", 5, -1, "table a.b: DELETE:"),
            ("7|0/5|message: transactional: 0", 5, 7, "message: transactional: 0"),
            ("7,BEGIN", -1, 7, "BEGIN"),
            ("7FFFFFFF/FFFFFFFF|1|BEGIN", i64::MAX, 1, "BEGIN"),
        ] {
            assert_eq!(read(record), Some((lsn, xid, line.to_owned())), "{record}");
        }
        for record in [
            "",
            "BEGIN 5",
            "COMMIT 5",
            "0/5|7|rubbish",
            "0/5|7,BEGIN",
            "80000000/0|1|BEGIN",
            "0/5|0/6|BEGIN",
            "5|6|BEGIN",
            "0/|5|BEGIN",
            "\"BEGIN 5\"",
            "\"0/5|7|BEGIN",
            "0/123456789|5|BEGIN",
            "0/5 | 7 | BEGIN",
        ] {
            assert_eq!(read(record), None, "{record}");
        }
    }

    #[test]
    fn a_line_in_quotes_is_csv_where_it_cannot_be_json_or_a_header_says_so() {
        let line = |record: &str, has_header| {
            let head = quoted_column(record.as_bytes(), has_header)?;
            Some(String::from_utf8(line_of(head, record.as_bytes()).into_owned()).expect("UTF-8"))
        };
        assert_eq!(
            line("\"table a.b: INSERT: v[text]:'a\nb'\"", false).as_deref(),
            Some("table a.b: INSERT: v[text]:'a\nb'")
        );
        assert_eq!(line("\"table a.\"\"B\"\": DELETE:\"", false).as_deref(), Some("table a.\"B\": DELETE:"));
        let path = "\"table a.b: INSERT: v[text]:'C:\\new, x'\"";
        assert_eq!((line(path, false), line(path, true).as_deref()), (None, Some(&path[1..path.len() - 1])));
        for json in ["\"BEGIN 5\"", "\"table a.\\\"B\\\": DELETE:\"", "\"BEGIN 5\"\n\"COMMIT", "\"rubbish\n\"", "BEGIN"]
        {
            assert_eq!(line(json, false), None, "{json}");
        }
    }

    #[test]
    fn the_lines_around_rows_are_known() {
        for text in [
            "lsn|xid|data",
            "LSN,xid,data",
            "\"lsn\";\"xid\";\"data\"",
            "location\txid\tdata",
            "data",
            "(8 rows)",
            "(1 row)",
            "(8 Zeilen)",
        ] {
            assert!(is_frame(text.as_bytes()), "{text}");
        }
        for text in ["", "lsn|xid", "metadata", "(8)", "(rows)", "(8 rows) x", "lsn|other|data"] {
            assert!(!is_frame(text.as_bytes()), "{text}");
        }
    }
}
