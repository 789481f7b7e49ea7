//! The fast path: flat JSON objects, read by a scan over their bytes.
//!
//! It knows objects whose values are strings, whole numbers and literals, and gives up (`None`) on everything else — also on
//! everything that would be a reject — so that only `json.rs` decides what is valid.

use memchr::memchr2;

use super::fields::{Fields, LinePosition, Text, TimeForm};
use super::foreign::Signs;
use crate::change::{Lsn, instant};

/// Reads `text` as a JSON string and nothing else; one with escapes is left in `scratch`.
pub(in crate::parse) fn string<'v>(text: &'v str, scratch: &mut String) -> Option<Text<'v>> {
    let mut scan = Scan { text, at: 0 };
    let line = scan.string(scratch)?;
    scan.skip_space();
    (scan.at == text.len()).then_some(line)
}

/// Reads `text` as a flat object with a `data` string, followed by `closing` more braces and nothing else.
///
/// A line with escapes is left in `scratch`; a number in `commit_time` has the form `time_form`. Allocates nothing once `scratch` is
/// large enough.
pub(in crate::parse) fn flat_object<'v>(
    text: &'v str,
    closing: usize,
    time_form: TimeForm,
    scratch: &mut String,
) -> Option<Fields<'v>> {
    let mut scan = Scan { text, at: 0 };
    let mut data = None;
    let mut position = LinePosition::default();
    scan.token(b'{')?;
    loop {
        scan.skip_space();
        let key = scan.plain_string()?;
        scan.token(b':')?;
        scan.skip_space();
        let null = scan.literal("null");
        match key {
            "data" => data = if null { None } else { Some(scan.string(scratch)?) },
            "lsn" => position.lsn = if null { None } else { Some(scan.lsn()?) },
            "commit_lsn" => position.commit_lsn = if null { None } else { Some(scan.lsn()?) },
            "commit_time" => position.commit_time = if null { None } else { Some(scan.commit_time(time_form)?) },
            "xid" => position.xid = if null { None } else { Some(scan.xid()?) },
            "seq" => position.seq = if null { None } else { Some(i32::try_from(scan.natural()?).ok()?) },
            // Keys of another system's envelope: the whole object decides.
            key if !Signs::of_key(key).is_empty() => return None,
            _ if null || scan.literal("true") || scan.literal("false") => {}
            _ if scan.byte() == Some(b'"') => drop(scan.plain_string()?),
            _ => drop(scan.natural()?),
        }
        scan.skip_space();
        match scan.byte()? {
            b',' => scan.at += 1,
            b'}' => break,
            _ => return None,
        }
    }
    for _ in 0..=closing {
        scan.token(b'}')?;
    }
    scan.skip_space();
    if scan.at < text.len() {
        return None;
    }
    Some(Fields { data: data?, position })
}

/// A place in a JSON text.
struct Scan<'v> {
    text: &'v str,
    at: usize,
}

impl<'v> Scan<'v> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Reads `byte`, and the space before it.
    fn token(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        (self.byte()? == byte).then(|| self.at += 1)
    }

    fn literal(&mut self, word: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Reads a whole number that is not negative and fits `i64` for certain.
    fn natural(&mut self) -> Option<i64> {
        let rest = &self.text.as_bytes()[self.at..];
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        // JSON allows no leading zero; a fraction or an exponent is not followed by what the caller expects next.
        if !(1..=18).contains(&digits) || (digits > 1 && rest[0] == b'0') {
            return None;
        }
        self.at += digits;
        Some(rest[..digits].iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    }

    fn lsn(&mut self) -> Option<Lsn> {
        match self.byte()? {
            b'"' => Lsn::parse(self.plain_string()?.as_bytes()).ok(),
            _ => Lsn::from_i64(self.natural()?),
        }
    }

    fn commit_time(&mut self, form: TimeForm) -> Option<i64> {
        match self.byte()? {
            b'"' => instant::parse(self.plain_string()?.as_bytes()),
            _ => form.instant(self.natural()?),
        }
    }

    fn xid(&mut self) -> Option<i64> {
        if self.byte()? != b'"' {
            return self.natural();
        }
        let digits = self.plain_string()?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    }

    /// Reads a string without escapes. Those are keys and short values, for which a plain loop is faster than `memchr`.
    fn plain_string(&mut self) -> Option<&'v str> {
        let from = self.after_quote()?;
        let special = |b: &u8| matches!(b, b'"' | b'\\' | 0..0x20);
        let end = from + self.text.as_bytes()[from..].iter().position(special)?;
        (self.text.as_bytes()[end] == b'"').then(|| {
            self.at = end + 1;
            &self.text[from..end]
        })
    }

    /// Reads a string; with escapes it is left in `scratch`.
    fn string(&mut self, scratch: &mut String) -> Option<Text<'v>> {
        let bytes = self.text.as_bytes();
        let (content, mut end) = self.until_quote_or_escape(self.after_quote()?)?;
        if bytes[end] == b'"' {
            self.at = end + 1;
            return Some(Text::Plain(content));
        }
        scratch.clear();
        scratch.push_str(content);
        while bytes[end] == b'\\' {
            let (unescaped, length) = escape(&bytes[end..])?;
            scratch.push(unescaped);
            let content;
            (content, end) = self.until_quote_or_escape(end + length)?;
            scratch.push_str(content);
        }
        self.at = end + 1;
        Some(Text::Scratch)
    }

    fn after_quote(&self) -> Option<usize> {
        (self.byte()? == b'"').then_some(self.at + 1)
    }

    /// What a string holds from `from` to the next quote or backslash, and where that stands.
    fn until_quote_or_escape(&self, from: usize) -> Option<(&'v str, usize)> {
        let end = from + memchr2(b'"', b'\\', &self.text.as_bytes()[from..])?;
        let content = &self.text[from..end];
        // A loop without an exit, so that it is compiled to wide instructions.
        let control = content.bytes().fold(false, |seen, b| seen | (b < 0x20));
        (!control).then_some((content, end))
    }
}

/// The character that an escape at the start of `bytes` stands for, and the escape's length.
fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let simple = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(bytes),
        _ => return None,
    };
    Some((simple, 2))
}

/// `\uXXXX`, or a surrogate pair of two such.
fn unicode_escape(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| -> Option<u32> {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))
    };
    let high = unit(0)?;
    if !(0xD800..0xDC00).contains(&high) {
        return Some((char::from_u32(high)?, 6));
    }
    let low = unit(6).filter(|low| (0xDC00..0xE000).contains(low))?;
    Some((char::from_u32(0x1_0000 + ((high - 0xD800) << 10 | (low - 0xDC00)))?, 12))
}
