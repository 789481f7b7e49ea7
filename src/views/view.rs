//! A view made ready: its plan, the accumulators of each group, and the converters of its keys.

use arrow_row::{RowConverter, SortField};
use chrono_tz::Tz;

use crate::change::ViewBadValues;
use crate::sql::{Aggregate, AggregateFunction, BadValues, Expression, SqlError, Type, ViewPlan};

/// Why a view cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// Its text is no view.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A group column has a type that has no exact form in files.
    #[error(
        "the group column {0:?} is a numeric without a number of digits after the point: cast it, as in ::numeric(18,2)"
    )]
    NumericGroup(String),
}

/// What an accumulator adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// How many values there are.
    Count,
    /// How many different values there are.
    Distinct,
    /// The sum of exact numbers.
    Sum,
    /// The sum of doubles.
    DoubleSum,
    /// The least value.
    Least,
    /// The greatest value.
    Greatest,
}

/// An accumulator of each group: what it adds up, of which values. Aggregates share equal ones.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) measure: Measure,
    /// `None` for each change.
    pub(super) argument: Option<Expression>,
    pub(super) filter: Option<Expression>,
    /// Packs the argument's values.
    pub(super) converter: Option<RowConverter>,
}

impl Slot {
    /// The type of its values.
    pub(super) fn kind(&self) -> Type {
        self.argument.as_ref().map_or(Type::BigInt, Expression::kind)
    }
}

/// How an aggregate follows from accumulators, by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Slot(usize),
    Average { sum: usize, count: usize },
}

/// A view that can be computed.
#[derive(Debug)]
pub struct View {
    /// Its number in this run, which is the first part of its groups' keys.
    pub(super) number: u16,
    pub(super) plan: ViewPlan,
    pub(super) time_zone: Tz,
    pub(super) slots: Vec<Slot>,
    /// By the place of the aggregate in the plan.
    pub(super) outcomes: Vec<Outcome>,
    /// Packs the group columns; `None` without any.
    pub(super) keys: Option<RowConverter>,
}

impl View {
    /// Parses a declaration. `time_zone` is the book's.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(number: u16, text: &str, time_zone: Tz) -> Result<View, ViewError> {
        View::new(number, ViewPlan::parse(text)?, time_zone)
    }

    fn new(number: u16, plan: ViewPlan, time_zone: Tz) -> Result<View, ViewError> {
        let is_inexact = |kind: Type| kind == Type::Numeric;
        if let Some(group) = plan.groups.iter().find(|group| is_inexact(group.expression.kind())) {
            return Err(ViewError::NumericGroup(group.name.clone()));
        }
        let mut slots = Vec::new();
        let outcomes = plan.aggregates.iter().map(|aggregate| outcome(&mut slots, aggregate)).collect();
        let keys = match plan.groups.is_empty() {
            true => None,
            false => Some(converter(plan.groups.iter().map(|group| group.expression.kind()))),
        };
        Ok(View { number, plan, time_zone, slots, outcomes, keys })
    }

    /// What it computes.
    pub fn plan(&self) -> &ViewPlan {
        &self.plan
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.plan.name.as_str()
    }

    /// The zone of the book's days, in which its expressions are computed.
    pub fn time_zone(&self) -> Tz {
        self.time_zone
    }

    /// Its number in this run.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The places of accumulators that count distinct values.
    pub fn distinct_slots(&self) -> impl Iterator<Item = usize> {
        let slots = self.slots.iter().enumerate();
        slots.filter(|(_, slot)| slot.measure == Measure::Distinct).map(|(place, _)| place)
    }

    /// Values that it could not compute, as they are sent and recorded.
    pub(crate) fn bad_values(&self, bad: &BadValues) -> ViewBadValues {
        let first = bad.first.as_ref();
        let first = first.map(|bad| (bad.expression.to_string(), bad.value.clone(), bad.reason.to_owned()));
        ViewBadValues { view: self.number, count: bad.count, first }
    }

    /// How many accumulators a group has.
    pub fn accumulators(&self) -> usize {
        self.slots.len()
    }
}

fn outcome(slots: &mut Vec<Slot>, aggregate: &Aggregate) -> Outcome {
    let mut slot = |measure| place_of(slots, measure, aggregate);
    let is_double = aggregate.argument.as_ref().map(Expression::kind) == Some(Type::Double);
    let sum = if is_double { Measure::DoubleSum } else { Measure::Sum };
    match aggregate.function {
        AggregateFunction::Count => Outcome::Slot(slot(Measure::Count)),
        AggregateFunction::CountDistinct => Outcome::Slot(slot(Measure::Distinct)),
        AggregateFunction::Sum => Outcome::Slot(slot(sum)),
        AggregateFunction::Avg => Outcome::Average { sum: slot(sum), count: slot(Measure::Count) },
        // False is less than true.
        AggregateFunction::Min | AggregateFunction::BoolAnd => Outcome::Slot(slot(Measure::Least)),
        AggregateFunction::Max | AggregateFunction::BoolOr => Outcome::Slot(slot(Measure::Greatest)),
    }
}

/// The place of an accumulator, which is added if there is no equal one.
fn place_of(slots: &mut Vec<Slot>, measure: Measure, aggregate: &Aggregate) -> usize {
    let Aggregate { argument, filter, .. } = aggregate;
    let is_equal = |slot: &Slot| slot.measure == measure && slot.argument == *argument && slot.filter == *filter;
    slots.iter().position(is_equal).unwrap_or_else(|| {
        let packs = matches!(measure, Measure::Distinct | Measure::Least | Measure::Greatest);
        let converter = argument.as_ref().filter(|_| packs).map(|argument| converter([argument.kind()]));
        slots.push(Slot { measure, argument: argument.clone(), filter: filter.clone(), converter });
        slots.len() - 1
    })
}

fn converter(kinds: impl IntoIterator<Item = Type>) -> RowConverter {
    let fields = kinds.into_iter().map(|kind| SortField::new(kind.data_type())).collect();
    RowConverter::new(fields).expect("each type of SQL has a row format")
}
