//! Rejects as text: the columns of a printed reject.

use std::io::{self, Write};

use super::reject_rows::{RejectRow, RejectsPage};
use crate::book::rfc3339;
use crate::query::print::{AnswerHead, FieldValue, Format, print};

/// The columns of a table for people, which shows the beginning of each value.
const TABLE_COLUMNS: [&str; 6] = ["topic", "partition", "offset", "kafka_time", "reason", "value"];
/// The columns for programs.
const ALL_COLUMNS: [&str; 11] = [
    "topic",
    "partition",
    "offset",
    "kafka_time",
    "reason",
    "key",
    "key_base64",
    "value",
    "value_base64",
    "headers",
    "headers_base64",
];

impl RejectsPage {
    /// Writes the page. As CSV and JSON keys, values and headers are whole: as text, in which invalid UTF-8 is replaced, and in
    /// base64.
    ///
    /// # Errors
    /// The errors of `out`.
    pub fn print(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let RejectsPage { complete_to, time_zone, rejects, rows, keys, has_more } = self;
        let next = keys.last().filter(|_| *has_more).map(ToString::to_string);
        let head = AnswerHead {
            complete_to,
            time_zone,
            rejects: *rejects,
            bad_values: None,
            next: next.as_deref(),
            columns: None,
        };
        let columns: &[&str] = if format == Format::Table { &TABLE_COLUMNS } else { &ALL_COLUMNS };
        print(format, out, head, columns, rows.len(), &|row, values| match format {
            Format::Table => rows[row].beginning(values),
            Format::Csv | Format::Json => rows[row].values(values),
        })
    }
}

impl RejectRow {
    fn place<'a>(&'a self, values: &mut Vec<FieldValue<'a>>) {
        values.extend([
            self.topic.as_str().into(),
            FieldValue::Number(self.partition.into()),
            FieldValue::Number(self.offset),
            self.kafka_time.map_or(FieldValue::Null, |micros| rfc3339(micros).into()),
            self.reason.as_str().into(),
        ]);
    }

    fn beginning<'a>(&'a self, values: &mut Vec<FieldValue<'a>>) {
        self.place(values);
        values.push(text(&self.value));
    }

    fn values<'a>(&'a self, values: &mut Vec<FieldValue<'a>>) {
        self.place(values);
        for bytes in [&self.key, &self.value, &self.headers] {
            let exact = bytes.as_ref().map_or(FieldValue::Null, |bytes| base64(bytes).into());
            values.extend([text(bytes), exact]);
        }
    }
}

/// Bytes as text; invalid UTF-8 is replaced.
fn text(bytes: &Option<Vec<u8>>) -> FieldValue<'_> {
    bytes.as_ref().map_or(FieldValue::Null, |bytes| FieldValue::Text(String::from_utf8_lossy(bytes)))
}

/// Bytes in base64 (RFC 4648).
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let all = chunk.iter().fold(0u32, |all, byte| all << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let letter = if index > chunk.len() { b'=' } else { LETTERS[(all >> (18 - 6 * index)) as usize % 64] };
            text.push(letter.into());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[255, 254, 0]), "//4A");
    }
}
