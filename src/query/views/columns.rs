//! The columns of a view.

use serde::Serialize;
use utoipa::ToSchema;

use crate::sql::{AggregateFunction, Output, Type};
use crate::views::View;

/// A column of a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ViewColumn {
    /// Its name.
    pub name: String,
    /// Its type, as SQL names it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is a group column: these tell the rows apart.
    pub is_group: bool,
    /// Whether it is the day itself, so that rows can be chosen by it.
    pub is_day: bool,
    /// Whether the sum of its values in several groups is that of all their changes: of counts and sums.
    pub adds_up: bool,
}

impl ViewColumn {
    /// The columns of a view, in the order of its SELECT list.
    pub fn of(view: &View) -> Vec<ViewColumn> {
        let plan = view.plan();
        let column = |(name, output): (&String, Output)| {
            let (kind, is_group) = match output {
                Output::Group(place) => (plan.groups[place].expression.kind(), true),
                Output::Aggregate(place) => (plan.aggregates[place].kind, false),
            };
            let kind = match kind {
                Type::Decimal { scale } => format!("numeric(38,{scale})"),
                // As it is stored.
                Type::Numeric => Type::Double.to_string(),
                other => other.to_string(),
            };
            let is_day = matches!(output, Output::Group(place) if plan.day_group() == Some(place));
            let adds_up = match output {
                Output::Group(_) => false,
                Output::Aggregate(place) => {
                    matches!(plan.aggregates[place].function, AggregateFunction::Count | AggregateFunction::Sum)
                }
            };
            ViewColumn { name: name.clone(), kind, is_group, is_day, adds_up }
        };
        plan.select.iter().map(|select| (&select.name, select.output)).map(column).collect()
    }
}
