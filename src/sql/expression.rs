//! A typed expression: names are places of columns, every operator knows the types of its operands.

use std::collections::HashSet;
use std::sync::Arc;

use super::error::Place;
use super::types::Type;

/// An expression whose names and types are resolved.
///
/// Equal expressions compute the same, wherever they were written.
#[derive(Clone, Debug)]
pub struct Expression {
    pub(in crate::sql) node: Node,
    pub(in crate::sql) kind: Type,
    pub(in crate::sql) place: Place,
    /// As it was written, for values that it cannot compute.
    pub(in crate::sql) source: Arc<str>,
}

impl Expression {
    /// The type of its values; they are stored as [`Type::data_type`] says.
    pub fn kind(&self) -> Type {
        self.kind
    }

    /// The column that it is, by its place among the plan's columns, if it is no more than that.
    pub fn as_column(&self) -> Option<usize> {
        match self.node {
            Node::Column(place) => Some(place),
            _ => None,
        }
    }

    /// Whether it reads no column.
    pub(in crate::sql) fn is_constant(&self) -> bool {
        !matches!(self.node, Node::Column(_)) && self.children().iter().all(|child| child.is_constant())
    }

    /// Whether its values may be others in another time zone: only instants are seen through one.
    pub(in crate::sql) fn may_depend_on_zone(&self) -> bool {
        self.kind == Type::TimestampTz || self.children().iter().any(|child| child.may_depend_on_zone())
    }

    /// How many expressions it consists of.
    pub(in crate::sql) fn size(&self) -> usize {
        1 + self.children().into_iter().map(Expression::size).sum::<usize>()
    }

    /// Its operands.
    pub(in crate::sql) fn children(&self) -> Vec<&Expression> {
        match &self.node {
            Node::Column(_) | Node::Literal(_) => Vec::new(),
            Node::Cast { input, .. }
            | Node::Not(input)
            | Node::Negate(input)
            | Node::IsNull { input, .. }
            | Node::InTexts { input, .. }
            | Node::InNumbers { input, .. } => vec![input],
            Node::Shared { operand, .. } => vec![operand],
            Node::And(parts) | Node::Or(parts) | Node::Coalesce(parts) | Node::Call { arguments: parts, .. } => {
                parts.iter().collect()
            }
            Node::Compare { left, right, .. }
            | Node::Like { input: left, pattern: right, .. }
            | Node::Arithmetic { left, right, .. }
            | Node::NullIf { value: left, other: right } => vec![left, right],
            Node::Case { branches, otherwise } => {
                let branches = branches.iter().flat_map(|(condition, value)| [condition, value]);
                branches.chain(otherwise.as_deref()).collect()
            }
        }
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Expression) -> bool {
        self.kind == other.kind && self.node == other.node
    }
}

/// What an expression does; its operands have the types that it needs.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sql) enum Node {
    /// A column, by its place among the plan's columns.
    Column(usize),
    Literal(Literal),
    /// To the type of the expression; `precision` is that of `numeric(p, s)`.
    Cast {
        input: Box<Expression>,
        precision: Option<u8>,
    },
    /// An operand that is compared several times: it is computed once, where it is needed first.
    Shared {
        operand: Arc<Expression>,
        number: OperandNumber,
    },
    Not(Box<Expression>),
    /// Left to right: what follows a false part is not computed.
    And(Vec<Expression>),
    /// Left to right: what follows a true part is not computed.
    Or(Vec<Expression>),
    IsNull {
        input: Box<Expression>,
        negated: bool,
    },
    /// Operands of one type, or two exact numbers.
    Compare {
        comparison: Comparison,
        left: Box<Expression>,
        right: Box<Expression>,
    },
    /// `input IN (…)` where all are quoted texts; `has_null` if NULL is among them.
    InTexts {
        input: Box<Expression>,
        texts: HashSet<Arc<str>>,
        has_null: bool,
    },
    /// The same for whole numbers.
    InNumbers {
        input: Box<Expression>,
        numbers: HashSet<i64>,
        has_null: bool,
    },
    Like {
        input: Box<Expression>,
        pattern: Box<Expression>,
        ignores_case: bool,
    },
    Arithmetic {
        operation: Arithmetic,
        left: Box<Expression>,
        right: Box<Expression>,
    },
    Negate(Box<Expression>),
    /// The value of the first branch whose condition is true.
    Case {
        branches: Vec<(Expression, Expression)>,
        otherwise: Option<Box<Expression>>,
    },
    /// The first value that is not NULL.
    Coalesce(Vec<Expression>),
    /// NULL where both are equal.
    NullIf {
        value: Box<Expression>,
        other: Box<Expression>,
    },
    Call {
        function: Function,
        arguments: Vec<Expression>,
    },
}

