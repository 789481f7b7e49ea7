//! What a record's fields say: the line and its place in the log.

use super::Reject;
use super::envelope::Line;
use crate::change::{Lsn, instant};

/// The text of a string: as it stands in the value, or unescaped in the envelope's scratch buffer.
#[derive(Clone, Copy)]
pub(super) enum Text<'v> {
    Plain(&'v str),
    Scratch,
}

/// The fields of a record that holds a line.
#[derive(Clone, Copy)]
pub(super) struct Fields<'v> {
    pub(super) data: Text<'v>,
    pub(super) place: Place,
}

/// The fields beside the line; each may be absent.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) lsn: Option<Lsn>,
    pub(super) xid: Option<i64>,
    pub(super) commit_lsn: Option<Lsn>,
    pub(super) commit_time: Option<i64>,
    pub(super) seq: Option<i32>,
}

impl Fields<'_> {
    pub(super) fn line<'a>(self, scratch: &'a str) -> Line<'a>
    where
        Self: 'a,
    {
        let text = match self.data {
            Text::Plain(text) => text,
            Text::Scratch => scratch,
        };
        let Place { lsn, xid, commit_lsn, commit_time, seq } = self.place;
        Line { text, lsn, commit_lsn, commit_time, seq, xid }
    }
}

pub(super) fn lsn(field: &'static str, text: &str) -> Result<Lsn, Reject> {
    Lsn::parse(text.as_bytes()).map_err(|_| Reject::Lsn(field))
}

pub(super) fn commit_time(text: &str) -> Result<i64, Reject> {
    instant::parse(text.as_bytes()).ok_or(Reject::CommitTime)
}

/// Reads decimal digits, and nothing else, as a transaction number.
pub(super) fn xid(text: &str) -> Result<i64, Reject> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(Reject::Number("xid"))
}

pub(super) fn seq(number: i64) -> Result<i32, Reject> {
    i32::try_from(number).ok().filter(|seq| *seq >= 0).ok_or(Reject::Number("seq"))
}
