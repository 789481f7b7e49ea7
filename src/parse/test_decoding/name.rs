//! Names as PostgreSQL prints them: `public.t`, `"Sales Dept"."Q1:2024"`.

use std::borrow::Cow;

use memchr::memchr;

use crate::parse::Reject;

/// A table's name with its schema, as printed by `quote_identifier`; both parts are valid identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    text: &'a str,
    dot: usize,
}

impl<'a> Name<'a> {
    /// Reads the name at the start of `text`, and leaves what follows alone.
    pub(in crate::parse) fn at_start(text: &'a str) -> Result<Name<'a>, Reject> {
        let bytes = text.as_bytes();
        let dot = identifier_len(bytes)?;
        if bytes.get(dot) != Some(&b'.') {
            return Err(Reject::Name);
        }
        let end = dot + 1 + identifier_len(&bytes[dot + 1..])?;
        Ok(Name { text: &text[..end], dot })
    }

    /// The name exactly as printed: `public."we""ird"`. Equal texts are equal names.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The schema's name without quotes.
    pub fn schema(&self) -> Cow<'a, str> {
        unquoted(&self.text[..self.dot])
    }

    /// The table's name without quotes: `we"ird`.
    pub fn table(&self) -> Cow<'a, str> {
        unquoted(&self.text[self.dot + 1..])
    }
}

/// The tables of one TRUNCATE, in the order of the line; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names<'a> {
    /// `name, name, …`, all of them read once before.
    list: &'a str,
}

impl<'a> Names<'a> {
    /// Assumes that `list` consists of names with `, ` between them.
    pub(in crate::parse) fn new(list: &'a str) -> Names<'a> {
        Names { list }
    }
}

impl<'a> Iterator for Names<'a> {
    type Item = Name<'a>;

    fn next(&mut self) -> Option<Name<'a>> {
        let name = Name::at_start(self.list).ok()?;
        let rest = &self.list[name.text.len()..];
        self.list = rest.strip_prefix(", ").unwrap_or_default();
        Some(name)
    }
}

/// The length of the identifier at the start of `text`, with its quotes.
pub(in crate::parse) fn identifier_len(text: &[u8]) -> Result<usize, Reject> {
    match text.first() {
        Some(b'"') => quoted_len(text),
        Some(b'a'..=b'z' | b'_') => {
            let ends = |b: &u8| !matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'$');
            Ok(text.iter().position(ends).unwrap_or(text.len()))
        }
        _ => Err(Reject::Name),
    }
}

/// The length of the quoted identifier at the start of `text`: a quote inside is doubled.
fn quoted_len(text: &[u8]) -> Result<usize, Reject> {
    let mut end = 1;
    loop {
        end += memchr(b'"', &text[end..]).ok_or(Reject::UnclosedName)? + 1;
        match text.get(end) {
            Some(b'"') => end += 1,
            _ if end == 2 => return Err(Reject::EmptyName),
            _ => return Ok(end),
        }
    }
}

/// An identifier without its quotes.
pub(in crate::parse) fn unquoted(identifier: &str) -> Cow<'_, str> {
    match identifier.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        None => Cow::Borrowed(identifier),
        Some(inner) if memchr(b'"', inner.as_bytes()).is_none() => Cow::Borrowed(inner),
        Some(inner) => Cow::Owned(inner.replace("\"\"", "\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unquoted() {
        for (text, schema, table) in [
            ("public.t: INSERT:", "public", "t"),
            ("public.\"we\"\"ird\": x", "public", "we\"ird"),
            ("\"Sales Dept\".\"Q1:2024\"", "Sales Dept", "Q1:2024"),
            ("\"\"\"\".\"a.b\"", "\"", "a.b"),
            ("_a$1.\"new\nline\",", "_a$1", "new\nline"),
        ] {
            let name = Name::at_start(text).expect("a name");
            assert_eq!((&*name.schema(), &*name.table()), (schema, table));
            assert!(text.starts_with(name.text()));
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (text, reject) in [
            ("", Reject::Name),
            ("t: INSERT:", Reject::Name),
            ("Public.t", Reject::Name),
            ("public.", Reject::Name),
            ("public.1t", Reject::Name),
            ("public.été", Reject::Name),
            ("public.\"t", Reject::UnclosedName),
            ("public.\"t\"\"", Reject::UnclosedName),
            ("public.\"\"", Reject::EmptyName),
            ("\"\".t", Reject::EmptyName),
        ] {
            assert_eq!(Name::at_start(text), Err(reject), "{text}");
        }
    }
}
