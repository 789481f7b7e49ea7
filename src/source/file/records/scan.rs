//! Where a record ends.
//!
//! A record of test_decoding ends at the first line break outside its quotes (grammar: contrib/test_decoding/test_decoding.c).
//! In names a quote is doubled, in values an apostrophe; nothing else is escaped. An apostrophe opens a value only after `:` or
//! `:B`, a quote opens a name only where a name or a type may stand, and behind a value comes a space or the end: a line that
//! breaks this is no line of test_decoding, or one that was cut short, and ends where the line does. `message.rs` has the rule of
//! logical messages, which state their length.

use memchr::{memchr, memmem};

use super::change_line::{After, ScanState, ScanStep, columns, names, quoted};
use super::message::{Following, MessageEnd, is_message, message_end};
use super::psql;
use super::psql::{RowHead, json_string_ends, quoted_column};
use super::values::ValueScan;
use crate::source::file::form::FileForm;

/// Bytes that show what kind of record it is, if no line break comes before.
const HEAD: usize = "PREPARE TRANSACTION ".len();

/// Finds the ends of records. It resumes where it stopped when more bytes come, so that a long record is scanned once.
#[derive(Default)]
pub(in crate::source::file) struct RecordScanner {
    /// Bytes of the record that were scanned.
    at: usize,
    state: ScanState,
    /// Whether the line stands in a struct that Connect printed: a brace or further fields may follow it.
    in_struct: bool,
    /// Bytes of a printed struct in which neither its line nor a line end was found.
    searched: usize,
    /// The length of the record if no more bytes come.
    settled: Option<usize>,
    /// Of JSON values that are no lines: how far the present one is scanned.
    values: Option<ValueScan>,
    /// Whether CSV's header of one column was read.
    has_header: bool,
    /// Whether a row is one line, in COPY's text form.
    is_copy_text: bool,
    /// Whether it only looks ahead, and stops at a message.
    is_ahead: bool,
}

