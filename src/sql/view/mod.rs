//! `CREATE VIEW name AS SELECT … FROM … WHERE … GROUP BY …` → a typed plan: one filter, one projection, one aggregate.
//!
//! | part | may be |
//! |---|---|
//! | name | 1 to 63 of `a-z`, `0-9`, `_`, not beginning with a digit: it names a folder ([`ViewName`]) |
//! | `FROM` | `changes`, or one table with its schema |
//! | `WHERE` | a condition |
//! | `GROUP BY` | expressions, numbers and aliases of the SELECT list; a column of changes has precedence over an alias |
//! | `SELECT` | each group column, and at least one aggregate; each with a name of its own, given by AS or as PostgreSQL names it |
//!
//! | aggregate | of | result |
//! |---|---|---|
//! | `count(*)`, `count(x)`, `count(DISTINCT x)` | any type | `bigint` |
//! | `sum(x)` | `bigint` | `numeric` without digits after the point: `Decimal { scale: 0 }` |
//! | | `numeric`, `double precision` | that of x |
//! | `avg(x)` | `bigint`, `numeric` | `Numeric`, with PostgreSQL's digits ([`average`](crate::sql::average)) |
//! | | `double precision` | that of x |
//! | `min(x)`, `max(x)` | all but `boolean` and `json` | that of x |
//! | `bool_and(x)`, `bool_or(x)` | `boolean` | `boolean` |
//!
//! Each aggregate may have `FILTER (WHERE …)`. Everything else that SQL has is refused here, by name, with what to do instead: a
//! view is kept incrementally, and read with filters, order and limit by other commands. Unlike in PostgreSQL, all group columns
//! must be selected, since they tell the rows apart, and a column cannot compute with aggregates.

mod aggregate;
mod declaration;
mod name;
mod order;
mod plan;

pub use aggregate::{Aggregate, AggregateFunction};
pub use name::ViewName;
pub use order::Order;
pub use plan::{GroupColumn, Output, SelectColumn, ViewPlan, ViewSource};