/// Tells the operand of one comparison from those of others in the same text. It is no part of what an expression computes, so all
/// numbers are equal.
#[derive(Clone, Copy, Debug)]
pub(in crate::sql) struct OperandNumber(pub(in crate::sql) usize);

impl PartialEq for OperandNumber {
    fn eq(&self, _: &OperandNumber) -> bool {
        true
    }
}

/// A value that is written in the text.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sql) enum Literal {
    Null,
    Boolean(bool),
    BigInt(i64),
    /// Digits and their number after the point; the type says the same number.
    Decimal(i128),
    Text(Arc<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sql) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Never NULL: NULL is one more value.
    Distinct,
    NotDistinct,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sql) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// A function of its arguments; those with a fixed first argument hold it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sql) enum Function {
    Lower,
    Upper,
    Length,
    /// Of characters: text, first, and perhaps how many.
    Substring,
    /// A text, and perhaps the characters to remove.
    Trim(TrimSide),
    /// `||`: NULL if one is NULL.
    Concat,
    /// `concat(…)`: NULL is empty.
    ConcatSkippingNulls,
    /// `t` or `f`: how `concat` prints a boolean.
    TruthLetter,
    DateTrunc(TimeUnit),
    Extract(TimeField),
    Abs,
    /// To the scale of the result; a double to a whole number.
    Round {
        digits: i64,
    },
    Greatest,
    Least,
    JsonGet {
        key: JsonKey,
        as_text: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sql) enum TrimSide {
    Both,
    Leading,
    Trailing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sql) enum JsonKey {
    Field(Arc<str>),
    /// From the end if it is negative.
    Element(i64),
}

/// What `date_trunc` cuts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sql) enum TimeUnit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl TimeUnit {
    pub(in crate::sql) const ALL: [(&'static str, TimeUnit); 10] = [
        ("microseconds", TimeUnit::Microsecond),
        ("milliseconds", TimeUnit::Millisecond),
        ("second", TimeUnit::Second),
        ("minute", TimeUnit::Minute),
        ("hour", TimeUnit::Hour),
        ("day", TimeUnit::Day),
        ("week", TimeUnit::Week),
        ("month", TimeUnit::Month),
        ("quarter", TimeUnit::Quarter),
        ("year", TimeUnit::Year),
    ];

    /// Whether it is shorter than a day.
    pub(in crate::sql) fn is_within_day(self) -> bool {
        use TimeUnit::*;
        matches!(self, Microsecond | Millisecond | Second | Minute | Hour)
    }
}

/// What `extract` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sql) enum TimeField {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    IsoYear,
    /// Sunday is 0.
    DayOfWeek,
    /// Monday is 1, Sunday 7.
    IsoDayOfWeek,
    DayOfYear,
    Epoch,
}

impl TimeField {
    pub(in crate::sql) const ALL: [(&'static str, TimeField); 13] = [
        ("second", TimeField::Second),
        ("minute", TimeField::Minute),
        ("hour", TimeField::Hour),
        ("day", TimeField::Day),
        ("week", TimeField::Week),
        ("month", TimeField::Month),
        ("quarter", TimeField::Quarter),
        ("year", TimeField::Year),
        ("isoyear", TimeField::IsoYear),
        ("dow", TimeField::DayOfWeek),
        ("isodow", TimeField::IsoDayOfWeek),
        ("doy", TimeField::DayOfYear),
        ("epoch", TimeField::Epoch),
    ];

    /// Whether it needs a time of day.
    pub(in crate::sql) fn is_time_of_day(self) -> bool {
        matches!(self, TimeField::Second | TimeField::Minute | TimeField::Hour)
    }
}
