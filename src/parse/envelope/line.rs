//! A line of test_decoding with its position in the log: what an envelope yields.

use super::fields::{Fields, LinePosition, SideField, Text, UnreadableFields};
use crate::change::{Decoded, Lsn};
use crate::parse::Reject;

/// What a value holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// A line of test_decoding, not yet read.
    Line(EnvelopeLine<'a>),
    /// No change: a tombstone, a heartbeat.
    Marker,
}

impl<'a> Content<'a> {
    /// The content of a value that a source has opened itself: a bare line, or a tombstone.
    ///
    /// # Errors
    /// A [`Reject`] for a value that is not text, and for a transaction without COMMIT.
    pub(in crate::parse) fn decoded(value: Option<&'a [u8]>, decoded: &Decoded) -> Result<Content<'a>, Reject> {
        let Some(value) = value else { return Ok(Content::Marker) };
        let text = str::from_utf8(value).map_err(|_| Reject::NotUtf8)?;
        let Decoded { lsn, commit_lsn, seq, xid, commit_time, unfinished } = *decoded;
        if unfinished {
            return Err(Reject::Unfinished);
        }
        let mut unreadable = UnreadableFields::default();
        let mut as_lsn = |field, number: Option<i64>| {
            let lsn = number.and_then(Lsn::from_i64);
            unreadable.note(field, lsn.is_some() || number.is_none());
            lsn
        };
        let (lsn, commit_lsn) = (as_lsn(SideField::Lsn, lsn), as_lsn(SideField::CommitLsn, commit_lsn));
        Ok(Content::Line(EnvelopeLine { text, lsn, commit_lsn, commit_time, seq, xid, unreadable }))
    }
}

/// A line of test_decoding, and its position in the log as the envelope has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvelopeLine<'a> {
    /// The line itself, unescaped.
    pub text: &'a str,
    /// Where the change stands.
    pub lsn: Option<Lsn>,
    /// Where its transaction ends.
    pub commit_lsn: Option<Lsn>,
    /// When it was committed, in microseconds since 1970-01-01 UTC; within the years 0001 to 9999.
    pub commit_time: Option<i64>,
    /// The number of the change in its transaction; not negative.
    pub seq: Option<i32>,
    /// The transaction's number; not negative.
    pub xid: Option<i64>,
    /// The fields of these that are there and could not be read.
    pub unreadable: UnreadableFields,
}

impl<'a> EnvelopeLine<'a> {
    /// The line of these fields; `scratch` holds it where it was unescaped.
    pub(in crate::parse) fn new(fields: Fields<'a>, scratch: &'a str) -> EnvelopeLine<'a> {
        let text = match fields.data {
            Text::Plain(text) => text,
            Text::Scratch => scratch,
        };
        let LinePosition { lsn, xid, commit_lsn, commit_time, seq, unreadable } = fields.position;
        EnvelopeLine { text, lsn, commit_lsn, commit_time, seq, xid, unreadable }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoded_line_is_not_opened() {
        let decoded = Decoded {
            lsn: Some(1),
            commit_lsn: Some(2),
            seq: Some(3),
            xid: Some(4),
            commit_time: Some(5),
            unfinished: false,
        };
        // It looks like an envelope, but the source has already read the line.
        let text = r#"{"data":"BEGIN"}"#;
        let Ok(Content::Line(line)) = Content::decoded(Some(text.as_bytes()), &decoded) else {
            panic!("a line");
        };
        assert_eq!((line.text, line.seq, line.xid, line.commit_time), (text, Some(3), Some(4), Some(5)));
        assert_eq!((line.lsn.map(Lsn::as_i64), line.commit_lsn.map(Lsn::as_i64)), (Some(1), Some(2)));
        assert_eq!(Content::decoded(None, &decoded), Ok(Content::Marker));
        assert_eq!(Content::decoded(Some(b"\xff"), &decoded), Err(Reject::NotUtf8));
        let unfinished = Decoded { unfinished: true, ..decoded };
        assert_eq!(Content::decoded(Some(b"BEGIN"), &unfinished), Err(Reject::Unfinished));
        let negative = Decoded { commit_lsn: Some(-1), ..decoded };
        let Ok(Content::Line(line)) = Content::decoded(Some(b"BEGIN"), &negative) else { panic!("a line") };
        assert_eq!((line.commit_lsn, line.unreadable.count()), (None, 1));
    }
}
