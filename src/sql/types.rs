//! The types of expressions.

use std::fmt;

use arrow_schema::{DataType, TimeUnit};

/// The most digits of a [`Type::Decimal`].
pub const DECIMAL_DIGITS: u8 = 38;
/// The most digits before and after the point of a [`Type::Numeric`].
pub const NUMERIC_DIGITS: u8 = 38;

/// The type of an expression. All integers are `bigint`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// `boolean`, as `Boolean`.
    Boolean,
    /// `bigint`, as `Int64`.
    BigInt,
    /// `numeric` with a fixed number of digits after the point, as `Decimal128(38, scale)`.
    Decimal {
        /// The digits after the point.
        scale: u8,
    },
    /// `numeric` without one, as `Decimal256(76, 38)`.
    Numeric,
    /// `double precision`, as `Float64`.
    Double,
    /// `text`, as `Utf8`.
    Text,
    /// `json`: the text of a JSON value, as `Utf8`.
    Json,
    /// `date`, as `Date32`.
    Date,
    /// `time`, as `Time64` in microseconds.
    Time,
    /// `timestamp`, as `Timestamp` in microseconds without a zone.
    Timestamp,
    /// `timestamptz`, as `Timestamp` in microseconds of UTC.
    TimestampTz,
    /// A quoted text or NULL whose type its neighbours decide. No finished plan contains it.
    Unknown,
}

impl Type {
    /// How a column of this type is stored.
    pub fn data_type(self) -> DataType {
        match self {
            Type::Boolean => DataType::Boolean,
            Type::BigInt => DataType::Int64,
            Type::Decimal { scale } => DataType::Decimal128(DECIMAL_DIGITS, scale as i8),
            Type::Numeric => DataType::Decimal256(2 * NUMERIC_DIGITS, NUMERIC_DIGITS as i8),
            Type::Double => DataType::Float64,
            Type::Text | Type::Json | Type::Unknown => DataType::Utf8,
            Type::Date => DataType::Date32,
            Type::Time => DataType::Time64(TimeUnit::Microsecond),
            Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Type::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    /// Whether it is a number.
    pub fn is_number(self) -> bool {
        self.is_exact_number() || self == Type::Double
    }

    /// Whether it is a number without rounding.
    pub(in crate::sql) fn is_exact_number(self) -> bool {
        matches!(self, Type::BigInt | Type::Decimal { .. } | Type::Numeric)
    }

    /// Whether it is a day, with a time or without one.
    pub(in crate::sql) fn is_instant(self) -> bool {
        matches!(self, Type::Date | Type::Timestamp | Type::TimestampTz)
    }

    /// The digits after the point of an exact number; `None` if they are not fixed.
    pub fn scale(self) -> Option<u8> {
        match self {
            Type::BigInt => Some(0),
            Type::Decimal { scale } => Some(scale),
            _ => None,
        }
    }

    /// The type as which values of two types are compared, or chosen from; `None` if they cannot be.
    pub(in crate::sql) fn common(self, other: Type) -> Option<Type> {
        match (self, other) {
            (same, other) if same == other => Some(same),
            (Type::Unknown, known) | (known, Type::Unknown) => Some(known),
            (one, other) if one.is_number() && other.is_number() => Some(match (one.scale(), other.scale()) {
                _ if one == Type::Double || other == Type::Double => Type::Double,
                (Some(one), Some(other)) => Type::Decimal { scale: one.max(other) },
                _ => Type::Numeric,
            }),
            (one, other) if one.is_instant() && other.is_instant() => {
                let has_zone = one == Type::TimestampTz || other == Type::TimestampTz;
                Some(if has_zone { Type::TimestampTz } else { Type::Timestamp })
            }
            _ => None,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Boolean => "boolean",
            Type::BigInt => "bigint",
            Type::Decimal { .. } | Type::Numeric => "numeric",
            Type::Double => "double precision",
            Type::Text => "text",
            Type::Json => "json",
            Type::Date => "date",
            Type::Time => "time",
            Type::Timestamp => "timestamp",
            Type::TimestampTz => "timestamptz",
            Type::Unknown => "unknown",
        })
    }
}
