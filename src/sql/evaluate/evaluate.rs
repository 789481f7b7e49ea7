//! Which kernel computes which expression.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray, Decimal128Array, Int64Array, StringArray, new_empty_array, new_null_array};
use arrow_buffer::BooleanBuffer;
use chrono_tz::Tz;

use super::kernels::Failures;
use super::value::Value;
use crate::sql::bad_values::{BadValue, BadValues};
use crate::sql::expression::{Expression, Literal, Node, OperandNumber};
use crate::sql::types::Type;

/// Columns of changes, in the order of a plan's [`InputColumns`](crate::sql::InputColumns).
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The number of changes.
    pub rows: usize,
    /// The columns, stored as [`Type::data_type`](crate::sql::Type::data_type) says.
    pub columns: &'a [ArrayRef],
    /// The zone in which instants become days, times and texts, and texts without an offset become instants: the book's.
    pub time_zone: Tz,
}

impl Expression {
    /// The values of all changes of a batch. What cannot be computed is NULL, and counted in `bad`.
    ///
    /// # Panics
    /// When a column is missing or stored as another type.
    pub fn evaluate(&self, batch: &Batch<'_>, bad: &mut BadValues) -> ArrayRef {
        if batch.rows == 0 {
            return new_empty_array(&self.kind.data_type());
        }
        Evaluation::new(batch, bad).value(self, None).into_array(batch.rows)
    }
}

/// Computes expressions over one batch.
pub(in crate::sql) struct Evaluation<'a> {
    pub(in crate::sql) batch: &'a Batch<'a>,
    pub(in crate::sql) bad: &'a mut BadValues,
    /// By number: operands that were computed.
    shared: Vec<Option<Value>>,
}

impl<'a> Evaluation<'a> {
    fn new(batch: &'a Batch<'a>, bad: &'a mut BadValues) -> Evaluation<'a> {
        Evaluation { batch, bad, shared: Vec::new() }
    }

    /// The values of an expression. Failures count in `rows` only; the values of other rows have no meaning.
    pub(in crate::sql) fn value(&mut self, expression: &Expression, rows: Option<&BooleanBuffer>) -> Value {
        match &expression.node {
            Node::Column(place) => Value { array: Arc::clone(&self.batch.columns[*place]), is_scalar: false },
            Node::Literal(literal) => Value { array: literal_array(literal, expression.kind), is_scalar: true },
            Node::Cast { input, precision } => {
                let value = self.value(input, rows);
                let zone = self.batch.time_zone;
                super::cast::cast(&value, input.kind, *precision, zone, &mut self.failures(expression, rows))
            }
            Node::Shared { operand, number } => self.shared(operand, *number, rows),
            Node::Not(input) => {
                let value = self.value(input, rows);
                let array = arrow_arith::boolean::not(value.array.as_boolean()).expect("a boolean has an opposite");
                Value { array: Arc::new(array), is_scalar: value.is_scalar }
            }
            Node::And(parts) => self.all_of(parts, rows),
            Node::Or(parts) => self.any_of(parts, rows),
            Node::IsNull { input, negated } => {
                let value = self.value(input, rows);
                let test = if *negated { arrow_arith::boolean::is_not_null } else { arrow_arith::boolean::is_null };
                Value { array: Arc::new(test(&value.array).expect("any column")), is_scalar: value.is_scalar }
            }
            Node::Compare { comparison, left, right } => {
                let (one, other) = (self.value(left, rows), self.value(right, rows));
                super::compare::compare(*comparison, (&one, left.kind), (&other, right.kind))
            }
            Node::InTexts { input, texts, has_null } => {
                let value = self.value(input, rows);
                let tests = value.array.as_string::<i32>().iter().map(|text| match texts.contains(text?) {
                    true => Some(true),
                    false => (!has_null).then_some(false),
                });
                Value { array: Arc::new(tests.collect::<BooleanArray>()), is_scalar: value.is_scalar }
            }
            Node::InNumbers { input, numbers, has_null } => {
                let value = self.value(input, rows);
                let values = value.array.as_primitive::<arrow_array::types::Int64Type>();
                let tests = values.iter().map(|number| match numbers.contains(&number?) {
                    true => Some(true),
                    false => (!has_null).then_some(false),
                });
                Value { array: Arc::new(tests.collect::<BooleanArray>()), is_scalar: value.is_scalar }
            }
            Node::Like { input, pattern, ignores_case } => {
                let (text, pattern) = (self.value(input, rows), self.value(pattern, rows));
                super::like::like(&text, &pattern, *ignores_case, &mut self.failures(expression, rows))
            }
            Node::Arithmetic { operation, left, right } => {
                let (one, other) = (self.value(left, rows), self.value(right, rows));
                let operands = ((&one, left.kind), (&other, right.kind));
                super::arithmetic::arithmetic(*operation, operands, &mut self.failures(expression, rows))
            }
            Node::Negate(input) => {
                let value = self.value(input, rows);
                super::arithmetic::negate(&value, input.kind, &mut self.failures(expression, rows))
            }
            Node::Case { branches, otherwise } => self.case(branches, otherwise.as_deref(), expression.kind, rows),
            Node::Coalesce(parts) => self.coalesce(parts, expression.kind, rows),
            Node::NullIf { value, other } => self.null_if(value, other, rows),
            Node::Call { function, arguments } => {
                let values: Vec<Value> = arguments.iter().map(|argument| self.value(argument, rows)).collect();
                let zone = self.batch.time_zone;
                let kinds: Vec<Type> = arguments.iter().map(|argument| argument.kind).collect();
                super::logic::call(function, &values, &kinds, zone, &mut self.failures(expression, rows))
            }
        }
    }

    /// The value of an operand that is compared several times. Where it is needed first, it is needed in all rows in which it is
    /// needed later, so its failures count once.
    fn shared(
        &mut self,
        operand: &Expression,
        OperandNumber(number): OperandNumber,
        rows: Option<&BooleanBuffer>,
    ) -> Value {
        if let Some(Some(known)) = self.shared.get(number) {
            return known.clone();
        }
        let value = self.value(operand, rows);
        if self.shared.len() <= number {
            self.shared.resize(number + 1, None);
        }
        self.shared[number] = Some(value.clone());
        value
    }

    fn failures<'f>(&'f mut self, expression: &'f Expression, rows: Option<&'f BooleanBuffer>) -> Failures<'f> {
        Failures { bad: self.bad, rows, expression }
    }
}

/// The value of a constant expression, or why it has none.
pub(in crate::sql) fn constant_value(expression: &Expression, time_zone: Tz) -> Result<ArrayRef, BadValue> {
    let mut bad = BadValues::default();
    let batch = Batch { rows: 1, columns: &[], time_zone };
    let value = Evaluation::new(&batch, &mut bad).value(expression, None);
    match bad.first {
        Some(bad) => Err(bad),
        None => Ok(value.into_array(1)),
    }
}

fn literal_array(literal: &Literal, kind: Type) -> ArrayRef {
    match literal {
        Literal::Null => new_null_array(&kind.data_type(), 1),
        Literal::Boolean(value) => Arc::new(BooleanArray::from(vec![*value])),
        Literal::BigInt(value) => Arc::new(Int64Array::from(vec![*value])),
        Literal::Decimal(value) => Arc::new(Decimal128Array::from(vec![*value]).with_data_type(kind.data_type())),
        Literal::Text(text) => Arc::new(StringArray::from(vec![text.as_ref()])),
    }
}
