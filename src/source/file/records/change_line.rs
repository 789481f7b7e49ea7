//! The steps of a scan through the line of a change: names, columns, and what stands in quotes.

use memchr::{memchr, memchr3};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ScanState {
    /// Before the first byte.
    #[default]
    Begin,
    /// In the names before the operation.
    Names,
    /// Among the columns.
    Columns,
    /// Inside quotes, and what comes after them.
    Quoted(u8, After),
    /// In a logical message, which begins here.
    Message,
    /// To the end of the line.
    Line,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Names,
    Columns,
    Line,
}

/// The result of a step of the scan.
pub(super) enum ScanStep {
    /// Continue with this state at this byte.
    On(ScanState, usize),
    /// The record ends before this byte.
    End(usize),
    /// More bytes are needed.
    More(usize),
    /// It is no line of test_decoding.
    Broken,
}

/// In `schema.table: ` or `schema.table, schema.table: `, up to the operation.
pub(super) fn names(bytes: &[u8], at: usize) -> ScanStep {
    const LONGEST: usize = ": TRUNCATE:".len();
    let Some(special) = bytes[at..].iter().position(|byte| matches!(byte, b'"' | b':' | b'\n' | b'\'')) else {
        return ScanStep::More(bytes.len());
    };
    let at = at + special;
    match bytes[at] {
        b'"' if matches!(bytes[at - 1], b' ' | b'.') => ScanStep::On(ScanState::Quoted(b'"', After::Names), at + 1),
        b'\n' => ScanStep::End(at + 1),
        b':' => {
            let rest = &bytes[at..];
            let row: [&[u8]; 3] = [b": INSERT:", b": UPDATE:", b": DELETE:"];
            if row.iter().any(|operation| rest.starts_with(operation)) {
                return ScanStep::On(ScanState::Columns, at + row[0].len());
            }
            if rest.starts_with(b": TRUNCATE:") {
                return ScanStep::On(ScanState::Line, at);
            }
            if rest.len() < LONGEST && memchr(b'\n', rest).is_none() { ScanStep::More(at) } else { ScanStep::Broken }
        }
        _ => ScanStep::Broken,
    }
}

/// Among ` name[type]:value`, outside quotes.
pub(super) fn columns(bytes: &[u8], at: usize) -> ScanStep {
    let Some(special) = memchr3(b'\'', b'"', b'\n', &bytes[at..]) else { return ScanStep::More(bytes.len()) };
    let at = at + special;
    let before = &bytes[..at];
    match bytes[at] {
        b'\n' => ScanStep::End(at + 1),
        b'\'' if before.ends_with(b":") || before.ends_with(b":B") => {
            ScanStep::On(ScanState::Quoted(b'\'', After::Columns), at + 1)
        }
        b'"' if before.ends_with(b" ") || before.ends_with(b"[") || before.ends_with(b".") => {
            ScanStep::On(ScanState::Quoted(b'"', After::Columns), at + 1)
        }
        _ => ScanStep::Broken,
    }
}

/// Inside quotes; a doubled one does not close them.
pub(super) fn quoted(bytes: &[u8], mut at: usize, quote: u8, after: After, in_struct: bool) -> ScanStep {
    loop {
        let Some(found) = memchr(quote, &bytes[at..]) else { return ScanStep::More(bytes.len()) };
        let close = at + found;
        return match bytes.get(close + 1) {
            // Whether it is doubled is not known yet.
            None => ScanStep::More(close),
            Some(next) if *next == quote => {
                at = close + 2;
                continue;
            }
            Some(next) => match after {
                After::Names => ScanStep::On(ScanState::Names, close + 1),
                After::Line => ScanStep::On(ScanState::Line, close + 1),
                // Behind a quoted name comes its type, or more of the type.
                After::Columns if quote == b'"' => ScanStep::On(ScanState::Columns, close + 1),
                After::Columns
                    if matches!(next, b' ' | b'\n' | b'\r') || (in_struct && matches!(next, b'}' | b',')) =>
                {
                    ScanStep::On(ScanState::Columns, close + 1)
                }
                After::Columns => ScanStep::Broken,
            },
        };
    }
}
