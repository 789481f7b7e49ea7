//! A record's JSON object, read by serde_json, which decides everything that the scanner does not know.
//!
//! It accepts what `serde_json::Value` would — what is valid, how deep it may nest, which of two equal keys counts — but
//! keeps only the fields that matter, so that no input makes it hold a tree.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::fields::{Fields, LinePosition, SideField, SideValue, Text, TimeForm};
use super::skip::Skipped;
use crate::parse::Reject;

/// Reads a value that begins with `{`; `None` if it is a marker. An escaped line is left in `scratch`.
pub(in crate::parse) fn read<'v>(
    topic: &str,
    text: &'v str,
    scratch: &mut String,
) -> Result<Option<Fields<'v>>, Reject> {
    let mut object: Object<'v> = serde_json::from_str(text).map_err(|error| reject_of(&error))?;
    // What a schema says holds for the payload beside it, and for nothing else.
    let mut time_form = TimeForm::Unnamed;
    // A record with a column `payload` is still a record.
    if matches!(object.data, Field::Absent) {
        match object.payload {
            Field::Absent => {}
            Field::Null => return Ok(None),
            Field::Object(payload) => {
                time_form = object.schema.commit_time;
                object = *payload;
            }
            _ => return Err(Reject::Payload),
        }
    }
    if matches!(object.data, Field::Absent) {
        return match object.shape() {
            Reject::Heartbeat if topic.starts_with("__debezium-heartbeat") => Ok(None),
            reject => Err(reject),
        };
    }
    object.fields(time_form, scratch).map(Some)
}

/// How the schema at the start of a JSON text forms `commit_time`.
pub(in crate::parse) fn time_form_of(schema: &str) -> TimeForm {
    let mut schemas = serde_json::Deserializer::from_str(schema).into_iter::<Field<'_>>();
    schemas.next().and_then(Result::ok).map_or(TimeForm::Unnamed, |schema| schema.as_schema().commit_time)
}

/// The shape of a JSON object that stands where a line should.
pub(in crate::parse) fn foreign_shape(text: &str) -> Reject {
    match serde_json::from_str::<Object<'_>>(text) {
        Ok(object) => object.shape(),
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

/// Which keys of other shapes the object has.
#[derive(Default)]
struct Signs {
    change: bool,
    action: bool,
    source: bool,
    op: bool,
    row: bool,
    flattened: bool,
    status: bool,
    id: bool,
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
            Field::Text(Cow::Borrowed(text)) => Text::Plain(text),
            Field::Text(Cow::Owned(text)) => {
                *scratch = text;
                Text::Scratch
            }
            Field::Null => return Err(Reject::NullData),
            _ => return Err(Reject::DataType),
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

    /// The shape of an object without `data`.
    fn shape(&self) -> Reject {
        match self.signs {
            Signs { change: true, .. } => Reject::Wal2JsonV1,
            Signs { action: true, .. } => Reject::Wal2JsonV2,
            Signs { op: true, source: true, .. } | Signs { row: true, source: true, .. } => Reject::Debezium,
            Signs { op: true, row: true, .. } => Reject::Debezium,
            Signs { flattened: true, .. } => Reject::DebeziumFlattened,
            Signs { status: true, id: true, .. } => Reject::DebeziumTransaction,
            _ if matches!(self.ts_ms, Field::Integer(_) | Field::Float) => Reject::Heartbeat,
            _ => Reject::NoData,
        }
    }

    fn from_map<A: MapAccess<'v>>(mut map: A) -> Result<Object<'v>, A::Error> {
        let mut object = Object::default();
        // Assigned again by a later equal key: the last one counts.
        while let Some(Key(key)) = map.next_key()? {
            let sign = match &*key {
                "data" => Ok(&mut object.data),
                "lsn" => Ok(&mut object.lsn),
                "xid" => Ok(&mut object.xid),
                "commit_lsn" => Ok(&mut object.commit_lsn),
                "commit_time" => Ok(&mut object.commit_time),
                "seq" => Ok(&mut object.seq),
                "payload" => Ok(&mut object.payload),
                "ts_ms" => Ok(&mut object.ts_ms),
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
                "change" => Err(Some(&mut object.signs.change)),
                "action" => Err(Some(&mut object.signs.action)),
                "source" => Err(Some(&mut object.signs.source)),
                "op" => Err(Some(&mut object.signs.op)),
                "before" | "after" => Err(Some(&mut object.signs.row)),
                "__op" | "__deleted" => Err(Some(&mut object.signs.flattened)),
                "status" => Err(Some(&mut object.signs.status)),
                "id" => Err(Some(&mut object.signs.id)),
                _ => Err(None),
            };
            match sign {
                Ok(field) => *field = map.next_value()?,
                Err(sign) => {
                    map.next_value::<Skipped>()?;
                    if let Some(sign) = sign {
                        *sign = true;
                    }
                }
            }
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
