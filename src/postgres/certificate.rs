//! The few fields of a certificate that the TLS library keeps to itself (RFC 5280, section 4.1).

use chrono::NaiveDateTime;

const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.29.17
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// How long a certificate holds, and its name of last resort.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Seconds since 1970.
    pub(super) not_before: u64,
    /// Seconds since 1970.
    pub(super) not_after: u64,
    common_name: Option<String>,
    has_alternative_names: bool,
}

impl Certificate {
    /// Reads DER; `None` when it is no certificate.
    pub(super) fn read(der: &[u8]) -> Option<Certificate> {
        let mut to_sign = Der(Der(Der(der).take(SEQUENCE)?).take(SEQUENCE)?);
        let _version = to_sign.take(VERSION);
        let _serial = to_sign.take(INTEGER)?;
        let _algorithm = to_sign.take(SEQUENCE)?;
        let _issuer = to_sign.take(SEQUENCE)?;
        let mut validity = Der(to_sign.take(SEQUENCE)?);
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        let common_name = last_common_name(to_sign.take(SEQUENCE)?);
        let _key = to_sign.take(SEQUENCE)?;
        let mut extensions = Der(&[]);
        while let Some((tag, value)) = to_sign.next() {
            if tag == EXTENSIONS {
                extensions = Der(Der(value).take(SEQUENCE)?);
            }
        }
        let mut has_alternative_names = false;
        while let Some(extension) = extensions.take(SEQUENCE) {
            has_alternative_names |= Der(extension).take(OBJECT_IDENTIFIER) == Some(ALTERNATIVE_NAME);
        }
        Some(Certificate { not_before, not_after, common_name, has_alternative_names })
    }

    /// Whether the common name stands for `name`; never where alternative names do. `*` stands for the first label.
    pub(super) fn common_name_is(&self, name: &str) -> bool {
        let Some(own) = self.common_name.as_deref().filter(|_| !self.has_alternative_names) else { return false };
        let same = |left: &str, right: &str| left.eq_ignore_ascii_case(right);
        match own.strip_prefix("*.") {
            Some(rest) => {
                let is_address = name.parse::<std::net::IpAddr>().is_ok();
                !is_address && name.split_once('.').is_some_and(|(first, after)| !first.is_empty() && same(after, rest))
            }
            None => same(own, name),
        }
    }
}

fn last_common_name(subject: &[u8]) -> Option<String> {
    let (mut sets, mut found) = (Der(subject), None);
    while let Some(set) = sets.take(SET) {
        let mut attribute = Der(Der(set).take(SEQUENCE)?);
        if attribute.take(OBJECT_IDENTIFIER)? == COMMON_NAME {
            let (_, text) = attribute.next()?;
            // A zero byte inside is how one name is made to look like another.
            found = std::str::from_utf8(text).ok().filter(|text| !text.contains('\0')).map(str::to_owned);
        }
    }
    found
}

/// Elements of DER, one after the other: tag, length, value.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk::<2>()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
                (digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    /// The next element if it has this tag; else nothing is taken.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let before = self.0;
        match self.next() {
            Some((found, value)) if found == tag => Some(value),
            _ => {
                self.0 = before;
                None
            }
        }
    }

    /// Seconds since 1970.
    fn time(&mut self) -> Option<u64> {
        let (tag, value) = self.next()?;
        let text = std::str::from_utf8(value).ok()?;
        let text = match (tag, text.get(..2)?.parse::<u8>().ok()?) {
            (GENERALIZED_TIME, _) => text.to_owned(),
            (UTC_TIME, 50..) => format!("19{text}"),
            (UTC_TIME, _) => format!("20{text}"),
            _ => return None,
        };
        let time = NaiveDateTime::parse_from_str(&text, "%Y%m%d%H%M%SZ").ok()?;
        u64::try_from(time.and_utc().timestamp()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An element; short ones only.
    fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let value = parts.concat();
        let length = u8::try_from(value.len()).expect("a short element");
        let header = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
        [header, value].concat()
    }

    fn certificate(name: &str, extensions: &[u8]) -> Vec<u8> {
        let attribute =
            element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[COMMON_NAME]), &element(0x0c, &[name.as_bytes()])]);
        let empty = element(SEQUENCE, &[]);
        let validity = element(
            SEQUENCE,
            &[&element(UTC_TIME, &[b"700101000001Z"]), &element(GENERALIZED_TIME, &[b"20500101000000Z"])],
        );
        let subject = element(SEQUENCE, &[&element(SET, &[&attribute])]);
        let parts = [&element(VERSION, &[&[2, 1, 2]]), &element(INTEGER, &[&[1]]), &empty, &empty, &validity, &subject];
        let to_sign: Vec<&[u8]> =
            parts.iter().map(|part| part.as_slice()).chain([empty.as_slice(), extensions]).collect();
        element(SEQUENCE, &[&element(SEQUENCE, &to_sign)])
    }

    #[test]
    fn validity_and_common_name_are_read() {
        let read = Certificate::read(&certificate("db.example.org", &[])).expect("a certificate");
        assert_eq!((read.not_before, read.not_after), (1, 2_524_608_000));
        assert!(read.common_name_is("DB.example.org") && !read.common_name_is("other.example.org"));
        let wild = Certificate::read(&certificate("*.example.org", &[])).expect("a certificate");
        assert!(wild.common_name_is("db.example.org"));
        assert!(!wild.common_name_is("a.db.example.org") && !wild.common_name_is("example.org"));
        assert!(!Certificate::read(&certificate("*.0.0.1", &[])).expect("a certificate").common_name_is("127.0.0.1"));
    }

    #[test]
    fn alternative_names_end_the_common_names_reign() {
        let extension = element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[ALTERNATIVE_NAME]), &element(0x04, &[])]);
        let extensions = element(EXTENSIONS, &[&element(SEQUENCE, &[&extension])]);
        let read = Certificate::read(&certificate("db", &extensions)).expect("a certificate");
        assert!(!read.common_name_is("db"));
    }

    #[test]
    fn what_is_cut_off_is_no_certificate() {
        let whole = certificate("db", &[]);
        for end in 0..whole.len() {
            assert_eq!(Certificate::read(&whole[..end]), None, "{end}");
        }
    }
}
