//! Connect's `Struct{lsn=0/1,xid=5,data=…}`: a struct printed by StringConverter (org.apache.kafka.connect.data.Struct).
//!
//! It is printed without escapes and without fields that are null, so a rule must say where the line ends:
//! the line begins after the first `data=` that follows the brace or a comma, and ends before the last brace. From its end, as
//! long as what follows the last comma is `name=value` with a name that walbook or another system's envelope knows and a value
//! without quotes, that is a field and not the line: no change and no border of a transaction ends so, because a comma in a line
//! stands inside quotes or in a list before the operation. A logical message may end so; it keeps its text, being a marker either way.

use super::fields::{Fields, LinePosition, SideField, SideValue, Text, TimeForm};
use super::foreign::{Shown, Signs};
use crate::parse::Reject;

/// Reads a text that begins with `Struct{`.
pub(in crate::parse) fn read(text: &str) -> Result<Fields<'_>, Reject> {
    let inner = text.strip_prefix("Struct{").and_then(|rest| rest.strip_suffix('}')).ok_or(Reject::StructCut)?;
    let (mut position, mut signs) = (LinePosition::default(), Signs::default());
    let mut rest = inner;
    let mut line = loop {
        if let Some(line) = rest.strip_prefix("data=") {
            break line;
        }
        let Some((field, next)) = rest.split_once(',') else {
            return Err(signs.system(false).unwrap_or(Reject::StructData));
        };
        if let Some((name, value)) = field.split_once('=') {
            signs.add(Signs::of_field(name, shown(value)));
            if value.starts_with("Struct{") {
                // A row inside of the struct; only Debezium's are named so.
                return Err(signs.system_of_nested_row().unwrap_or(Reject::StructData));
            }
            set(&mut position, name, value);
        }
        rest = next;
    };
    let is_message = line.starts_with("message: ") || line.starts_with("streaming message: ");
    while let Some((before, last)) = line.rsplit_once(',') {
        let Some((name, value)) = last.split_once('=') else { break };
        if is_message || value.contains(['\'', '"']) {
            break;
        }
        let is_field = set(&mut position, name, value);
        if !is_field && Signs::of_key(name).is_empty() {
            break;
        }
        signs.add(Signs::of_field(name, shown(value)));
        line = before;
    }
    // A nested row is printed with a brace; a line has none before its names.
    match signs.system(!matches!(shown(line), Shown::Object | Shown::Array)) {
        Some(system) => Err(system),
        None => Ok(Fields { data: Text::Plain(line), position }),
    }
}

fn shown(value: &str) -> Shown<'_> {
    match value {
        "null" => Shown::Null,
        _ if value.starts_with("Struct{") || value.starts_with('{') => Shown::Object,
        _ if value.starts_with('[') => Shown::Array,
        _ => Shown::Text(value),
    }
}

/// Sets the field of that name; false if there is none.
fn set(position: &mut LinePosition, name: &str, value: &str) -> bool {
    let Some(field) = SideField::named(name) else { return false };
    let value = if value == "null" { SideValue::Null } else { SideValue::Text(value) };
    position.set(field, value, TimeForm::Unnamed);
    true
}
