//! What a view computes.

use super::aggregate::Aggregate;
use super::name::ViewName;
use crate::change::TableName;
use crate::sql::columns::{EventColumn, InputColumn, InputColumns};
use crate::sql::expression::Expression;

/// What a view computes: of the changes of its source that its filter accepts, each aggregate for each group.
///
/// ```
/// use walbook::sql::ViewPlan;
///
/// let plan = ViewPlan::parse("CREATE VIEW v AS SELECT day, count(*) AS changes FROM changes GROUP BY day").expect("a view");
/// assert_eq!((plan.name.as_str(), plan.groups.len(), plan.aggregates.len()), ("v", 1, 1));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ViewPlan {
    /// Its name.
    pub name: ViewName,
    /// Of which changes.
    pub source: ViewSource,
    /// Which of them count: those for which it is true.
    pub filter: Option<Expression>,
    /// By what they are grouped; without any there is one group.
    pub groups: Vec<GroupColumn>,
    /// What is computed of each group.
    pub aggregates: Vec<Aggregate>,
    /// The columns of the view, in the order of the SELECT list.
    pub select: Vec<SelectColumn>,
    /// The columns that all expressions read, in the order that [`Batch`](crate::sql::Batch) expects.
    pub columns: InputColumns,
}

/// The changes that a view is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewSource {
    /// `FROM changes`: those of all tables.
    AllChanges,
    /// `FROM shop."order"`: those of one table.
    Table(TableName),
}

/// A value by which changes are grouped.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupColumn {
    /// Its name in the view.
    pub name: String,
    /// Its value; NULLs are one group.
    pub expression: Expression,
}

/// A column of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectColumn {
    /// Its name; no two columns have one.
    pub name: String,
    /// What it holds.
    pub output: Output,
}

/// What a column of a view holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A group column, by its place in [`ViewPlan::groups`].
    Group(usize),
    /// An aggregate, by its place in [`ViewPlan::aggregates`].
    Aggregate(usize),
}

impl ViewPlan {
    /// The group column that is the day itself, by its place: such a view has a folder for each day.
    pub fn day_group(&self) -> Option<usize> {
        let is_day = |group: &GroupColumn| {
            let column = group.expression.as_column().map(|place| &self.columns.as_slice()[place]);
            column == Some(&InputColumn::Event(EventColumn::Day))
        };
        self.groups.iter().position(is_day)
    }
}
