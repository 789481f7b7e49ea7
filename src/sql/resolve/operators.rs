//! Operators: which types they take, and what they yield.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use chrono_tz::Tz;
use sqlparser::ast::{BinaryOperator, CaseWhen, Expr, InTarget};

use super::resolver::{Resolver, article, cast_hint};
use crate::sql::error::SqlError;
use crate::sql::evaluate::constant_value;
use crate::sql::expression::{Arithmetic, Comparison, Expression, Function, JsonKey, Literal, Node};
use crate::sql::text::place_of;
use crate::sql::types::{DECIMAL_DIGITS, Type};

impl Resolver<'_> {
    pub(super) fn binary(
        &mut self,
        left: &Expr,
        operator: &BinaryOperator,
        right: &Expr,
        syntax: &Expr,
    ) -> Result<Expression, SqlError> {
        let comparison = match operator {
            BinaryOperator::And | BinaryOperator::Or => return self.chain(operator, syntax),
            BinaryOperator::Plus => return self.arithmetic(Arithmetic::Add, left, right, syntax),
            BinaryOperator::Minus => return self.arithmetic(Arithmetic::Subtract, left, right, syntax),
            BinaryOperator::Multiply => return self.arithmetic(Arithmetic::Multiply, left, right, syntax),
            BinaryOperator::Divide => return self.arithmetic(Arithmetic::Divide, left, right, syntax),
            BinaryOperator::Modulo => return self.arithmetic(Arithmetic::Remainder, left, right, syntax),
            BinaryOperator::StringConcat => return self.join(left, right, syntax),
            BinaryOperator::Arrow | BinaryOperator::LongArrow => {
                return self.json(left, right, *operator == BinaryOperator::LongArrow, syntax);
            }
            BinaryOperator::Eq => Comparison::Equal,
            BinaryOperator::NotEq => Comparison::NotEqual,
            BinaryOperator::Lt => Comparison::Less,
            BinaryOperator::LtEq => Comparison::LessOrEqual,
            BinaryOperator::Gt => Comparison::Greater,
            BinaryOperator::GtEq => Comparison::GreaterOrEqual,
            other => {
                let instead = match other {
                    BinaryOperator::PGRegexMatch
                    | BinaryOperator::PGRegexIMatch
                    | BinaryOperator::PGRegexNotMatch
                    | BinaryOperator::PGRegexNotIMatch => "use LIKE or ILIKE",
                    BinaryOperator::PGLikeMatch | BinaryOperator::PGILikeMatch => "use LIKE or ILIKE",
                    BinaryOperator::HashArrow | BinaryOperator::HashLongArrow => "use -> and ->> one after the other",
                    _ => "docs/sql.md lists the operators",
                };
                return Err(self.error(place_of(syntax), format!("the operator {other} is not supported: {instead}")));
            }
        };
        self.comparison(comparison, left, right, syntax)
    }

    /// `a AND b AND c` is one list, however long.
    fn chain(&mut self, operator: &BinaryOperator, syntax: &Expr) -> Result<Expression, SqlError> {
        let (mut parts, mut rest) = (Vec::new(), syntax);
        while let Expr::BinaryOp { left, op, right } = rest
            && op == operator
        {
            parts.push(right.as_ref());
            rest = left;
        }
        parts.push(rest);
        let mut conditions = Vec::with_capacity(parts.len());
        for part in parts.into_iter().rev() {
            let condition = self.expression(part)?;
            conditions.push(self.boolean(condition, &format!("an operand of {operator}"))?);
        }
        let node = if *operator == BinaryOperator::And { Node::And(conditions) } else { Node::Or(conditions) };
        self.finished(node, Type::Boolean, syntax)
    }

    pub(super) fn comparison(
        &mut self,
        comparison: Comparison,
        left: &Expr,
        right: &Expr,
        syntax: &Expr,
    ) -> Result<Expression, SqlError> {
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        self.compared(comparison, left, right, syntax)
    }

    /// A comparison of two expressions, which become one type.
    pub(super) fn compared(
        &mut self,
        comparison: Comparison,
        left: Expression,
        right: Expression,
        syntax: &Expr,
    ) -> Result<Expression, SqlError> {
        let (left, right) = self.comparable(left, right)?;
        let node = Node::Compare { comparison, left: Box::new(left), right: Box::new(right) };
        self.finished(node, Type::Boolean, syntax)
    }

    pub(super) fn comparable(
        &mut self,
        left: Expression,
        right: Expression,
    ) -> Result<(Expression, Expression), SqlError> {
        if let Some(json) = [&left, &right].into_iter().find(|side| side.kind == Type::Json) {
            let message =
                format!("JSON values cannot be compared: take a text with ->>, or cast {}::text", json.source);
            return Err(self.error(json.place, message));
        }
        let Some(kind) = left.kind.common(right.kind) else {
            let text = if left.kind == Type::Text { &left } else { &right };
            let other = if left.kind == Type::Text { right.kind } else { left.kind };
            let message = match text.kind {
                Type::Text => format!(
                    "{} is text and cannot be compared with {}: cast it, as in {}::{}",
                    text.source,
                    article(other),
                    text.source,
                    if other.is_exact_number() { Type::Numeric } else { other }
                ),
                _ => format!("{} cannot be compared with {}", article(left.kind), article(right.kind)),
            };
            return Err(self.error(text.place, message));
        };
        let kind = if kind == Type::Unknown { Type::Text } else { kind };
        let (left, right) = (self.quoted_number(left, kind)?, self.quoted_number(right, kind)?);
        // Exact numbers are compared as they are: a cast to one scale could lose digits.
        if left.kind.is_exact_number() && right.kind.is_exact_number() {
            return Ok((left, right));
        }
        Ok((self.coerced(left, kind)?, self.coerced(right, kind)?))
    }

    fn arithmetic(
        &mut self,
        operation: Arithmetic,
        left: &Expr,
        right: &Expr,
        syntax: &Expr,
    ) -> Result<Expression, SqlError> {
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        let (left, right) = match (left.kind, right.kind) {
            (Type::Unknown, kind) if kind.is_number() => (self.operand(left, kind)?, right),
            (kind, Type::Unknown) if kind.is_number() => (left, self.operand(right, kind)?),
            _ => (left, right),
        };
        let is_sum = matches!(operation, Arithmetic::Add | Arithmetic::Subtract);
        let (left, right, kind) = match (left.kind, right.kind) {
            (Type::BigInt, Type::BigInt) => (left, right, Type::BigInt),
            (one, other) if one.is_exact_number() && other.is_exact_number() => {
                let kind = exact_result(operation, one.scale(), other.scale());
                (left, right, kind)
            }
            (one, other) if one.is_number() && other.is_number() => {
                if operation == Arithmetic::Remainder {
                    let message = "% needs whole or exact numbers: cast double precision, as in x::numeric";
                    return Err(self.error(left.place, message));
                }
                (self.coerced(left, Type::Double)?, self.coerced(right, Type::Double)?, Type::Double)
            }
            (Type::Date, Type::BigInt) if is_sum => (left, right, Type::Date),
            (Type::BigInt, Type::Date) if operation == Arithmetic::Add => (left, right, Type::Date),
            (Type::Date, Type::Date) if operation == Arithmetic::Subtract => (left, right, Type::BigInt),
            (one, other) => {
                let wrong = if one.is_number() { &right } else { &left };
                let message = match one.is_instant() || other.is_instant() {
                    true => format!(
                        "{} and {} cannot be added or subtracted: cast to date, and add whole days",
                        article(one),
                        article(other)
                    ),
                    false => format!("arithmetic needs numbers, not {}{}", article(wrong.kind), cast_hint(wrong)),
                };
                return Err(self.error(wrong.place, message));
            }
        };
        self.finished(Node::Arithmetic { operation, left: Box::new(left), right: Box::new(right) }, kind, syntax)
    }

    /// `x || y`: at least one is text, the other becomes text.
    fn join(&mut self, left: &Expr, right: &Expr, syntax: &Expr) -> Result<Expression, SqlError> {
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        let is_text = |side: &Expression| matches!(side.kind, Type::Text | Type::Unknown);
        if !is_text(&left) && !is_text(&right) {
            let message = format!("|| joins texts; cast one, as in {}::text", left.source);
            return Err(self.error(left.place, message));
        }
        let arguments = vec![self.coerced(left, Type::Text)?, self.coerced(right, Type::Text)?];
        self.finished(Node::Call { function: Function::Concat, arguments }, Type::Text, syntax)
    }

    fn json(&mut self, left: &Expr, right: &Expr, as_text: bool, syntax: &Expr) -> Result<Expression, SqlError> {
        let (json, key) = (self.expression(left)?, self.expression(right)?);
        if !matches!(json.kind, Type::Text | Type::Json) {
            let message = format!("-> and ->> need text with JSON, not {}", article(json.kind));
            return Err(self.error(json.place, message));
        }
        let key = match key.node {
            Node::Literal(Literal::Text(name)) => JsonKey::Field(name),
            Node::Literal(Literal::BigInt(place)) => JsonKey::Element(place),
            _ => return Err(self.error(key.place, "behind -> and ->> stands a quoted name or a number")),
        };
        let function = Function::JsonGet { key, as_text };
        let kind = if as_text { Type::Text } else { Type::Json };
        self.finished(Node::Call { function, arguments: vec![json] }, kind, syntax)
    }

    pub(super) fn in_list(
        &mut self,
        operand: &Expr,
        target: &InTarget,
        negated: bool,
        syntax: &Expr,
    ) -> Result<Expression, SqlError> {
        let InTarget::List(list) = target else {
            let message = "IN takes a list of values: subqueries are not supported, an expression sees one change";
            return Err(self.error(place_of(syntax), message));
        };
        let input = self.expression(operand)?;
        let input = if input.kind == Type::Unknown { self.coerced(input, Type::Text)? } else { input };
        let input = self.shared(input);
        let mut equals = Vec::with_capacity(list.len());
        for value in list {
            let value = self.expression(value)?;
            let input = self.copied(&input)?;
            equals.push(self.comparable(input, value)?);
        }
        let node = self.set_of(&input, &equals);
        let node = match node {
            Some(node) => node,
            None => {
                let compare = |(left, right): (Expression, Expression)| {
                    let (place, source) = (right.place, Arc::clone(&right.source));
                    let (left, right) = (Box::new(left), Box::new(right));
                    let node = Node::Compare { comparison: Comparison::Equal, left, right };
                    Expression { node, kind: Type::Boolean, place, source }
                };
                Node::Or(equals.into_iter().map(compare).collect())
            }
        };
        self.negated_if(negated, node, syntax)
    }

    /// A set, if all values are constants of the operand's own type that can be looked up, and are the same in every zone.
    fn set_of(&self, input: &Expression, equals: &[(Expression, Expression)]) -> Option<Node> {
        let is_fixed = |value: &Expression| value.is_constant() && !value.may_depend_on_zone();
        if !equals.iter().all(|(left, right)| left.kind == input.kind && right.kind == input.kind && is_fixed(right)) {
            return None;
        }
        let values = equals.iter().map(|(_, right)| constant_value(right, Tz::UTC).ok()).collect::<Option<Vec<_>>>()?;
        let has_null = values.iter().any(|value| value.is_null(0));
        let valid = values.iter().filter(|value| value.is_valid(0));
        let input = Box::new(input.clone());
        match input.kind {
            Type::Text => {
                let texts: HashSet<Arc<str>> = valid.map(|value| value.as_string::<i32>().value(0).into()).collect();
                Some(Node::InTexts { input, texts, has_null })
            }
            Type::BigInt => {
                let numbers = valid.map(|value| value.as_primitive::<Int64Type>().value(0)).collect();
                Some(Node::InNumbers { input, numbers, has_null })
            }
            _ => None,
        }
    }

    pub(super) fn between(
        &mut self,
        operand: &Expr,
        low: &Expr,
        high: &Expr,
        negated: bool,
        syntax: &Expr,
    ) -> Result<Expression, SqlError> {
        let operand = self.expression(operand)?;
        let operand = self.shared(operand);
        let (low, high) = (self.expression(low)?, self.expression(high)?);
        let copy = self.copied(&operand)?;
        let low = self.compared(Comparison::GreaterOrEqual, copy, low, syntax)?;
        let high = self.compared(Comparison::LessOrEqual, operand, high, syntax)?;
        self.negated_if(negated, Node::And(vec![low, high]), syntax)
    }

    pub(super) fn like(
        &mut self,
        operand: &Expr,
        pattern: &Expr,
        negated: bool,
        ignores_case: bool,
        syntax: &Expr,
    ) -> Result<Expression, SqlError> {
        let (input, pattern) = (self.expression(operand)?, self.expression(pattern)?);
        let input = Box::new(self.text(input, "the operand of LIKE")?);
        let pattern = Box::new(self.text(pattern, "a pattern")?);
        self.negated_if(negated, Node::Like { input, pattern, ignores_case }, syntax)
    }

    fn negated_if(&mut self, negated: bool, node: Node, syntax: &Expr) -> Result<Expression, SqlError> {
        let expression = self.finished(node, Type::Boolean, syntax)?;
        match negated {
            true => self.finished(Node::Not(Box::new(expression)), Type::Boolean, syntax),
            false => Ok(expression),
        }
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
        syntax: &Expr,
    ) -> Result<Expression, SqlError> {
        let operand = operand.map(|operand| self.expression(operand)).transpose()?;
        let operand = operand.map(|operand| self.shared(operand));
        let (mut tests, mut values) = (Vec::new(), Vec::new());
        for CaseWhen { condition, result } in conditions {
            let test = self.expression(condition)?;
            tests.push(match &operand {
                Some(operand) => {
                    let copy = self.copied(operand)?;
                    self.compared(Comparison::Equal, copy, test, condition)?
                }
                None => self.boolean(test, "a condition of CASE")?,
            });
            values.push(self.expression(result)?);
        }
        values.extend(otherwise.map(|otherwise| self.expression(otherwise)).transpose()?);
        let (mut values, kind) = self.common(values, "CASE")?;
        let otherwise = otherwise.and_then(|_| values.pop()).map(Box::new);
        let branches = tests.into_iter().zip(values).collect();
        self.finished(Node::Case { branches, otherwise }, kind, syntax)
    }
}

/// The type of a result of exact numbers, at least one of which is `numeric`.
fn exact_result(operation: Arithmetic, one: Option<u8>, other: Option<u8>) -> Type {
    let (Some(one), Some(other)) = (one, other) else { return Type::Numeric };
    let scale = match operation {
        Arithmetic::Divide => return Type::Numeric,
        Arithmetic::Multiply => one + other,
        Arithmetic::Add | Arithmetic::Subtract | Arithmetic::Remainder => one.max(other),
    };
    if scale <= DECIMAL_DIGITS { Type::Decimal { scale } } else { Type::Numeric }
}
