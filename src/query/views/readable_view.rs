//! A view by its declaration, ready to be read.

use std::sync::Arc;

use super::columns::ViewColumn;
use crate::views::View;

/// A view by its declaration; cheap to clone.
#[derive(Clone, Debug)]
pub struct ReadableView(pub(super) Arc<View>);

impl ReadableView {
    /// Parses a declaration. `number` is that of the view in its run; `time_zone` is the IANA name of the book's zone.
    ///
    /// # Errors
    /// What this version cannot read.
    pub fn parse(number: u16, declared: &str, time_zone: &str) -> Result<ReadableView, String> {
        let time_zone = time_zone.parse().map_err(|_| format!("no time zone {time_zone}"))?;
        let view = View::parse(number, declared, time_zone).map_err(|error| error.to_string())?;
        Ok(ReadableView(Arc::new(view)))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Its number in its run.
    pub fn number(&self) -> u16 {
        self.0.number()
    }

    /// Its columns, in the order of the SELECT list.
    pub fn columns(&self) -> Vec<ViewColumn> {
        ViewColumn::of(&self.0)
    }

    /// Whether day itself is a group column: its rows can be chosen by day.
    pub fn has_days(&self) -> bool {
        self.0.plan().day_group().is_some()
    }
}
