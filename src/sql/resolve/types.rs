//! Casts that are written, and those that operators imply.

use sqlparser::ast::{DataType, ExactNumberInfo, Expr, TimezoneInfo};

use super::resolver::{Resolver, article};
use crate::sql::error::SqlError;
use crate::sql::evaluate::decimal_of_text;
use crate::sql::expression::{Expression, Literal, Node};
use crate::sql::text::place_of;
use crate::sql::types::{DECIMAL_DIGITS, Type};

impl Resolver<'_> {
    /// `x::type`, `CAST(x AS type)`, `type 'x'`.
    pub(super) fn explicit_cast(
        &mut self,
        input: Expression,
        data_type: &DataType,
        syntax: &Expr,
    ) -> Result<Expression, SqlError> {
        let (kind, precision) = named_type(data_type).map_err(|message| self.error(input.place, message))?;
        if !can_cast(input.kind, kind) {
            let message = format!("{} cannot be cast to {kind}", article(input.kind));
            return Err(self.error(input.place, message));
        }
        let place = input.place;
        let mut cast = self.finished(Node::Cast { input: Box::new(input), precision }, kind, syntax)?;
        if cast.place.line == 0 {
            cast.place = place;
        }
        Ok(cast)
    }

    /// An expression as another type, which it becomes without being asked to: a quoted text or NULL becomes any type,
    /// a number or an instant a wider one.
    pub(super) fn coerced(&mut self, expression: Expression, kind: Type) -> Result<Expression, SqlError> {
        if expression.kind == kind {
            return Ok(expression);
        }
        let (place, source) = (expression.place, format!("{}::{kind}", expression.source).into());
        let node = Node::Cast { input: Box::new(expression), precision: None };
        self.checked(Expression { node, kind, place, source })
    }

    /// Next to numbers of a fixed scale, a quoted number keeps its own digits after the point, as an unquoted one does.
    pub(super) fn quoted_number(&mut self, expression: Expression, neighbour: Type) -> Result<Expression, SqlError> {
        match (&expression.node, neighbour) {
            (Node::Literal(Literal::Text(text)), Type::Decimal { .. }) if expression.kind == Type::Unknown => {
                let kind = decimal_of_text(text).map_or(Type::Numeric, |(_, scale)| Type::Decimal { scale });
                self.coerced(expression, kind)
            }
            _ => Ok(expression),
        }
    }

    /// An operand of arithmetic whose type was open, next to one of a known type.
    pub(super) fn operand(&mut self, expression: Expression, neighbour: Type) -> Result<Expression, SqlError> {
        let expression = self.quoted_number(expression, neighbour)?;
        if expression.kind == Type::Unknown { self.coerced(expression, neighbour) } else { Ok(expression) }
    }

    /// Two or more expressions as their common type.
    pub(super) fn common(&mut self, parts: Vec<Expression>, what: &str) -> Result<(Vec<Expression>, Type), SqlError> {
        let kind = self.common_kind(&parts, what)?;
        let parts: Vec<Expression> =
            parts.into_iter().map(|part| self.quoted_number(part, kind)).collect::<Result<_, _>>()?;
        let kind = self.common_kind(&parts, what)?;
        let kind = if kind == Type::Unknown { Type::Text } else { kind };
        let parts = parts.into_iter().map(|part| self.coerced(part, kind)).collect::<Result<_, _>>()?;
        Ok((parts, kind))
    }

    fn common_kind(&self, parts: &[Expression], what: &str) -> Result<Type, SqlError> {
        parts.iter().try_fold(Type::Unknown, |kind, part| {
            kind.common(part.kind).ok_or_else(|| {
                let message = format!("{what} has values of the types {kind} and {}: cast one of them", part.kind);
                self.error(part.place, message)
            })
        })
    }

    /// A condition.
    pub(super) fn boolean(&mut self, expression: Expression, what: &str) -> Result<Expression, SqlError> {
        match expression.kind {
            Type::Boolean | Type::Unknown => self.coerced(expression, Type::Boolean),
            kind => {
                let hint = match kind {
                    Type::Text => format!("; cast it, as in {}::boolean, or compare it", expression.source),
                    _ => "; compare it with a value".to_owned(),
                };
                Err(self.error(expression.place, format!("{what} must be boolean, not {}{hint}", article(kind))))
            }
        }
    }

    /// A text; JSON too.
    pub(super) fn text(&mut self, expression: Expression, what: &str) -> Result<Expression, SqlError> {
        match expression.kind {
            Type::Text | Type::Unknown => self.coerced(expression, Type::Text),
            kind => {
                let message =
                    format!("{what} must be text, not {}; cast it, as in {}::text", article(kind), expression.source);
                Err(self.error(expression.place, message))
            }
        }
    }

    /// A whole number.
    pub(super) fn whole(&mut self, syntax: &Expr, what: &str) -> Result<Expression, SqlError> {
        let expression = self.expression(syntax)?;
        match expression.kind {
            Type::BigInt | Type::Unknown => self.coerced(expression, Type::BigInt),
            kind => Err(self.error(place_of(syntax), format!("{what} must be a bigint, not {}", article(kind)))),
        }
    }
}

