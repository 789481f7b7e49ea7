//! The value of a record: JSON, written without parsing the line and without an allocation per record.

use std::io::Write;

use chrono::{DateTime, Datelike, Timelike};

use crate::change::Lsn;
use crate::replication::Transaction;

/// Writes record after record into one buffer.
#[derive(Debug, Default)]
pub struct RecordWriter {
    /// The text between LSN and `seq`, the same in all records of a transaction.
    middle: Vec<u8>,
    value: Vec<u8>,
}

/// How many bytes are searched together for one that must be escaped.
const STRIDE: usize = 32;

impl RecordWriter {
    /// A buffer that has grown beyond this is freed.
    const MAX_KEPT_BYTES: usize = 1 << 20;

    /// Begins the records of a transaction.
    pub fn begin(&mut self, transaction: &Transaction) {
        self.begin_with(transaction.xid, transaction.commit_lsn, transaction.commit_time);
    }

    /// Begins the records of the transaction `xid` that was committed at `commit_lsn`, `commit_time` microseconds after 1970 UTC.
    pub fn begin_with(&mut self, xid: i64, commit_lsn: Lsn, commit_time: i64) {
        let time = DateTime::from_timestamp_micros(commit_time).expect("within the years 0001 to 9999");
        let (date, hour, minute, second) = (time.date_naive(), time.hour(), time.minute(), time.second());
        let micros = time.timestamp_subsec_micros();
        self.middle.clear();
        // Field by field: a pattern that is parsed for each transaction costs more than its records.
        write!(
            self.middle,
            r#"","xid":{xid},"commit_lsn":"{commit_lsn}","commit_time":"{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z","seq":"#,
            date.year(),
            date.month(),
            date.day()
        )
        .expect("writing to a buffer cannot fail");
    }

    /// The value of the transaction's change number `seq` at `lsn`.
    ///
    /// A line that is not UTF-8 keeps its bytes: the record is then no valid JSON, but nothing is lost.
    pub fn record(&mut self, lsn: Lsn, seq: u64, line: &[u8]) -> &[u8] {
        if self.value.capacity() > RecordWriter::MAX_KEPT_BYTES {
            self.value = Vec::new();
        }
        self.value.clear();
        self.value.extend_from_slice(br#"{"lsn":""#);
        write_lsn(&mut self.value, lsn);
        self.value.extend_from_slice(&self.middle);
        write_number(&mut self.value, seq);
        self.value.extend_from_slice(br#","data":""#);
        escape(&mut self.value, line);
        self.value.extend_from_slice(br#""}"#);
        &self.value
    }
}

fn write_number(out: &mut Vec<u8>, number: u64) {
    let (mut digits, mut rest, mut at) = ([0; 20], number, 20);
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn write_lsn(out: &mut Vec<u8>, lsn: Lsn) {
    let number = lsn.as_i64();
    write_hexadecimal(out, number >> 32);
    out.push(b'/');
    write_hexadecimal(out, number & 0xFFFF_FFFF);
}

fn write_hexadecimal(out: &mut Vec<u8>, number: i64) {
    let (mut digits, mut rest, mut at) = ([0; 16], number, 16);
    loop {
        at -= 1;
        digits[at] = b"0123456789ABCDEF"[usize::try_from(rest & 15).expect("a digit")];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Whether a byte cannot stand in a JSON string as it is.
fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Writes `text` as the inside of a JSON string; runs of ordinary bytes are copied together.
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while !rest.is_empty() {
        let ordinary = ordinary(rest);
        out.extend_from_slice(&rest[..ordinary]);
        let Some(byte) = rest.get(ordinary) else { return };
        match byte {
            b'"' => out.extend_from_slice(br#"\""#),
            b'\\' => out.extend_from_slice(br"\\"),
            b'\n' => out.extend_from_slice(br"\n"),
            b'\r' => out.extend_from_slice(br"\r"),
            b'\t' => out.extend_from_slice(br"\t"),
            byte => write!(out, "\\u{byte:04x}").expect("writing to a buffer cannot fail"),
        }
        rest = &rest[ordinary + 1..];
    }
}

/// How many bytes from the beginning need no escape.
fn ordinary(text: &[u8]) -> usize {
    let mut strides = text.chunks_exact(STRIDE);
    // Without a branch for each byte, so that the compiler vectorizes it.
    let plain = strides.by_ref().take_while(|stride| !stride.iter().fold(false, |any, byte| any | is_special(*byte)));
    let whole = plain.count() * STRIDE;
    whole + text[whole..].iter().take_while(|byte| !is_special(**byte)).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parse::{Content, Envelope};

    fn lsn(number: i64) -> Lsn {
        Lsn::from_i64(number).expect("an LSN")
    }

    #[test]
    fn a_record_has_the_contracts_form() {
        let mut writer = RecordWriter::default();
        writer.begin_with(736, lsn(0x16B_2F00), 1_795_350_896_000_000);
        let value = writer.record(lsn(0x16B_2E58), 3, b"table public.t: INSERT: id[integer]:1 t[text]:'a\"b\\\n\x01'");
        assert_eq!(
            std::str::from_utf8(value).expect("UTF-8"),
            r#"{"lsn":"0/16B2E58","xid":736,"commit_lsn":"0/16B2F00","commit_time":"2026-11-22T12:34:56.000000Z","seq":3,"data":"table public.t: INSERT: id[integer]:1 t[text]:'a\"b\\\n\u0001'"}"#
        );
    }

    #[test]
    fn a_line_that_is_not_utf_8_keeps_its_bytes() {
        let mut writer = RecordWriter::default();
        writer.begin_with(1, lsn(2), 0);
        let value = writer.record(lsn(1), 0, b"table a.b: \xff\xfe\"");
        assert!(value.ends_with(b"\"data\":\"table a.b: \xff\xfe\\\"\"}"), "{value:?}");
    }

    proptest! {
        #[test]
        fn a_record_reads_as_what_was_written(
            line in "(?s)([^\u{0}]|[\"\\\\\u{1}-\u{1f}\u{7f}\u{2028}]){0,200}",
            numbers in (0..i64::MAX, 0..i64::MAX, 0..i64::from(u32::MAX), 0..i32::MAX),
            // From the beginning of year 1 to the end of year 9999.
            time in -62_135_596_800_000_000_i64..253_402_300_799_999_999,
        ) {
            let (at, commit, xid, seq) = numbers;
            let mut writer = RecordWriter::default();
            writer.begin_with(xid, lsn(commit), time);
            let value = writer.record(lsn(at), u64::try_from(seq).expect("not negative"), line.as_bytes()).to_vec();

            let json: serde_json::Value = serde_json::from_slice(&value).expect("JSON");
            prop_assert_eq!(json["data"].as_str(), Some(line.as_str()));
            prop_assert_eq!(json["xid"].as_i64(), Some(xid));
            let mut envelope = Envelope::new();
            let content = envelope.open("t", Some(&value)).expect("a record that can be read");
            let Content::Line(read) = content else { panic!("no line: {content:?}") };
            prop_assert_eq!(read.text, line.as_str());
            prop_assert_eq!((read.lsn, read.commit_lsn), (Some(lsn(at)), Some(lsn(commit))));
            prop_assert_eq!((read.commit_time, read.seq, read.xid), (Some(time), Some(seq), Some(xid)));
        }
    }
}
