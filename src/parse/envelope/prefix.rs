//! The constant beginning of a Connect record, remembered.
//!
//! Connect repeats the schema byte for byte in every record, so comparing bytes replaces reading it.

use super::fields::TimeForm;
use super::{json, skip};

/// The newest distinct beginnings `{"schema":…,"payload":` of values that were read as a whole.
#[derive(Debug, Default)]
pub(in crate::parse) struct Prefixes {
    known: Vec<Prefix>,
}

#[derive(Debug)]
struct Prefix {
    bytes: Vec<u8>,
    /// What its schema says of numbers in `commit_time`.
    time_form: TimeForm,
}

impl Prefixes {
    /// For the topics, or versions of a schema, that alternate on a worker.
    const MOST: usize = 4;
    /// A longer one is not worth its memory.
    const LONGEST: usize = 16 * 1024;

    /// The length of the known prefix that `value` begins with, 0 if none, and the form of its numbers that are times.
    pub(in crate::parse) fn matching(&mut self, value: &[u8]) -> (usize, TimeForm) {
        let found = self.known.iter().position(|prefix| value.starts_with(&prefix.bytes));
        let Some(found) = found else { return (0, TimeForm::Unnamed) };
        self.known.swap(0, found);
        (self.known[0].bytes.len(), self.known[0].time_form)
    }

    /// Learns from a value that serde_json has accepted as a whole, so that the prefix is known to be valid JSON at its depth.
    pub(in crate::parse) fn learn(&mut self, value: &str) {
        let Some((length, schema)) = prefix_of(value).filter(|(length, _)| *length <= Prefixes::LONGEST) else {
            return;
        };
        let bytes = &value.as_bytes()[..length];
        if self.known.iter().any(|known| known.bytes == bytes) {
            return;
        }
        self.known.truncate(Prefixes::MOST - 1);
        self.known.insert(0, Prefix { bytes: bytes.to_vec(), time_form: json::time_form_of(schema) });
    }
}

/// The length of `{"schema":…,"payload":` at the start of a valid JSON text, if it begins so, and the text of the schema.
fn prefix_of(value: &str) -> Option<(usize, &str)> {
    let rest = token(token(token(value, "{")?, "\"schema\"")?, ":")?;
    let (schema, rest) = rest.split_at(skip::value_len(rest)?);
    let rest = token(token(token(rest, ",")?, "\"payload\"")?, ":")?;
    Some((value.len() - rest.len(), schema))
}

fn token<'v>(text: &'v str, token: &str) -> Option<&'v str> {
    text.trim_start_matches(skip::SPACE).strip_prefix(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_payload_begins() {
        for (prefix, payload) in [
            ("{\"schema\":{\"a\":[1,\"}\"]},\"payload\":", "{}}"),
            (" { \"schema\" : null , \"payload\" :", " {}}"),
            ("{\"schema\":5,\"payload\":", "{}}"),
        ] {
            assert_eq!(
                prefix_of(&format!("{prefix}{payload}")).map(|(length, _)| length),
                Some(prefix.len()),
                "{prefix}"
            );
        }
        for value in ["{\"payload\":{},\"schema\":{}}", "{\"schema\":{}}", "{\"schema\":{},\"x\":1,\"payload\":{}}"] {
            assert_eq!(prefix_of(value), None, "{value}");
        }
    }

    #[test]
    fn the_newest_few_are_kept() {
        let mut prefixes = Prefixes::default();
        let value = |number: usize| format!("{{\"schema\":{number},\"payload\":{{}}}}");
        for number in 0..9 {
            prefixes.learn(&value(number));
            prefixes.learn(&value(number));
        }
        let known = |prefixes: &mut Prefixes, number| prefixes.matching(value(number).as_bytes()).0 > 0;
        assert_eq!((0..9).filter(|number| known(&mut prefixes, *number)).collect::<Vec<_>>(), [5, 6, 7, 8]);
    }
}