/// Whether PostgreSQL casts one type to the other.
fn can_cast(from: Type, to: Type) -> bool {
    match (from, to) {
        (from, to) if from == to => true,
        (Type::Text | Type::Json | Type::Unknown, _) | (_, Type::Text) => true,
        (from, to) if from.is_number() && to.is_number() => true,
        (Type::Timestamp | Type::TimestampTz, Type::Time) => true,
        (from, to) => from.is_instant() && to.is_instant(),
    }
}

/// The type of a name, with the precision of `numeric(p, s)`.
fn named_type(data_type: &DataType) -> Result<(Type, Option<u8>), String> {
    let kind = match data_type {
        DataType::Boolean | DataType::Bool => Type::Boolean,
        DataType::BigInt(None) | DataType::Int8(None) => Type::BigInt,
        DataType::DoublePrecision | DataType::Float8 => Type::Double,
        DataType::Text | DataType::Varchar(None) => Type::Text,
        DataType::JSON => Type::Json,
        DataType::Date => Type::Date,
        DataType::Time(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => Type::Time,
        DataType::Timestamp(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => Type::Timestamp,
        DataType::Timestamp(None, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => Type::TimestampTz,
        DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => {
            let (precision, scale) = match info {
                ExactNumberInfo::None => return Ok((Type::Numeric, None)),
                ExactNumberInfo::Precision(precision) => (*precision, 0),
                ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
            };
            let most = u64::from(DECIMAL_DIGITS);
            return match (u8::try_from(precision), u8::try_from(scale)) {
                (Ok(precision @ 1..=DECIMAL_DIGITS), Ok(scale)) if scale <= precision => {
                    Ok((Type::Decimal { scale }, Some(precision)))
                }
                _ => Err(format!(
                    "numeric({precision},{scale}) needs 1 to {most} digits, of which 0 to all stand after the point"
                )),
            };
        }
        other => {
            let name = other.to_string().to_lowercase();
            let instead = match other {
                DataType::Int(_)
                | DataType::Integer(_)
                | DataType::SmallInt(_)
                | DataType::Int2(_)
                | DataType::Int4(_) => "bigint",
                DataType::Real | DataType::Float(_) | DataType::Float4 | DataType::Double(_) => "double precision",
                DataType::Varchar(_)
                | DataType::Char(_)
                | DataType::Character(_)
                | DataType::CharacterVarying(_)
                | DataType::Uuid => "text",
                DataType::JSONB => "json",
                DataType::Timestamp(..) => "timestamp or timestamptz without a precision",
                DataType::Interval { .. } => "a fixed time, or whole days added to a date",
                _ => {
                    return Err(format!(
                        "there is no type {name}: there are boolean, bigint, numeric, double precision, text, json, date, time, \
                         timestamp and timestamptz"
                    ));
                }
            };
            return Err(format!("there is no type {name}: use {instead}"));
        }
    };
    Ok((kind, None))
}
