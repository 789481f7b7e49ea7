//! A syntax tree → a typed expression. Names, types and places are checked here, once.

mod columns;
mod functions;
mod operators;
mod resolver;
mod types;

pub(in crate::sql) use columns::folded;
pub(in crate::sql) use functions::AGGREGATES;
pub(in crate::sql) use resolver::Resolver;
