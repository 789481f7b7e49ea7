//! Connect's `Struct{lsn=0/1,xid=5,data=…}`: a struct printed by StringConverter (org.apache.kafka.connect.data.Struct).
//!
//! It is printed without escapes and without fields that are null, so a rule must say where the line ends:
//! the line begins after the first `data=` that follows the brace or a comma, and ends before the last brace. From its end, as
//! long as what follows the last comma is `name=value` with a name that walbook or another system's envelope knows and a value
//! without quotes, that is a field and not the line: no change and no border of a transaction ends so, because a comma in a line
//! stands inside quotes or in a list before the operation. A logical message may end so; it keeps its text, being a marker either way.

use super::fields::{Fields, LinePosition, SideField, SideValue, Text, TimeForm};
use super::foreign::Signs;
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
            return Err(signs.system().unwrap_or(Reject::StructData));
        };
        if let Some((name, value)) = field.split_once('=') {
            signs.add(Signs::of_key(name));
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
        let sign = Signs::of_key(name);
        if is_message || value.contains(['\'', '"']) {
            break;
        }
        let is_field = set(&mut position, name, value);
        if !is_field && sign.is_empty() {
            break;
        }
        signs.add(sign);
        line = before;
    }
    match signs.system() {
        Some(system) => Err(system),
        None => Ok(Fields { data: Text::Plain(line), position }),
    }
}

/// Sets the field of that name; false if there is none.
fn set(position: &mut LinePosition, name: &str, value: &str) -> bool {
    let Some(field) = SideField::named(name) else { return false };
    let value = if value == "null" { SideValue::Null } else { SideValue::Text(value) };
    position.set(field, value, TimeForm::Unnamed);
    true
}
