//! The fields of a record that holds a line: the line and its position in the log.

use super::line::EnvelopeLine;
use crate::change::{Lsn, instant};
use crate::parse::Reject;

/// The text of a string: as it stands in the value, or unescaped in the envelope's scratch buffer.
#[derive(Clone, Copy)]
pub(in crate::parse) enum Text<'v> {
    Plain(&'v str),
    Scratch,
}

/// The fields of a record that holds a line.
#[derive(Clone, Copy)]
pub(in crate::parse) struct Fields<'v> {
    pub(in crate::parse) data: Text<'v>,
    pub(in crate::parse) position: LinePosition,
}

/// The fields beside the line; each may be absent.
#[derive(Clone, Copy, Default)]
pub(in crate::parse) struct LinePosition {
    pub(in crate::parse) lsn: Option<Lsn>,
    pub(in crate::parse) xid: Option<i64>,
    pub(in crate::parse) commit_lsn: Option<Lsn>,
    pub(in crate::parse) commit_time: Option<i64>,
    pub(in crate::parse) seq: Option<i32>,
}

impl Fields<'_> {
    pub(in crate::parse) fn line<'a>(self, scratch: &'a str) -> EnvelopeLine<'a>
    where
        Self: 'a,
    {
        let text = match self.data {
            Text::Plain(text) => text,
            Text::Scratch => scratch,
        };
        let LinePosition { lsn, xid, commit_lsn, commit_time, seq } = self.position;
        EnvelopeLine { text, lsn, commit_lsn, commit_time, seq, xid }
    }
}

pub(in crate::parse) fn lsn(field: &'static str, text: &str) -> Result<Lsn, Reject> {
    Lsn::parse(text.as_bytes()).map_err(|_| Reject::Lsn(field))
}

pub(in crate::parse) fn commit_time(text: &str) -> Result<i64, Reject> {
    instant::parse(text.as_bytes()).ok_or(Reject::CommitTime)
}

/// Reads decimal digits, and nothing else, as a transaction number.
pub(in crate::parse) fn xid(text: &str) -> Result<i64, Reject> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(Reject::Number("xid"))
}

pub(in crate::parse) fn seq(number: i64) -> Result<i32, Reject> {
    i32::try_from(number).ok().filter(|seq| *seq >= 0).ok_or(Reject::Number("seq"))
}
