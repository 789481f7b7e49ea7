//! Pages of rows: which one a request asks for, and the cursors of its neighbours.

use serde::Serialize;
use utoipa::ToSchema;

use crate::book::CompleteTo;
use crate::query::{PageRequest, RejectCount, RowKey, RowOrder};
use crate::server::error::ApiError;
use crate::server::http::parameters::Parameters;
use crate::sql::BadValues;

/// Rows of a page without `limit`.
pub(in crate::server) const DEFAULT_LIMIT: usize = 50;

/// The page that a request asks for, and from which side it is reached.
pub(in crate::server) struct RequestedPage {
    pub(in crate::server) page: PageRequest,
    /// Whether the page is read backwards from its cursor.
    is_back: bool,
}

/// The fields of a page besides its rows.
#[derive(Serialize, ToSchema)]
pub(in crate::server) struct PageFields {
    pub(in crate::server) complete_to: CompleteTo,
    /// The book's time zone.
    pub(in crate::server) time_zone: String,
    pub(in crate::server) rejects: RejectCount,
    /// With `where`: the values that it could not compute in the rows that were read to find these.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(in crate::server) bad_values: Option<BadValues>,
    /// The cursor of the next page.
    pub(in crate::server) next: Option<String>,
    /// The cursor of the previous page.
    pub(in crate::server) previous: Option<String>,
}

impl RequestedPage {
    pub(in crate::server) fn read(parameters: &Parameters, most: usize) -> Result<RequestedPage, ApiError> {
        let limit = parameters.number("limit", DEFAULT_LIMIT, most)?;
        let order: RowOrder = parameters.parsed("order")?.unwrap_or_default();
        let wrong = || ApiError::bad_request("cursor: it does not come from this server");
        let (is_back, after) = match parameters.text("cursor").map(|cursor| cursor.split_at_checked(1)) {
            None => (false, None),
            Some(Some(("n", key))) => (false, Some(key.parse::<RowKey>().map_err(|()| wrong())?)),
            Some(Some(("p", key))) => (true, Some(key.parse::<RowKey>().map_err(|()| wrong())?)),
            Some(_) => return Err(wrong()),
        };
        let order = if is_back { order.reversed() } else { order };
        Ok(RequestedPage { page: PageRequest { limit, order, after }, is_back })
    }

    /// Reverses rows that were read backwards; returns the cursors of the next and of the previous page.
    pub(in crate::server) fn finish<T>(
        &self,
        rows: &mut [T],
        keys: &mut [RowKey],
        has_more: bool,
    ) -> (Option<String>, Option<String>) {
        if self.is_back {
            rows.reverse();
            keys.reverse();
        }
        let next = keys.last().filter(|_| has_more || self.is_back).map(|key| format!("n{key}"));
        let has_before = if self.is_back { has_more } else { self.page.after.is_some() };
        let previous = keys.first().filter(|_| has_before).map(|key| format!("p{key}"));
        (next, previous)
    }
}
