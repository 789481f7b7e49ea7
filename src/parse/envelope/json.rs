//! A record's JSON object, read by serde_json, which decides everything that the scanner does not know.
//!
//! It accepts what `serde_json::Value` would — what is valid, how deep it may nest, which of two equal keys counts — but
//! keeps only the fields that matter, so that no input makes it hold a tree.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::fields::{Fields, LinePosition, SideField, SideValue, Text, TimeForm};
use super::foreign::{Shown, Signs};
use super::keys::keys_of;
use super::skip::Skipped;
use crate::parse::Reject;

/// Reads a value that begins with `{`; `None` if it is a marker. An escaped line is left in `scratch`.
pub(in crate::parse) fn read<'v>(
    topic: &str,
    text: &'v str,
    scratch: &mut String,
) -> Result<Option<Fields<'v>>, Reject> {
    let mut object: Object<'v> = serde_json::from_str(text).map_err(|error| reject_of(&error))?;
    if let Some(system) = object.system() {
        return Err(system);
    }
    // What a schema says holds for the payload beside it, and for nothing else.
    let mut time_form = TimeForm::Unnamed;
    let mut is_wrapped = false;
    // A record with a column `payload` is still a record.
    if matches!(object.data, Field::Absent) {
        match object.payload {
            Field::Absent => {}
            Field::Object(payload) => {
                time_form = object.schema.commit_time;
                object = *payload;
                is_wrapped = true;
                if let Some(system) = object.system() {
                    return Err(system);
                }
            }
            // A row of a table with a column of that name, and not what Connect's converter writes.
            _ if object.has_more_keys => {}
            Field::Null => return Ok(None),
            // What Connect's ExtractField leaves: the line is the whole payload.
            Field::Text(line) => return Ok(Some(Fields::bare(as_text(line, scratch)))),
            _ => return Err(Reject::Payload),
        }
    }
    if matches!(object.data, Field::Absent) {
        return match object.without_line() {
            Some(Reject::Heartbeat) if topic.starts_with("__debezium-heartbeat") => Ok(None),
            reject => Err(reject.unwrap_or_else(|| Reject::NoData(keys_of(text, is_wrapped)))),
        };
    }
    object.fields(time_form, scratch).map(Some)
}

/// How the schema at the start of a JSON text forms `commit_time`.
pub(in crate::parse) fn time_form_of(schema: &str) -> TimeForm {
    let mut schemas = serde_json::Deserializer::from_str(schema).into_iter::<Field<'_>>();
    schemas.next().and_then(Result::ok).map_or(TimeForm::Unnamed, |schema| schema.as_schema().commit_time)
}

/// Reads a value that begins with a quote: the line itself as a JSON string. A line with escapes is left in `scratch`.
pub(in crate::parse) fn read_string<'v>(text: &'v str, scratch: &mut String) -> Result<Fields<'v>, Reject> {
    match serde_json::from_str(text) {
        Ok(Field::Text(line)) => Ok(Fields::bare(as_text(line, scratch))),
        Ok(_) => Err(Reject::JsonSyntax),
        Err(error) => Err(reject_of(&error)),
    }
}

fn as_text<'v>(line: Cow<'v, str>, scratch: &mut String) -> Text<'v> {
    match line {
        Cow::Borrowed(line) => Text::Plain(line),
        Cow::Owned(line) => {
            *scratch = line;
            Text::Scratch
        }
    }
}

/// The shape of a JSON object that stands where a line should.
pub(in crate::parse) fn foreign_shape(text: &str) -> Reject {
    match serde_json::from_str::<Object<'_>>(text) {
        Ok(object) => match object.system().or_else(|| object.without_line()) {
            Some(reject) => reject,
            None if matches!((&object.data, &object.payload), (Field::Absent, Field::Absent)) => {
                Reject::NoData(keys_of(text, false))
            }
            None => Reject::NestedJson,
        },
        // wal2json's option write-in-chunks cuts an object into pieces.
        Err(_) if text.starts_with("{\"change\":[") => Reject::Wal2JsonV1,
        Err(_) => Reject::UnknownLine,
    }
}

fn reject_of(error: &serde_json::Error) -> Reject {
    if error.is_eof() {
        Reject::JsonCut
    } else if error.to_string().starts_with("recursion limit exceeded") {
        Reject::JsonDepth
    } else {
        Reject::JsonSyntax
    }
}

/// The fields of an object that show what it is.
#[derive(Default)]
struct Object<'v> {
    data: Field<'v>,
    lsn: Field<'v>,
    xid: Field<'v>,
    commit_lsn: Field<'v>,
    commit_time: Field<'v>,
    seq: Field<'v>,
    payload: Field<'v>,
    ts_ms: Field<'v>,
    schema: Schema,
    own_schema: Schema,
    signs: Signs,
    /// Whether there are others than `schema` and `payload`.
    has_more_keys: bool,
}

/// What matters of a schema of Connect, or of one of its fields.
#[derive(Clone, Copy, Default)]
struct Schema {
    /// The form of the field `commit_time`.
    commit_time: TimeForm,
    /// Whether it is the schema of that field.
    is_commit_time: bool,
    /// The form that its own name says.
    named: TimeForm,
}

