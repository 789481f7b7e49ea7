//! Names of columns.

use sqlparser::ast::Ident;

use super::resolver::Resolver;
use crate::sql::columns::{EventColumn, InputColumn, RowSide};
use crate::sql::error::{Place, SqlError, nearest};
use crate::sql::expression::{Expression, Node};
use crate::sql::text::place_of_ident;
use crate::sql::types::Type;

/// A name as PostgreSQL reads it: in lower case unless it is quoted.
pub(in crate::sql) fn folded(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

impl Resolver<'_> {
    /// `op`, `"table"`.
    pub(super) fn column(&mut self, name: &Ident) -> Result<Expression, SqlError> {
        let text = folded(name);
        if let Some(columns) = self.view {
            return self.view_column(name, &text, columns);
        }
        if let Some(column) = EventColumn::named(&text) {
            return Ok(self.input(InputColumn::Event(column), place_of_ident(name)));
        }
        let place = place_of_ident(name);
        let message = match (text.as_str(), RowSide::named(&text)) {
            (_, Some(side)) => format!("{} is a row: name one of its columns, as in {}.id", side.name(), side.name()),
            ("data" | "seq" | "ordinal", _) => {
                format!("{text} cannot be used in an expression: the values of the row are new.x, old.x and key.x")
            }
            _ if name.quote_style == Some('"') && self.text.len() < 200 => format!(
                "there is no column \"{text}\"; a text has single quotes, and a value of the row is new.{text}, old.{text} or key.{text}"
            ),
            _ => match nearest(&text, EventColumn::ALL.map(EventColumn::name)) {
                Some(near) => format!("there is no column {text}: did you mean {}?", quoted(near)),
                None => format!(
                    "there is no column {text}: a value of the changed row is new.{text}, old.{text} or key.{text}, and the \
                     other columns are {}",
                    EventColumn::ALL.map(|column| quoted(column.name())).join(", ")
                ),
            },
        };
        Err(self.error(place, message))
    }

    /// A column of the view.
    fn view_column(&mut self, name: &Ident, text: &str, columns: &[(String, Type)]) -> Result<Expression, SqlError> {
        let place = place_of_ident(name);
        if let Some((name, kind)) = columns.iter().find(|(known, _)| known == text) {
            return Ok(self.input(InputColumn::View { name: name.clone(), kind: *kind }, place));
        }
        let known = || columns.iter().map(|(name, _)| name.as_str());
        Err(self.error(
            place,
            match nearest(text, known()) {
                Some(near) => format!("the view has no column {text}: did you mean {near}?"),
                None => format!("the view has no column {text}; it has {}", known().collect::<Vec<_>>().join(", ")),
            },
        ))
    }

    /// `new.state`.
    pub(super) fn row_column(&mut self, parts: &[Ident]) -> Result<Expression, SqlError> {
        let place = parts.first().map(place_of_ident).unwrap_or_default();
        if self.view.is_some() {
            let message =
                "a column of a view has no prefix; the values of changed rows can be named when a view is declared";
            return Err(self.error(place, message));
        }
        let [side, name] = parts else {
            let message = "a column has at most one prefix: new.x, old.x or key.x";
            return Err(self.error(place, message));
        };
        match RowSide::named(&folded(side)) {
            Some(side) => Ok(self.input(InputColumn::Row { side, name: folded(name) }, place)),
            None => {
                let message = match nearest(&folded(side), ["new", "old", "key"]) {
                    Some(near) => format!("there is no row {}: did you mean {near}.{}?", side.value, name.value),
                    None => format!(
                        "there is no row {}: values are new.x (after the change), old.x (before it) and key.x (the identity)",
                        side.value
                    ),
                };
                Err(self.error(place, message))
            }
        }
    }

    fn input(&mut self, column: InputColumn, place: Place) -> Expression {
        let (kind, source) = (column.kind(), column.to_string().into());
        let node = Node::Column(self.columns.place_of(column));
        Expression { node, kind, place, source }
    }
}

/// A column's name as an expression needs it.
fn quoted(name: &str) -> String {
    if matches!(name, "table" | "offset") { format!("\"{name}\"") } else { name.to_owned() }
}
