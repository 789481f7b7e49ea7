//! The columns of a view.

use serde::Serialize;
use utoipa::ToSchema;

use crate::sql::{Output, Type};
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
            ViewColumn { name: name.clone(), kind, is_group }
        };
        plan.select.iter().map(|select| (&select.name, select.output)).map(column).collect()
    }
}
