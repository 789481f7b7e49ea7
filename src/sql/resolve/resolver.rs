//! From syntax to typed expressions, one kind of syntax after the other.

use std::sync::Arc;

use chrono_tz::Tz;
use sqlparser::ast::{Expr, TypedString, UnaryOperator, Value as SyntaxValue, ValueWithSpan};

use crate::sql::columns::InputColumns;
use crate::sql::error::{Place, SqlError};
use crate::sql::evaluate::{constant_value, decimal_of_text};
use crate::sql::expression::{Comparison, Expression, Literal, Node, OperandNumber};
use crate::sql::text::place_of;
use crate::sql::types::Type;

/// How deep a tree of expressions may be: conditions joined by AND or OR are one level.
const DEEPEST_TREE: usize = 200;
/// The most expressions that are copies of an operand: BETWEEN, IN and CASE compare one operand several times, so that nested
/// ones would grow exponentially.
const MOST_COPIES: usize = 50_000;

/// Resolves the expressions of one text.
pub(in crate::sql) struct Resolver<'a> {
    pub(in crate::sql) text: &'a str,
    pub(in crate::sql) columns: InputColumns,
    /// The columns of a view, whose rows the expressions are about; `None` for changes.
    pub(super) view: Option<&'a [(String, Type)]>,
    depth: usize,
    copies: usize,
    /// How many operands are compared several times.
    shared: usize,
}

impl<'a> Resolver<'a> {
    pub(in crate::sql) fn new(text: &'a str) -> Resolver<'a> {
        Resolver { text, columns: InputColumns::default(), view: None, depth: 0, copies: 0, shared: 0 }
    }

    /// For expressions about the rows of a view with these columns.
    pub(in crate::sql) fn of_view(text: &'a str, columns: &'a [(String, Type)]) -> Resolver<'a> {
        Resolver { view: Some(columns), ..Resolver::new(text) }
    }

    /// Resolves a condition.
    pub(in crate::sql) fn condition(&mut self, syntax: &Expr) -> Result<Expression, SqlError> {
        let condition = self.expression(syntax)?;
        self.boolean(condition, "a condition")
    }

    /// Resolves a value of a known type: a quoted text is `text`.
    pub(in crate::sql) fn value(&mut self, syntax: &Expr) -> Result<Expression, SqlError> {
        let value = self.expression(syntax)?;
        if value.kind == Type::Unknown { self.coerced(value, Type::Text) } else { Ok(value) }
    }

    /// Resolves an expression; a quoted text or NULL may still be of any type.
    pub(super) fn expression(&mut self, syntax: &Expr) -> Result<Expression, SqlError> {
        self.depth += 1;
        if self.depth > DEEPEST_TREE {
            let message = format!("more than {DEEPEST_TREE} operators are applied to each other: write it flatter");
            return Err(self.error(place_of(syntax), message));
        }
        let expression = self.expression_of(syntax);
        self.depth -= 1;
        expression
    }

