//! The keys of a JSON object, as a reject names them.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::skip::Skipped;

/// Bytes of keys that a reject names.
const LONGEST: usize = 48;
/// More keys than these bytes hold: all of them but an empty one take a byte and a separator.
const MOST: usize = LONGEST / 3 + 2;

/// Names the keys of a JSON object, or of the one in its `payload`, in their alphabetic order; cut where they are long. The text was
/// accepted by [`read`](super::json::read).
pub(in crate::parse) fn keys_of(text: &str, in_payload: bool) -> Box<str> {
    let keys = match in_payload {
        true => serde_json::from_str(text).map(|Payload(keys)| keys),
        false => serde_json::from_str(text),
    };
    let Keys(keys) = keys.unwrap_or_default();
    let mut named = String::new();
    for (place, key) in keys.iter().enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        let key = key.escape_debug().to_string();
        if named.len() + separator.len() + key.len() > LONGEST {
            named += separator;
            named.push('…');
            break;
        }
        named += separator;
        named += &key;
    }
    if named.is_empty() { "none".into() } else { named.into() }
}

/// The first keys of an object in alphabetic order; none of any other value.
#[derive(Default)]
struct Keys(BTreeSet<String>);

/// The keys of an object's field `payload`. Of equal keys the last counts, as it does where the object is read: a derived `Deserialize`
/// would refuse them.
struct Payload(Keys);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
        deserializer.deserialize_any(KeysVisitor)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Payload, D::Error> {
        deserializer.deserialize_map(PayloadVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some((key, Skipped)) = map.next_entry()? {
            keys.insert(key);
            if keys.len() > MOST {
                keys.pop_last();
            }
        }
        Ok(Keys(keys))
    }

    fn visit_unit<E>(self) -> Result<Keys, E> {
        Ok(Keys::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Keys, E> {
        Ok(Keys::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Keys, E> {
        Ok(Keys::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Keys, E> {
        Ok(Keys::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Keys, E> {
        Ok(Keys::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Keys, E> {
        Ok(Keys::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Keys, A::Error> {
        Skipped.visit_seq(elements).map(|Skipped| Keys::default())
    }
}

struct PayloadVisitor;

impl<'de> Visitor<'de> for PayloadVisitor {
    type Value = Payload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Payload, A::Error> {
        let mut keys = Keys::default();
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "payload" => keys = map.next_value()?,
                _ => {
                    map.next_value::<Skipped>()?;
                }
            }
        }
        Ok(Payload(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_in_one_order_and_cut() {
        assert_eq!(&*keys_of(r#"{"b":1,"a":{"x":[]},"":null}"#, false), ", a, b");
        assert_eq!(&*keys_of(r#"{"schema":{},"payload":{"b":1,"\n":2}}"#, true), "\\n, b");
        assert_eq!(&*keys_of("{}", false), "none");
        let long = format!(r#"{{"a":1,"{}":2,"c":3}}"#, "b".repeat(1 << 20));
        assert_eq!(&*keys_of(&long, false), "a, …");
    }

    #[test]
    fn the_last_of_equal_keys_is_named() {
        for payload in [r#"{"a":1}"#, "null", "5", "-5", "0.5", "true", r#""a""#, r#"[{"a":1},[]]"#] {
            let twice = format!(r#"{{"payload":{payload},"schema":1,"schema":2,"payl\u006fad":{{"b":1,"b":2}}}}"#);
            assert_eq!(&*keys_of(&twice, true), "b", "{twice}");
        }
    }

    #[test]
    fn as_many_keys_are_named_as_fit() {
        // The shortest keys there are: all that fit are named, and the mark shows that there are more.
        let letters: Vec<String> = ('a'..='z').map(|letter| format!(r#""{letter}":1"#)).collect();
        let backwards: Vec<String> = letters.iter().rev().cloned().collect();
        for letters in [letters.join(","), backwards.join(",")] {
            let named = "a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, …";
            assert_eq!(&*keys_of(&format!("{{{letters}}}"), false), named);
            assert_eq!(*keys_of(&format!(r#"{{{letters},"":1}}"#), false), *format!(", {named}"));
        }
    }
}
