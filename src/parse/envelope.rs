//! Which shape a record's value has, and the line inside.

use super::fields::{Fields, Text};
use super::prefix::Prefixes;
use super::{Reject, connect_struct, json, scan};
use crate::change::{Decoded, Lsn};

/// Grows when the same bytes would give other rows.
pub const PARSER_VERSION: u32 = 1;

/// What a value holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// A line of test_decoding, not yet read.
    Line(Line<'a>),
    /// No change: a tombstone, a heartbeat.
    Marker,
}

impl<'a> Content<'a> {
    /// The content of a value that a source has opened itself: a bare line, or a tombstone.
    ///
    /// # Errors
    /// A [`Reject`] for a value that is no text, for a place that cannot be, and for a transaction that breaks off.
    pub(super) fn decoded(value: Option<&'a [u8]>, decoded: &Decoded) -> Result<Content<'a>, Reject> {
        let Some(value) = value else { return Ok(Content::Marker) };
        let text = str::from_utf8(value).map_err(|_| Reject::NotUtf8)?;
        let Decoded { lsn, commit_lsn, seq, xid, commit_time, unfinished } = *decoded;
        if unfinished {
            return Err(Reject::Unfinished);
        }
        let as_lsn = |name, lsn: Option<i64>| match lsn {
            None => Ok(None),
            Some(number) => Lsn::from_i64(number).map(Some).ok_or(Reject::Lsn(name)),
        };
        let (lsn, commit_lsn) = (as_lsn("lsn", lsn)?, as_lsn("commit_lsn", commit_lsn)?);
        Ok(Content::Line(Line { text, lsn, commit_lsn, commit_time, seq, xid }))
    }
}

/// A line of test_decoding, and what the envelope says of its place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The line itself, unescaped.
    pub text: &'a str,
    /// Where the change stands.
    pub lsn: Option<Lsn>,
    /// Where its transaction ends.
    pub commit_lsn: Option<Lsn>,
    /// When it was committed, in microseconds since 1970-01-01 UTC; within the years 0001 to 9999.
    pub commit_time: Option<i64>,
    /// The place of the change in its transaction; not negative.
    pub seq: Option<i32>,
    /// The transaction's number; not negative.
    pub xid: Option<i64>,
}

/// Opens values; remembers only what makes the next one faster.
#[derive(Debug, Default)]
pub struct Envelope {
    /// The line last unescaped.
    scratch: String,
    /// How Connect's records begin.
    prefixes: Prefixes,
}

impl Envelope {
    /// A buffer that one large line made grow beyond this is given back.
    const LARGEST_SCRATCH: usize = 1 << 20;

    /// An envelope that has seen nothing.
    pub fn new() -> Envelope {
        Envelope::default()
    }

    /// Tells what the value of a record of `topic` holds. The line borrows the value, or this envelope where it had to be unescaped.
    ///
    /// A value that begins with `Struct{` is a struct printed without escapes. Its line begins after the first `data=` that
    /// follows the brace or a comma, and ends before the last brace; fields that walbook knows (`lsn`, `xid`, `commit_lsn`,
    /// `commit_time`, `seq`) may stand before it and, with values free of quotes, after it.
    ///
    /// # Errors
    /// A [`Reject`] for every value that is neither a line in one of the shapes nor a marker; a field beside the line with a value
    /// that it cannot have makes the whole record a reject. So does `"data":null`: no source of lines writes it, and a marker would hide a change.
    pub fn open<'a>(&'a mut self, topic: &str, value: Option<&'a [u8]>) -> Result<Content<'a>, Reject> {
        let Some(value) = value else { return Ok(Content::Marker) };
        if self.scratch.capacity() > Envelope::LARGEST_SCRATCH {
            self.scratch = String::new();
        }
        let fields = match self.scan(value) {
            Some(fields) => fields,
            None => match self.read(topic, value)? {
                Some(fields) => fields,
                None => return Ok(Content::Marker),
            },
        };
        Ok(Content::Line(fields.line(&self.scratch)))
    }

    /// The fast path; `None` if the value is not for it.
    fn scan<'v>(&mut self, value: &'v [u8]) -> Option<Fields<'v>> {
        if *value.first()? != b'{' {
            return None;
        }
        let prefix = self.prefixes.matching(value);
        // What was learned is UTF-8 and ends with a colon, so the rest is checked alone.
        let text = str::from_utf8(&value[prefix..]).ok()?;
        scan::flat_object(text, usize::from(prefix > 0), &mut self.scratch)
    }

    fn read<'v>(&mut self, topic: &str, value: &'v [u8]) -> Result<Option<Fields<'v>>, Reject> {
        match value {
            [] => return Err(Reject::Empty),
            // The framing is a zero byte and four bytes of a schema's number.
            [0, _, _, _, _, ..] => return Err(Reject::SchemaRegistry),
            _ => {}
        }
        let text = str::from_utf8(value).map_err(|_| Reject::NotUtf8)?;
        if text.trim_start_matches(json::SPACE).starts_with('{') {
            let fields = json::read(topic, text, &mut self.scratch)?;
            if fields.is_some() {
                self.prefixes.learn(text);
            }
            return Ok(fields);
        }
        // A producer that takes its input by lines may leave the line's end; no line of test_decoding ends with one.
        let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        if line.starts_with("Struct{") {
            return connect_struct::read(line).map(Some);
        }
        Ok(Some(Fields { data: Text::Plain(line), place: Default::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoded_line_is_taken_as_it_stands() {
        let decoded = Decoded {
            lsn: Some(1),
            commit_lsn: Some(2),
            seq: Some(3),
            xid: Some(4),
            commit_time: Some(5),
            unfinished: false,
        };
        // Not opened: test_decoding could print this nowhere, but the source says that it did.
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
        assert_eq!(Content::decoded(Some(b"BEGIN"), &negative), Err(Reject::Lsn("commit_lsn")));
    }
}