    fn expression_of(&mut self, syntax: &Expr) -> Result<Expression, SqlError> {
        match syntax {
            Expr::Nested(inner) => self.expression(inner),
            Expr::Identifier(name) => self.column(name),
            Expr::CompoundIdentifier(parts) => self.row_column(parts),
            Expr::Value(value) => self.literal(value),
            Expr::TypedString(TypedString { data_type, value, .. }) => {
                let text = self.literal(value)?;
                self.explicit_cast(text, data_type, syntax)
            }
            Expr::Cast { kind, expr, data_type, format } => {
                if *kind == sqlparser::ast::CastKind::TryCast
                    || *kind == sqlparser::ast::CastKind::SafeCast
                    || format.is_some()
                {
                    let message =
                        "only CAST(x AS type) and x::type are casts: a value that cannot be cast is NULL anyway";
                    return Err(self.error(place_of(syntax), message));
                }
                let input = self.expression(expr)?;
                self.explicit_cast(input, data_type, syntax)
            }
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, syntax),
            Expr::UnaryOp { op, expr } => self.unary(op, expr, syntax),
            Expr::IsNull(inner) => self.is_null(inner, false, syntax),
            Expr::IsNotNull(inner) => self.is_null(inner, true, syntax),
            Expr::IsDistinctFrom(left, right) => self.comparison(Comparison::Distinct, left, right, syntax),
            Expr::IsNotDistinctFrom(left, right) => self.comparison(Comparison::NotDistinct, left, right, syntax),
            Expr::In { expr, target, negated, global: false } => self.in_list(expr, target, *negated, syntax),
            Expr::Between { expr, negated, low, high } => self.between(expr, low, high, *negated, syntax),
            Expr::Like { negated, any: false, expr, pattern, escape_char: None } => {
                self.like(expr, pattern, *negated, false, syntax)
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char: None } => {
                self.like(expr, pattern, *negated, true, syntax)
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), syntax)
            }
            Expr::Function(function) => self.function(function, syntax),
            Expr::Extract { field, expr, .. } => self.extract(field, expr, syntax),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                self.substring(expr, substring_from.as_deref(), substring_for.as_deref(), syntax)
            }
            Expr::Trim { trim_where, trim_what, expr, trim_characters } => {
                let characters = trim_characters.as_ref().and_then(|characters| characters.first());
                self.trim(*trim_where, trim_what.as_deref().or(characters), expr, syntax)
            }
            other => Err(self.refused(other)),
        }
    }

    /// The error for syntax that expressions do not have.
    fn refused(&self, syntax: &Expr) -> SqlError {
        let message = match syntax {
            Expr::Exists { .. } | Expr::Subquery(_) => {
                "subqueries are not supported: an expression sees one change; list values with IN (…)"
            }
            Expr::Like { .. } | Expr::ILike { .. } => {
                "LIKE ANY and LIKE … ESCAPE are not supported: join patterns with OR, and escape with a backslash"
            }
            Expr::SimilarTo { .. } | Expr::RLike { .. } => "regular expressions are not supported: use LIKE or ILIKE",
            Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_) => {
                "IS TRUE, IS FALSE and IS UNKNOWN are not supported: use COALESCE(x, false) or IS NULL"
            }
            Expr::AnyOp { .. } | Expr::AllOp { .. } => "ANY and ALL are not supported: list values with IN (…)",
            Expr::AtTimeZone { .. } => {
                "AT TIME ZONE is not supported: days and times are those of the book's time zone"
            }
            Expr::Interval(_) => {
                "intervals are not supported: compare with a fixed time, or add days to a date as in day - 7"
            }
            Expr::Array(_) | Expr::CompoundFieldAccess { .. } => {
                "arrays are not supported: an array is text, as in '{1,2}'"
            }
            Expr::Tuple(_) => "rows in parentheses are not supported: compare each column, joined by AND",
            Expr::Ceil { .. } | Expr::Floor { .. } => "ceil and floor are not supported: use round",
            Expr::Position { .. } => "position is not supported: use LIKE '%text%'",
            Expr::Overlay { .. } => "overlay is not supported: join parts of substring with ||",
            Expr::Collate { .. } => {
                "COLLATE is not supported: texts are compared by their bytes, as in collation \"C\""
            }
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => "* is not supported here: name a column",
            _ => "this is not supported in an expression: docs/sql.md lists what is",
        };
        self.error(place_of(syntax), message)
    }

    pub(super) fn literal(&mut self, value: &ValueWithSpan) -> Result<Expression, SqlError> {
        let place = crate::sql::text::place(value.span.start);
        let (literal, kind) = match &value.value {
            SyntaxValue::Null => (Literal::Null, Type::Unknown),
            SyntaxValue::Boolean(truth) => (Literal::Boolean(*truth), Type::Boolean),
            SyntaxValue::Number(digits, _) => match digits.parse::<i64>() {
                Ok(number) => (Literal::BigInt(number), Type::BigInt),
                Err(_) => match decimal_of_text(digits) {
                    Some((digits, scale)) => (Literal::Decimal(digits), Type::Decimal { scale }),
                    None => return Err(self.error(place, "a number has at most 38 digits")),
                },
            },
            SyntaxValue::SingleQuotedString(text) | SyntaxValue::EscapedStringLiteral(text) => {
                (Literal::Text(Arc::from(text.as_str())), Type::Unknown)
            }
            SyntaxValue::DollarQuotedString(text) => (Literal::Text(Arc::from(text.value.as_str())), Type::Unknown),
            SyntaxValue::Placeholder(_) => {
                return Err(self.error(place, "parameters such as $1 are not supported: write the value"));
            }
            _ => return Err(self.error(place, "this kind of quoted text is not supported: use 'text'")),
        };
        let source = value.value.to_string().into();
        Ok(Expression { node: Node::Literal(literal), kind, place, source })
    }

    fn unary(&mut self, operator: &UnaryOperator, operand: &Expr, syntax: &Expr) -> Result<Expression, SqlError> {
        match operator {
            UnaryOperator::Not => {
                let operand = self.expression(operand)?;
                let operand = self.boolean(operand, "the operand of NOT")?;
                self.finished(Node::Not(Box::new(operand)), Type::Boolean, syntax)
            }
            UnaryOperator::Plus | UnaryOperator::Minus => {
                // The lowest bigint is no negated bigint.
                if let (
                    UnaryOperator::Minus,
                    Expr::Value(ValueWithSpan { value: SyntaxValue::Number(digits, _), span }),
                ) = (operator, operand)
                    && let Ok(number) = format!("-{digits}").parse::<i64>()
                {
                    let place = crate::sql::text::place(span.start);
                    let source = syntax.to_string().into();
                    return Ok(Expression {
                        node: Node::Literal(Literal::BigInt(number)),
                        kind: Type::BigInt,
                        place,
                        source,
                    });
                }
                let operand = self.expression(operand)?;
                if !operand.kind.is_number() {
                    let message =
                        format!("{operator} needs a number, not {}{}", article(operand.kind), cast_hint(&operand));
                    return Err(self.error(operand.place, message));
                }
                if *operator == UnaryOperator::Plus {
                    return Ok(operand);
                }
                let kind = operand.kind;
                self.finished(Node::Negate(Box::new(operand)), kind, syntax)
            }
            other => Err(self.error(place_of(syntax), format!("the operator {other} is not supported"))),
        }
    }

    /// An operand that will be compared several times, and is to be computed once.
    pub(super) fn shared(&mut self, operand: Expression) -> Expression {
        if matches!(operand.node, Node::Column(_) | Node::Literal(_)) {
            return operand;
        }
        let number = OperandNumber(self.shared);
        self.shared += 1;
        let Expression { kind, place, ref source, .. } = operand;
        let source = Arc::clone(source);
        Expression { node: Node::Shared { operand: Arc::new(operand), number }, kind, place, source }
    }

    /// A copy of an operand that is compared more than once.
    pub(super) fn copied(&mut self, operand: &Expression) -> Result<Expression, SqlError> {
        self.copies += operand.size();
        if self.copies > MOST_COPIES {
            let message =
                "BETWEEN, IN and CASE compare this operand too many times: nest fewer of them, or list fewer values";
            return Err(self.error(operand.place, message));
        }
        Ok(operand.clone())
    }

    fn is_null(&mut self, operand: &Expr, negated: bool, syntax: &Expr) -> Result<Expression, SqlError> {
        let input = Box::new(self.value(operand)?);
        self.finished(Node::IsNull { input, negated }, Type::Boolean, syntax)
    }

    /// An expression of a syntax. One without columns is computed now, so that a mistake in it is reported here.
    pub(super) fn finished(&mut self, node: Node, kind: Type, syntax: &Expr) -> Result<Expression, SqlError> {
        let expression = Expression { node, kind, place: place_of(syntax), source: shortened(syntax).into() };
        self.checked(expression)
    }

    pub(super) fn checked(&self, expression: Expression) -> Result<Expression, SqlError> {
        if expression.is_constant()
            && let Err(bad) = constant_value(&expression, Tz::UTC)
        {
            return Err(self.error(expression.place, format!("{}: {}", bad.expression, bad.reason)));
        }
        Ok(expression)
    }

    pub(in crate::sql) fn error(&self, place: Place, message: impl Into<String>) -> SqlError {
        SqlError::at(self.text, place, message)
    }
}

/// The most characters of an expression that messages repeat.
const LONGEST_SOURCE: usize = 100;

fn shortened(syntax: &impl std::fmt::Display) -> String {
    let text = syntax.to_string();
    match text.char_indices().nth(LONGEST_SOURCE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// A type with its article.
pub(super) fn article(kind: Type) -> String {
    match kind {
        Type::Unknown => "a quoted text".to_owned(),
        Type::Text | Type::Json | Type::Double => format!("{kind}"),
        kind => format!("a {kind}"),
    }
}

/// For a text, how it becomes a number.
pub(super) fn cast_hint(operand: &Expression) -> String {
    match operand.kind {
        Type::Text | Type::Json | Type::Unknown => format!("; cast it, as in {}::numeric", operand.source),
        _ => String::new(),
    }
}
