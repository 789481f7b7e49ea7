//! Functions: their names, arguments and results.

use sqlparser::ast::{
    DateTimeField, DuplicateTreatment, Expr, Function as FunctionSyntax, FunctionArg, FunctionArgExpr,
    FunctionArguments, ObjectNamePart, TrimWhereField,
};

use super::columns::folded;
use super::resolver::{Resolver, article, cast_hint};
use crate::sql::error::{SqlError, nearest};
use crate::sql::expression::{Expression, Function, Literal, Node, TimeField, TimeUnit, TrimSide};
use crate::sql::text::place_of;
use crate::sql::types::{DECIMAL_DIGITS, Type};

/// The functions of values.
const FUNCTIONS: [&str; 20] = [
    "abs",
    "btrim",
    "char_length",
    "coalesce",
    "concat",
    "date_trunc",
    "extract",
    "greatest",
    "least",
    "length",
    "lower",
    "ltrim",
    "nullif",
    "round",
    "rtrim",
    "substr",
    "substring",
    "trim",
    "upper",
    "character_length",
];

/// The functions of many values.
pub(in crate::sql) const AGGREGATES: [&str; 7] = ["count", "sum", "avg", "min", "max", "bool_and", "bool_or"];

/// Functions whose result depends on when they are called.
const VOLATILE: [&str; 12] = [
    "now",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtime",
    "localtimestamp",
    "clock_timestamp",
    "statement_timestamp",
    "transaction_timestamp",
    "timeofday",
    "random",
    "gen_random_uuid",
];

