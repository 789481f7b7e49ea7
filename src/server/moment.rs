//! One moment of a book: what is counted, and what that is complete to.

use crate::book::{CompleteTo, Level};
use crate::query::{Totals, json_head};

/// The place of what is kept about live moments.
pub(super) const LIVE: usize = 0;

/// All counts at a commit or at a closed epoch.
pub(super) struct Moment {
    /// The counts.
    pub(super) totals: Totals,
    /// What they are complete to.
    pub(super) complete_to: CompleteTo,
    /// The IANA name of the zone of their days.
    pub(super) time_zone: String,
}

impl Moment {
    /// What stands before the rows of an answer in JSON.
    pub(super) fn json_head(&self) -> Vec<u8> {
        json_head(&self.complete_to, &self.time_zone).into_bytes()
    }

    /// The place of what is kept about moments of its level: [`LIVE`], or 1 where it is durable.
    pub(super) fn level(&self) -> usize {
        if matches!(self.complete_to.level, Level::Durable) { 1 } else { LIVE }
    }

    /// What it is complete to, as JSON.
    pub(super) fn complete_to(&self) -> serde_json::Value {
        serde_json::json!(self.complete_to)
    }
}