/// What a field holds.
#[derive(Default)]
enum Field<'v> {
    #[default]
    Absent,
    Null,
    Integer(i64),
    Float,
    Text(Cow<'v, str>),
    Object(Box<Object<'v>>),
    /// An array; as the fields of a schema it says how `commit_time` is formed.
    Array(TimeForm),
    Other,
}

impl<'v> Object<'v> {
    fn fields(self, time_form: TimeForm, scratch: &mut String) -> Result<Fields<'v>, Reject> {
        let data = match self.data {
            Field::Text(line) => as_text(line, scratch),
            Field::Null => return Err(Reject::NullData),
            _ => return Err(self.signs.system_of_row().unwrap_or(Reject::DataType)),
        };
        let mut position = LinePosition::default();
        for (field, value) in [
            (SideField::Lsn, &self.lsn),
            (SideField::Xid, &self.xid),
            (SideField::CommitLsn, &self.commit_lsn),
            (SideField::CommitTime, &self.commit_time),
            (SideField::Seq, &self.seq),
        ] {
            position.set(field, value.as_side_value(), time_form);
        }
        Ok(Fields { data, position })
    }

    /// The system whose envelope explains the whole object.
    fn system(&self) -> Option<Reject> {
        self.signs.system(matches!(self.data, Field::Text(_)))
    }

    /// What an object without `data` is, if that is known.
    fn without_line(&self) -> Option<Reject> {
        let is_heartbeat = matches!(self.ts_ms, Field::Integer(_) | Field::Float);
        self.signs.system_without_data().or(is_heartbeat.then_some(Reject::Heartbeat))
    }

    fn from_map<A: MapAccess<'v>>(mut map: A) -> Result<Object<'v>, A::Error> {
        let mut object = Object::default();
        // Assigned again by a later equal key: the last one counts.
        while let Some(Key(key)) = map.next_key()? {
            object.has_more_keys |= !matches!(&*key, "schema" | "payload");
            let field = match &*key {
                "data" => &mut object.data,
                "lsn" => &mut object.lsn,
                "xid" => &mut object.xid,
                "commit_lsn" => &mut object.commit_lsn,
                "commit_time" => &mut object.commit_time,
                "seq" => &mut object.seq,
                "payload" => &mut object.payload,
                "ts_ms" => {
                    object.signs.add(Signs::of_key(&key));
                    &mut object.ts_ms
                }
                "schema" => {
                    object.schema = map.next_value::<Field<'_>>()?.as_schema();
                    continue;
                }
                // Of a schema: its fields; of a field's schema: its name, and the field's.
                "fields" | "field" | "name" => {
                    let value = map.next_value::<Field<'_>>()?;
                    object.own_schema.note(&key, &value);
                    continue;
                }
                _ if Signs::of_key(&key).is_empty() => {
                    map.next_value::<Skipped>()?;
                    continue;
                }
                _ => {
                    let value = map.next_value::<Field<'_>>()?;
                    object.signs.set(&key, value.shown());
                    continue;
                }
            };
            *field = map.next_value()?;
        }
        Ok(object)
    }
}

impl Schema {
    /// Notes a field of the schema's own object.
    fn note(&mut self, key: &str, value: &Field<'_>) {
        match (key, value) {
            ("fields", Field::Array(form)) => self.commit_time = *form,
            ("fields", _) => self.commit_time = TimeForm::Unnamed,
            ("field", value) => self.is_commit_time = matches!(value, Field::Text(name) if name == "commit_time"),
            ("name", Field::Text(name)) => self.named = TimeForm::named(name),
            _ => self.named = TimeForm::Unnamed,
        }
    }
}

impl Field<'_> {
    fn as_side_value(&self) -> SideValue<'_> {
        match self {
            Field::Absent | Field::Null => SideValue::Null,
            Field::Integer(number) => SideValue::Integer(*number),
            Field::Text(text) => SideValue::Text(text),
            Field::Float | Field::Object(_) | Field::Array(_) | Field::Other => SideValue::Other,
        }
    }

    fn shown(&self) -> Shown<'_> {
        match self {
            Field::Absent | Field::Null => Shown::Null,
            Field::Text(text) => Shown::Text(text),
            Field::Object(_) => Shown::Object,
            Field::Array(_) => Shown::Array,
            Field::Integer(_) | Field::Float | Field::Other => Shown::Other,
        }
    }

    fn as_schema(&self) -> Schema {
        match self {
            Field::Object(object) => object.own_schema,
            _ => Schema::default(),
        }
    }
}

/// A key, borrowed where it holds no escape.
struct Key<'v>(Cow<'v, str>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<'de>, D::Error> {
        match Field::deserialize(deserializer)? {
            Field::Object(object) => Ok(*object),
            _ => Err(de::Error::custom("not an object")),
        }
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key<'de>, D::Error> {
        match Field::deserialize(deserializer)? {
            Field::Text(text) => Ok(Key(text)),
            _ => Err(de::Error::custom("not a string")),
        }
    }
}

impl<'de> Deserialize<'de> for Field<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Field<'de>, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Field<'de>, E> {
        Ok(Field::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Field<'de>, E> {
        Ok(Field::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field<'de>, E> {
        Ok(i64::try_from(number).map_or(Field::Other, Field::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Field<'de>, E> {
        // A converter may print whole numbers as 736.0. Below 2^42 an error in the last places of a float makes no other one of it.
        let is_whole = number.fract() == 0.0 && number.abs() < (1_u64 << 42) as f64;
        Ok(if is_whole { Field::Integer(number as i64) } else { Field::Float })
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Field<'de>, A::Error> {
        let mut form = TimeForm::Unnamed;
        while let Some(element) = elements.next_element::<Field<'de>>()? {
            let Schema { is_commit_time: true, named, .. } = element.as_schema() else { continue };
            form = named;
        }
        Ok(Field::Array(form))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field<'de>, A::Error> {
        Object::from_map(map).map(|object| Field::Object(Box::new(object)))
    }
}
