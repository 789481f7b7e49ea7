//! What must hold of any bytes as an input; only for the fuzz targets.

use super::form::FileForm;
use super::look::look;
use super::psql::{RowHead, line_of};
use super::scan::RecordScanner;

/// Scans bytes that arrive at once and in two parts: the records must be the same.
pub fn fuzz_records(bytes: &[u8]) {
    let Some((split, bytes)) = bytes.split_first() else { return };
    let split = bytes.len() * usize::from(*split) / 255;
    let form = match look(bytes, true) {
        Some(Ok(form)) => form,
        _ => FileForm::Lines,
    };
    let lengths = |parts: &[&[u8]]| {
        let (mut scanner, mut begin, mut lengths) = (RecordScanner::of(form), 0, Vec::new());
        for part in parts {
            while let Some(length) = scanner.end(&part[begin..]) {
                assert!(length > 0 && begin + length <= part.len(), "a record of {length} bytes");
                let record = &part[begin..begin + length];
                if let Some(row) = RowHead::read(record) {
                    assert!(line_of(row, record).len() <= length, "a line of a row of {length} bytes");
                }
                lengths.push(length);
                begin += length;
            }
        }
        lengths
    };
    assert_eq!(lengths(&[bytes]), lengths(&[&bytes[..split], bytes]));
}
