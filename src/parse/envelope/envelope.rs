//! From a record's value, in any of its shapes, to the line inside.

use super::fields::{Fields, Text};
use super::line::{Content, EnvelopeLine};
use super::prefix::Prefixes;
use super::skip::SPACE;
use super::{connect_struct, json, scan};
use crate::parse::Reject;

/// To be increased when the same bytes would give other rows.
pub const PARSER_VERSION: u32 = 2;

/// How lines of logical messages begin.
const MESSAGE_HEADS: [&[u8]; 4] = [
    b"message: transactional: 0 prefix: ",
    b"message: transactional: 1 prefix: ",
    b"streaming message: transactional: 0 prefix: ",
    b"streaming message: transactional: 1 prefix: ",
];

/// Opens values; what it keeps from one value to the next only saves time.
#[derive(Debug, Default)]
pub struct Envelope {
    /// The line last unescaped.
    scratch: String,
    /// How Connect's records begin.
    prefixes: Prefixes,
}

impl Envelope {
    /// A buffer that grew beyond this for one large line is freed.
    const LARGEST_SCRATCH: usize = 1 << 20;

    /// An envelope with empty buffers.
    pub fn new() -> Envelope {
        Envelope::default()
    }

    /// The content of a value of `topic`. The line borrows the value, or this envelope where it had to be unescaped.
    ///
    /// A value that begins with `Struct{` is a struct printed without escapes. Its line begins after the first `data=` that
    /// follows the brace or a comma, and ends before the last brace; fields that walbook knows (`lsn`, `xid`, `commit_lsn`,
    /// `commit_time`, `seq`) may stand before it and, with values free of quotes, after it.
    ///
    /// # Errors
    /// A [`Reject`] for every value that is neither a line in one of the shapes nor a marker. `"data":null` is a reject: no source
    /// of lines writes it, and a marker would hide a change. A field beside the line that cannot be read is absent and counted
    /// ([`EnvelopeLine::unreadable`](super::EnvelopeLine::unreadable)).
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
        Ok(Content::Line(EnvelopeLine::new(fields, &self.scratch)))
    }

    /// The fast path; `None` if the value is not for it.
    fn scan<'v>(&mut self, value: &'v [u8]) -> Option<Fields<'v>> {
        match value.first()? {
            b'{' => {}
            b'"' => {
                let text = str::from_utf8(value).ok()?;
                return scan::string(text, &mut self.scratch).map(Fields::bare);
            }
            _ => return None,
        }
        let (prefix, time_form) = self.prefixes.matching(value);
        // A learned prefix is UTF-8 and ends with a colon, so only the rest needs a check.
        let text = str::from_utf8(&value[prefix..]).ok()?;
        scan::flat_object(text, usize::from(prefix > 0), time_form, &mut self.scratch)
    }

    fn read<'v>(&mut self, topic: &str, value: &'v [u8]) -> Result<Option<Fields<'v>>, Reject> {
        match value {
            [] => return Err(Reject::Empty),
            // The framing is a zero byte and four bytes of a schema's number.
            [0, _, _, _, _, ..] => return Err(Reject::SchemaRegistry),
            _ => {}
        }
        let text = match str::from_utf8(value) {
            Ok(text) => text,
            // A logical message may hold any bytes, whatever the database's encoding is.
            Err(_) if MESSAGE_HEADS.iter().any(|head| value.starts_with(head)) => return Ok(None),
            Err(_) => return Err(Reject::NotUtf8),
        };
        let begin = text.trim_start_matches(SPACE);
        // No line of test_decoding begins with a quote.
        if begin.starts_with('"') {
            return json::read_string(text, &mut self.scratch).map(Some);
        }
        if begin.starts_with('{') {
            let fields = json::read(topic, text, &mut self.scratch)?;
            if fields.is_some() {
                self.prefixes.learn(text);
            }
            return Ok(fields);
        }
        // A producer that reads its input by lines may leave the line's end; no line of test_decoding ends with one.
        let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
        if line.starts_with("Struct{") {
            return connect_struct::read(line).map(Some);
        }
        Ok(Some(Fields::bare(Text::Plain(line))))
    }
}
