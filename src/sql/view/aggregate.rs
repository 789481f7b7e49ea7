//! Aggregates: their arguments, and the types of their results.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function as FunctionSyntax, FunctionArg, FunctionArgExpr, FunctionArguments,
};

use crate::sql::error::SqlError;
use crate::sql::expression::Expression;
use crate::sql::resolve::{AGGREGATES, Resolver};
use crate::sql::text::place_of;
use crate::sql::types::Type;

/// One value for all changes of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// What is computed.
    pub function: AggregateFunction,
    /// Of which values; `None` for `count(*)`. Changes whose value is NULL do not count.
    pub argument: Option<Expression>,
    /// `FILTER (WHERE …)`: only of changes for which it is true.
    pub filter: Option<Expression>,
    /// The type of the result, which is NULL for a group without a value (`count`: 0).
    pub kind: Type,
}

/// What an aggregate computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateFunction {
    /// `count(*)` and `count(x)`: a bigint.
    Count,
    /// `count(DISTINCT x)`: a bigint.
    CountDistinct,
    /// `sum(x)`: of bigint a numeric without digits after the point; of others their type.
    Sum,
    /// `avg(x)`: of bigint and numeric a numeric, see [`average`](crate::sql::average); of doubles a double.
    Avg,
    /// `min(x)`: of the type of x, which has an order.
    Min,
    /// `max(x)`.
    Max,
    /// `bool_and(x)`.
    BoolAnd,
    /// `bool_or(x)`.
    BoolOr,
}

/// The function of an aggregate in an expression, if it is one.
pub(super) fn as_aggregate(syntax: &Expr) -> Option<&FunctionSyntax> {
    let Expr::Function(function) = unnested(syntax) else { return None };
    let name = function.name.0.last()?.as_ident()?.value.to_lowercase();
    AGGREGATES.contains(&name.as_str()).then_some(function)
}

pub(super) fn unnested(mut syntax: &Expr) -> &Expr {
    while let Expr::Nested(inner) = syntax {
        syntax = inner;
    }
    syntax
}

/// Resolves an aggregate.
pub(super) fn aggregate(resolver: &mut Resolver<'_>, function: &FunctionSyntax) -> Result<Aggregate, SqlError> {
    let name = resolver.function_name(function)?;
    let place = place_of(function);
    let FunctionArguments::List(list) = &function.args else {
        return Err(resolver.error(place, format!("{name} needs one argument")));
    };
    if !list.clauses.is_empty() {
        return Err(resolver
            .error(place, format!("ORDER BY in {name} is not supported: the result does not depend on an order")));
    }
    let is_distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
    let argument = match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if name == "count" && !is_distinct => None,
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] => Some(resolver.value(argument)?),
        _ => return Err(resolver.error(place, format!("{name} needs one argument"))),
    };
    let filter = function.filter.as_ref().map(|filter| resolver.condition(filter)).transpose()?;
    let kind = argument.as_ref().map(Expression::kind);
    let (function, kind) = match (name.as_str(), kind) {
        ("count", _) if is_distinct => (AggregateFunction::CountDistinct, Type::BigInt),
        ("count", _) => (AggregateFunction::Count, Type::BigInt),
        (_, _) if is_distinct => {
            let message = format!("DISTINCT is supported in count(DISTINCT x) only, not in {name}");
            return Err(resolver.error(place, message));
        }
        ("sum", Some(Type::BigInt)) => (AggregateFunction::Sum, Type::Decimal { scale: 0 }),
        ("sum", Some(kind)) if kind.is_number() => (AggregateFunction::Sum, kind),
        ("avg", Some(Type::Double)) => (AggregateFunction::Avg, Type::Double),
        ("avg", Some(kind)) if kind.is_number() => (AggregateFunction::Avg, Type::Numeric),
        ("min", Some(kind)) if has_order(kind) => (AggregateFunction::Min, kind),
        ("max", Some(kind)) if has_order(kind) => (AggregateFunction::Max, kind),
        ("bool_and", Some(Type::Boolean)) => (AggregateFunction::BoolAnd, Type::Boolean),
        ("bool_or", Some(Type::Boolean)) => (AggregateFunction::BoolOr, Type::Boolean),
        (_, kind) => {
            let kind = kind.map_or_else(|| "*".to_owned(), |kind| kind.to_string());
            let instead = match name.as_str() {
                "sum" | "avg" => "cast the argument to a number, as in new.amount::numeric(18,2)",
                "bool_and" | "bool_or" => "compare the argument, or cast it to boolean",
                _ => "name a value that has an order",
            };
            return Err(resolver.error(place, format!("{name} cannot be computed of {kind}: {instead}")));
        }
    };
    Ok(Aggregate { function, argument, filter, kind })
}

/// As in PostgreSQL, which has no `min` of booleans and of JSON.
fn has_order(kind: Type) -> bool {
    !matches!(kind, Type::Boolean | Type::Json)
}