impl Resolver<'_> {
    pub(super) fn function(&mut self, function: &FunctionSyntax, syntax: &Expr) -> Result<Expression, SqlError> {
        let name = self.function_name(function)?;
        if !FUNCTIONS.contains(&name.as_str()) {
            return Err(self.unknown_function(&name, function));
        }
        let arguments = self.arguments(function, &name)?;
        let count = |from: usize, to: usize| match arguments.len() {
            given if (from..=to).contains(&given) => Ok(()),
            given => {
                Err(self.error(place_of(syntax), format!("{name} has {given} arguments; it takes {}", range(from, to))))
            }
        };
        match name.as_str() {
            "lower" | "upper" | "length" | "char_length" | "character_length" => {
                count(1, 1)?;
                let argument = self.expression(arguments[0])?;
                let arguments = vec![self.text(argument, &format!("the argument of {name}"))?];
                let (function, kind) = match name.as_str() {
                    "lower" => (Function::Lower, Type::Text),
                    "upper" => (Function::Upper, Type::Text),
                    _ => (Function::Length, Type::BigInt),
                };
                self.finished(Node::Call { function, arguments }, kind, syntax)
            }
            "substr" | "substring" => {
                count(2, 3)?;
                self.substring(arguments[0], Some(arguments[1]), arguments.get(2).copied(), syntax)
            }
            "trim" | "btrim" | "ltrim" | "rtrim" => {
                count(1, 2)?;
                let side = match name.as_str() {
                    "ltrim" => TrimWhereField::Leading,
                    "rtrim" => TrimWhereField::Trailing,
                    _ => TrimWhereField::Both,
                };
                self.trim(Some(side), arguments.get(1).copied(), arguments[0], syntax)
            }
            "concat" => {
                count(1, 100)?;
                let arguments = arguments.into_iter().map(|syntax| {
                    let argument = self.expression(syntax)?;
                    if argument.kind == Type::Boolean {
                        let node = Node::Call { function: Function::TruthLetter, arguments: vec![argument] };
                        return self.finished(node, Type::Text, syntax);
                    }
                    self.coerced(argument, Type::Text)
                });
                let arguments = arguments.collect::<Result<_, _>>()?;
                self.finished(Node::Call { function: Function::ConcatSkippingNulls, arguments }, Type::Text, syntax)
            }
            "coalesce" | "greatest" | "least" => {
                count(1, 100)?;
                let arguments = arguments.into_iter().map(|argument| self.expression(argument));
                let arguments = arguments.collect::<Result<_, _>>()?;
                let (arguments, kind) = self.common(arguments, &name)?;
                let node = match name.as_str() {
                    "coalesce" => Node::Coalesce(arguments),
                    "greatest" => Node::Call { function: Function::Greatest, arguments },
                    _ => Node::Call { function: Function::Least, arguments },
                };
                self.finished(node, kind, syntax)
            }
            "nullif" => {
                count(2, 2)?;
                let (value, other) = (self.expression(arguments[0])?, self.expression(arguments[1])?);
                let (value, other) = self.comparable(value, other)?;
                let kind = value.kind;
                self.finished(Node::NullIf { value: Box::new(value), other: Box::new(other) }, kind, syntax)
            }
            "abs" => {
                count(1, 1)?;
                let argument = self.number(arguments[0], "abs")?;
                let kind = argument.kind;
                self.finished(Node::Call { function: Function::Abs, arguments: vec![argument] }, kind, syntax)
            }
            "round" => {
                count(1, 2)?;
                self.round(arguments[0], arguments.get(1).copied(), syntax)
            }
            "date_trunc" => {
                count(2, 2)?;
                self.date_trunc(arguments[0], arguments[1], syntax)
            }
            _ => Err(self.unknown_function(&name, function)),
        }
    }

    /// The name of a function of the catalog, in lower case.
    pub(in crate::sql) fn function_name(&self, function: &FunctionSyntax) -> Result<String, SqlError> {
        let name = match function.name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => folded(name),
            [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(name)]
                if folded(schema) == "pg_catalog" =>
            {
                folded(name)
            }
            _ => return Err(self.error(place_of(function), format!("there is no function {}", function.name))),
        };
        let message = match function {
            FunctionSyntax { over: Some(_), .. } => {
                "window functions are not supported: an expression sees one change".to_owned()
            }
            FunctionSyntax { within_group, .. } if !within_group.is_empty() => {
                "WITHIN GROUP is not supported".to_owned()
            }
            FunctionSyntax { null_treatment: Some(_), .. } => "IGNORE NULLS is not supported".to_owned(),
            _ if VOLATILE.contains(&name.as_str()) => {
                format!("{name} depends on when it is called: write the time, as in '2026-11-22 06:00'")
            }
            _ => return Ok(name),
        };
        Err(self.error(place_of(function), message))
    }

    fn unknown_function(&self, name: &str, function: &FunctionSyntax) -> SqlError {
        let message = if AGGREGATES.contains(&name) {
            format!("{name} is an aggregate: it cannot be used here, an expression sees one change")
        } else {
            match nearest(name, FUNCTIONS.into_iter().chain(AGGREGATES)) {
                Some(near) => format!("there is no function {name}: did you mean {near}?"),
                None => format!("there is no function {name}: docs/sql.md lists the functions"),
            }
        };
        self.error(place_of(function), message)
    }

    fn arguments<'s>(&self, function: &'s FunctionSyntax, name: &str) -> Result<Vec<&'s Expr>, SqlError> {
        let wrong = |message: String| self.error(place_of(function), message);
        if function.filter.is_some() {
            return Err(wrong(format!("FILTER belongs to an aggregate, and {name} is none")));
        }
        let list = match &function.args {
            FunctionArguments::List(list) => list,
            FunctionArguments::None => return Err(wrong(format!("there is no column {name}"))),
            FunctionArguments::Subquery(_) => return Err(wrong("subqueries are not supported".to_owned())),
        };
        if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) || !list.clauses.is_empty() {
            return Err(wrong(format!("DISTINCT and ORDER BY belong to an aggregate, and {name} is none")));
        }
        let arguments = list.args.iter().map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Ok(argument),
            _ => Err(wrong(format!("the arguments of {name} are plain expressions"))),
        });
        arguments.collect()
    }

    fn number(&mut self, syntax: &Expr, name: &str) -> Result<Expression, SqlError> {
        let argument = self.expression(syntax)?;
        match argument.kind {
            kind if kind.is_number() => Ok(argument),
            kind => {
                let message = format!("{name} needs a number, not {}{}", article(kind), cast_hint(&argument));
                Err(self.error(argument.place, message))
            }
        }
    }

    fn round(&mut self, value: &Expr, digits: Option<&Expr>, syntax: &Expr) -> Result<Expression, SqlError> {
        let value = self.number(value, "round")?;
        let Some(digits) = digits else {
            let (value, kind) = match value.kind {
                // As PostgreSQL, which has no round of whole numbers.
                Type::BigInt | Type::Double => (self.coerced(value, Type::Double)?, Type::Double),
                _ => (value, Type::Decimal { scale: 0 }),
            };
            return self.finished(
                Node::Call { function: Function::Round { digits: 0 }, arguments: vec![value] },
                kind,
                syntax,
            );
        };
        if value.kind == Type::Double {
            let message = format!("round to digits needs numeric; cast it, as in round({}::numeric, 2)", value.source);
            return Err(self.error(value.place, message));
        }
        let digits = self.whole(digits, "the number of digits")?;
        let Node::Literal(Literal::BigInt(digits)) = digits.node else {
            return Err(self.error(digits.place, "the number of digits must be written as a number"));
        };
        let kind = Type::Decimal { scale: digits.clamp(0, DECIMAL_DIGITS.into()) as u8 };
        self.finished(Node::Call { function: Function::Round { digits }, arguments: vec![value] }, kind, syntax)
    }

    pub(super) fn substring(
        &mut self,
        text: &Expr,
        first: Option<&Expr>,
        count: Option<&Expr>,
        syntax: &Expr,
    ) -> Result<Expression, SqlError> {
        let text = self.expression(text)?;
        let mut arguments = vec![self.text(text, "the argument of substring")?];
        match first {
            Some(first) => arguments.push(self.whole(first, "the place of substring")?),
            None => {
                let node = Node::Literal(Literal::BigInt(1));
                arguments.push(Expression { node, kind: Type::BigInt, place: place_of(syntax), source: "1".into() });
            }
        }
        if let Some(count) = count {
            arguments.push(self.whole(count, "the length of substring")?);
        }
        self.finished(Node::Call { function: Function::Substring, arguments }, Type::Text, syntax)
    }

    pub(super) fn trim(
        &mut self,
        side: Option<TrimWhereField>,
        removed: Option<&Expr>,
        text: &Expr,
        syntax: &Expr,
    ) -> Result<Expression, SqlError> {
        let text = self.expression(text)?;
        let mut arguments = vec![self.text(text, "the argument of trim")?];
        if let Some(removed) = removed {
            let removed = self.expression(removed)?;
            arguments.push(self.text(removed, "what trim removes")?);
        }
        let side = match side {
            None | Some(TrimWhereField::Both) => TrimSide::Both,
            Some(TrimWhereField::Leading) => TrimSide::Leading,
            Some(TrimWhereField::Trailing) => TrimSide::Trailing,
        };
        self.finished(Node::Call { function: Function::Trim(side), arguments }, Type::Text, syntax)
    }

    fn date_trunc(&mut self, unit: &Expr, time: &Expr, syntax: &Expr) -> Result<Expression, SqlError> {
        let (unit, time) = (self.expression(unit)?, self.expression(time)?);
        let Node::Literal(Literal::Text(name)) = &unit.node else {
            return Err(self.error(unit.place, "the unit of date_trunc is a quoted text, as in 'hour'"));
        };
        let wanted = name.to_lowercase();
        let found = TimeUnit::ALL.into_iter().find(|(name, _)| same_unit(name, &wanted));
        let Some((_, unit_of_time)) = found else {
            let units = TimeUnit::ALL.map(|(name, _)| name).join(", ");
            return Err(self.error(unit.place, format!("date_trunc cannot cut to {name:?}: there are {units}")));
        };
        let time = match time.kind {
            Type::Date | Type::Unknown => self.coerced(time, Type::TimestampTz)?,
            Type::Timestamp | Type::TimestampTz => time,
            kind => {
                let message =
                    format!("date_trunc needs a date or a timestamp, not {}{}", article(kind), time_hint(&time));
                return Err(self.error(time.place, message));
            }
        };
        let kind = time.kind;
        self.finished(Node::Call { function: Function::DateTrunc(unit_of_time), arguments: vec![time] }, kind, syntax)
    }

    pub(super) fn extract(
        &mut self,
        field: &DateTimeField,
        time: &Expr,
        syntax: &Expr,
    ) -> Result<Expression, SqlError> {
        let time = self.expression(time)?;
        let name = field.to_string().to_lowercase();
        let Some((_, field)) = TimeField::ALL.into_iter().find(|(known, _)| same_unit(known, &name)) else {
            let fields = TimeField::ALL.map(|(name, _)| name).join(", ");
            return Err(self.error(time.place, format!("extract has no field {name}: there are {fields}")));
        };
        let fits = match time.kind {
            Type::Timestamp | Type::TimestampTz => true,
            Type::Date => !field.is_time_of_day(),
            Type::Time => field.is_time_of_day() || field == TimeField::Epoch,
            kind => {
                let message = format!("extract needs a date or a time, not {}{}", article(kind), time_hint(&time));
                return Err(self.error(time.place, message));
            }
        };
        if !fits {
            return Err(self.error(time.place, format!("a {} has no {name}", time.kind)));
        }
        let has_fraction = field == TimeField::Second || (field == TimeField::Epoch && time.kind != Type::Date);
        let kind = Type::Decimal { scale: if has_fraction { 6 } else { 0 } };
        self.finished(Node::Call { function: Function::Extract(field), arguments: vec![time] }, kind, syntax)
    }
}

/// Units have a singular and a plural.
fn same_unit(known: &str, wanted: &str) -> bool {
    known.trim_end_matches('s') == wanted.trim_end_matches('s')
}

fn time_hint(operand: &Expression) -> String {
    match operand.kind {
        Type::Text => format!("; cast it, as in {}::timestamptz", operand.source),
        _ => String::new(),
    }
}

fn range(from: usize, to: usize) -> String {
    if from == to { from.to_string() } else { format!("{from} to {to}") }
}
