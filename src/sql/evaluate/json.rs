//! `->` and `->>` on the text of a JSON value, as PostgreSQL's type `json` has them: the part that is found keeps its text, and of
//! a field that occurs twice the last one counts.

use std::fmt;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::kernels::{Failures, Reason};
use super::value::Value;
use crate::sql::expression::JsonKey;

const NO_JSON: Reason = "not JSON";

/// Refuses what is no JSON value.
pub(super) fn check(text: &str) -> Result<(), Reason> {
    serde_json::from_str::<IgnoredAny>(text).map(drop).map_err(|_| NO_JSON)
}

/// The value of a field or an element; NULL where there is none.
pub(super) fn get(value: &Value, key: &JsonKey, as_text: bool, failures: &mut Failures<'_>) -> Value {
    // A missing part is NULL but no failure.
    let mut found = StringBuilder::new();
    let texts = value.array.as_string::<i32>();
    for (row, text) in texts.iter().enumerate() {
        let part = text.map(|text| part(text, key)).transpose();
        match part.map(Option::flatten) {
            Err(reason) => {
                failures.record(row, reason, &[value]);
                found.append_null();
            }
            Ok(Some(part)) if as_text => match unquoted(part.get()) {
                Ok(text) => found.append_option(text),
                Err(reason) => {
                    failures.record(row, reason, &[value]);
                    found.append_null();
                }
            },
            Ok(part) => found.append_option(part.map(RawValue::get)),
        }
    }
    Value { array: Arc::new(found.finish()), is_scalar: value.is_scalar }
}

fn part<'a>(text: &'a str, key: &JsonKey) -> Result<Option<&'a RawValue>, Reason> {
    let mut json = serde_json::Deserializer::from_str(text);
    let part = match key {
        JsonKey::Element(index) if *index < 0 => {
            let mut elements = Vec::new();
            json.deserialize_any(PartVisitor { key, elements: Some(&mut elements) }).map_err(|_| NO_JSON)?;
            elements.len().checked_sub(index.unsigned_abs() as usize).map(|place| elements[place])
        }
        _ => json.deserialize_any(PartVisitor { key, elements: None }).map_err(|_| NO_JSON)?,
    };
    json.end().map_err(|_| NO_JSON)?;
    Ok(part)
}

/// A text without its quotes; NULL for JSON's null.
fn unquoted(json: &str) -> Result<Option<String>, Reason> {
    match json.as_bytes().first() {
        Some(b'"') => {
            let text: String = serde_json::from_str(json).map_err(|_| NO_JSON)?;
            if text.contains('\0') { Err("a text cannot contain \\u0000") } else { Ok(Some(text)) }
        }
        Some(b'n') => Ok(None),
        _ => Ok(Some(json.to_owned())),
    }
}

struct PartVisitor<'k, 'e, 'a> {
    key: &'k JsonKey,
    elements: Option<&'e mut Vec<&'a RawValue>>,
}

impl<'a> Visitor<'a> for PartVisitor<'_, '_, 'a> {
    type Value = Option<&'a RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let key = match self.key {
            JsonKey::Field(name) => Some(&**name),
            JsonKey::Element(_) => None,
        };
        let mut found = None;
        while let Some(is_key) = map.next_key_seed(IsKey(key))? {
            if is_key {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let PartVisitor { key, elements: mut all } = self;
        let (mut found, mut place) = (None, 0);
        while let Some(element) = elements.next_element::<&RawValue>()? {
            if *key == JsonKey::Element(place) {
                found = Some(element);
            }
            if let Some(all) = &mut all {
                all.push(element);
            }
            place += 1;
        }
        Ok(found)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a field's name is the wanted one, if there is one; names are not copied.
#[derive(Clone, Copy)]
struct IsKey<'k>(Option<&'k str>);

impl<'a> DeserializeSeed<'a> for IsKey<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'a>>(self, name: D) -> Result<bool, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for IsKey<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<bool, E> {
        Ok(self.0 == Some(name))
    }
}