impl RecordScanner {
    /// The length of the record that `bytes` begin with, its line break included; `None` if it does not end in them: then
    /// the next call needs the same bytes and more, else the bytes after the record.
    pub(in crate::source::file) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        if let Some(value) = &mut self.values {
            let end = value.end(bytes);
            self.settled = value.settled(bytes);
            if end.is_some() {
                self.restart();
            }
            return end;
        }
        loop {
            let step = match self.state {
                ScanState::Begin => self.begin(bytes),
                ScanState::Names => names(bytes, self.at),
                ScanState::Columns => columns(bytes, self.at),
                ScanState::Quoted(quote, after) => quoted(bytes, self.at, quote, after, self.in_struct),
                ScanState::Message => self.message(bytes),
                ScanState::Line => match memchr(b'\n', &bytes[self.at..]) {
                    Some(end) => ScanStep::End(self.at + end + 1),
                    None => ScanStep::More(bytes.len()),
                },
            };
            match step {
                ScanStep::On(state, at) => (self.state, self.at) = (state, at),
                ScanStep::More(at) => {
                    self.at = at;
                    return None;
                }
                ScanStep::End(end) => {
                    self.restart();
                    return Some(end);
                }
                ScanStep::Broken => (self.state, self.at) = (ScanState::Line, 0),
            }
        }
    }

    /// What `bytes` begin with, behind a message.
    fn following(bytes: &[u8]) -> Following {
        let mut scanner = RecordScanner { is_ahead: true, ..RecordScanner::default() };
        match scanner.end(bytes) {
            Some(length) => Following::Record(length),
            None if scanner.state == ScanState::Message => Following::Message,
            None => Following::More,
        }
    }

    /// A scanner of records that are split so.
    pub(in crate::source::file) fn of(form: FileForm) -> RecordScanner {
        let values = (form == FileForm::Values).then(ValueScan::default);
        let (has_header, is_copy_text) = (form == FileForm::Column, form == FileForm::CopyText);
        RecordScanner { values, has_header, is_copy_text, ..RecordScanner::default() }
    }

    /// Begins the next record.
    fn restart(&mut self) {
        (self.at, self.state, self.in_struct, self.searched, self.settled) = (0, ScanState::Begin, false, 0, None);
        if let Some(value) = &mut self.values {
            *value = ValueScan::default();
        }
    }

    /// The length of a record that is whole if no more bytes come; after [`RecordScanner::end`] of the same bytes.
    pub(in crate::source::file) fn settled(&mut self) -> Option<usize> {
        let length = self.settled?;
        self.restart();
        Some(length)
    }

    /// Ends a record that has no end: where it is settled, or at its first line break. A JSON value that is no line is all that is left.
    pub(in crate::source::file) fn give_up(&mut self, bytes: &[u8]) -> usize {
        let settled = self.settled();
        self.restart();
        if self.values.is_some() {
            return settled.unwrap_or(bytes.len());
        }
        settled.unwrap_or_else(|| memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1))
    }

    /// Recognizes the kind of record by its first bytes.
    fn begin(&mut self, bytes: &[u8]) -> ScanStep {
        let text = &bytes[self.at..];
        if text.len() < HEAD && memchr(b'\n', text).is_none() {
            return ScanStep::More(self.at);
        }
        if text.starts_with(b"table ") {
            return ScanStep::On(ScanState::Names, self.at + "table ".len());
        }
        if is_message(text) {
            return ScanStep::On(ScanState::Message, self.at);
        }
        let two_phase: [&[u8]; 3] = [b"PREPARE TRANSACTION ", b"COMMIT PREPARED ", b"ROLLBACK PREPARED "];
        if let Some(head) = two_phase.into_iter().find(|head| text.starts_with(head)) {
            let literal = self.at + head.len();
            // A name with a backslash is printed as E'…', with both doubled.
            let literal = literal + usize::from(bytes.get(literal) == Some(&b'E'));
            return match bytes.get(literal) {
                None => ScanStep::More(self.at),
                Some(b'\'') => ScanStep::On(ScanState::Quoted(b'\'', After::Line), literal + 1),
                Some(_) => ScanStep::Broken,
            };
        }
        if self.at == 0 && text.starts_with(b"Struct{") {
            return self.open_struct(bytes);
        }
        if self.at == 0 && text.first().is_some_and(|first| first.is_ascii_hexdigit() || *first == b'"') {
            return self.open_row(text);
        }
        ScanStep::On(ScanState::Line, self.at)
    }

    /// Moves to the line inside a row of psql, if it is one.
    fn open_row(&self, text: &[u8]) -> ScanStep {
        if self.is_copy_text {
            return ScanStep::On(ScanState::Line, 0);
        }
        match RowHead::read(text).or_else(|| quoted_column(text, self.has_header)) {
            Some(row) if row.is_quoted => ScanStep::On(ScanState::Quoted(b'"', After::Line), row.length + 1),
            Some(row) => ScanStep::On(ScanState::Begin, row.length),
            // A line in quotes is a field of CSV or a JSON string; a doubled quote or a line break shows it.
            None if text.starts_with(b"\"") && !json_string_ends(text) => ScanStep::More(0),
            None if text.len() < psql::HEAD_BYTES && memchr(b'\n', text).is_none() => ScanStep::More(0),
            None => ScanStep::On(ScanState::Line, 0),
        }
    }

    /// Moves to the line inside a printed struct, if its first line has one.
    fn open_struct(&mut self, bytes: &[u8]) -> ScanStep {
        let from = self.searched.saturating_sub("{data=".len());
        let end = memchr(b'\n', &bytes[from..]).map(|end| from + end);
        let head = &bytes[..end.unwrap_or(bytes.len())];
        let mut found = memmem::find_iter(&head[from..], b"data=").map(|at| from + at);
        let data = found.find(|at| matches!(head[at - 1], b'{' | b','));
        match (data, end) {
            (Some(data), _) => {
                self.in_struct = true;
                ScanStep::On(ScanState::Begin, data + b"data=".len())
            }
            (None, Some(_)) => ScanStep::Broken,
            (None, None) => {
                self.searched = bytes.len();
                ScanStep::More(self.at)
            }
        }
    }

    fn message(&mut self, bytes: &[u8]) -> ScanStep {
        if self.is_ahead {
            return ScanStep::More(self.at);
        }
        let text = &bytes[self.at..];
        let line_end = |from: usize| memchr(b'\n', &text[from..]).map(|end| self.at + from + end + 1);
        self.settled = None;
        match message_end(text, self.in_struct, RecordScanner::following) {
            MessageEnd::At(end) => return ScanStep::On(ScanState::Line, self.at + end),
            MessageEnd::Perhaps(end) => self.settled = line_end(end),
            MessageEnd::Unsized => self.settled = line_end(0),
            MessageEnd::More => {}
            MessageEnd::Broken => return ScanStep::Broken,
        }
        ScanStep::More(self.at)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Splits a whole text that arrives in pieces of `piece` bytes.
    fn split(text: &str, piece: usize) -> Vec<&str> {
        let (bytes, mut begin, mut given) = (text.as_bytes(), 0, 0);
        let mut scanner = RecordScanner::default();
        let mut records = Vec::new();
        while begin < bytes.len() {
            let length = match scanner.end(&bytes[begin..given]) {
                Some(length) => length,
                None if given < bytes.len() => {
                    given = (given + piece).min(bytes.len());
                    continue;
                }
                None => scanner.give_up(&bytes[begin..]),
            };
            records.push(&text[begin..begin + length]);
            begin += length;
        }
        records
    }

    pub(in crate::source::file::records) fn check(records: &[&str]) {
        let text = records.concat();
        for piece in [1, 2, 3, 7, 64, text.len()] {
            assert_eq!(split(&text, piece), records, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_record_continues_over_line_breaks_inside_its_quotes() {
        check(&[
            "BEGIN 693\n",
            "table public.t: INSERT: id[integer]:1 v[text]:'one\ntwo' w[text]:null\n",
            "table public.t: INSERT: v[text]:'x\nCOMMIT 5\ntable public.z: DELETE: id[integer]:1'\n",
            "table public.t: UPDATE: old-key: v[text]:'a''\n''' new-tuple: v[text]:'new-tuple: \n'\n",
            "table public.\"new\nline\": DELETE: \"x\n'y\"[integer]:1\n",
            "table \"it's\".\"a\"\"b: INSERT: '\": INSERT: \"it's\n\"[public.\"My]:' Type\"[]]:'{\"a\n\"}' b[bit varying]:B'0101'\n",
            "table public.t: DELETE: (no-tuple-data)\n",
            "table public.t: INSERT:\n",
            "table public.t: INSERT: a[text]:'''\n'' \"' b[\"char\"]:'\"' c[text]:'\"'\n",
            "table public.t, public.\"a, \nb\": TRUNCATE: restart_seqs cascade\n",
            "message: transactional: 1 prefix: p, sz: 11 content:a\nCOMMIT 7\n\n",
            "message: transactional: 0 prefix: x, sz: 3 content:y, sz: 2 content:'\n\n",
            "message: transactional: 1 prefix: a\nCOMMIT 7\ntable a.b: DELETE:\nb, sz: 4 content:a\n\nb\n",
            "message: transactional: 0 prefix: p, sz: 1 content:x\ntable a.b: DELETE: id[integer]:1, sz: 2 content:ab\n",
            "message: transactional: 1 prefix: p, sz: 1 content:x\nBEGIN 5\ntable a.b: DELETE:\n, sz: 2 content:ab\n",
            "message: transactional: 1 prefix: BEGIN 7\ntable a.b: DELETE:\nCOMMIT 7, sz: 2 content:ab\n",
            "message: transactional: 1 prefix: BEGIN 7\n, sz: 0 content:\n",
            "message: transactional: 0 prefix: p, sz: 1 content:y\n{\"data\":\"table a.b: DELETE:\"}\n, sz: 0 content:\n",
            "message: transactional: 1 prefix: , sz: 9 content:, sz: 3 content:x\ny\n",
            "message: transactional: 0 prefix: p, sz: 0 content:\n",
            "table public.t: INSERT: v[text]:', sz: 1 content:x\n'\n",
            "streaming message: transactional: 1 prefix: p\nq, sz: 4\n",
            "\"table a.b: INSERT: v[text]:'\ntable a.b: DELETE:'\"\n",
            "\"table a.\"\"B\"\": INSERT: v[text]:'\ntable a.b: DELETE:'\"\n",
            "\"table a.\\\"B\\\": DELETE:\"\n",
            "0/5,7,\"table a.b: INSERT: v[text]:'a,\"\"\n'\"\n",
            "0/5|7|table a.b: INSERT: v[text]:'a\n0/6|7|BEGIN'\n",
            "streaming message: transactional: 0 prefix: p, sz: 4 content:a\nbc\n",
            "PREPARE TRANSACTION 'a''\nb', txid 5\n",
            "COMMIT PREPARED E'a\\\\\n'''\n",
            "Struct{lsn=0/1,data=table public.t: INSERT: v[text]:'x}\nBEGIN'}\n",
            "Struct{data=table public.t: INSERT: v[text]:'x\n',xid=5}\n",
            "{\"data\":\"table public.t: INSERT: v[text]:'\"}\n",
            "\n",
            "COMMIT 693 (at 2017-05-10 12:07:21.272494-04)\n",
        ]);
    }

    #[test]
    fn a_broken_line_ends_where_the_line_does() {
        check(&[
            "table of contents: it's here\n",
            "table public.t: MERGE: v[text]:'\n",
            "table public.t'\n",
            "table \"public.t: INSERT: v[text]:'a'\n",
            "rubbish with 'quotes\n",
            "Struct{name='\n",
            "message: transactional: 1 prefix: p, sz: 99999999999 content:\n",
            "message: hello\n",
            "PREPARE TRANSACTION one\n",
            // Cut short: what follows it is whole.
            "table public.t: INSERT: v[text]:'cut sBEGIN 5\n",
            "table public.t: INSERT: v[text]:'x'\n",
            "COMMIT 5\n",
            "table public.t: INSERT: v[text]:'never closed\n",
            "no line end",
        ]);
    }

    #[test]
    fn a_long_value_takes_linear_time() {
        let mut text = "table public.t: INSERT: v[text]:'".to_owned();
        text.push_str(&"''\n".repeat(1 << 20));
        text.push_str("'\n");
        assert_eq!(split(&text, 4096).len(), 1);
    }
}
