//! `/api/openapi.json`: the API for programs that read its description.

use super::body;
use super::error::Answer;

/// The description, as it stands in the repository.
pub(super) const DESCRIPTION: &str = include_str!("openapi.json");

/// Answers `/api/openapi.json`.
pub(super) async fn openapi() -> Answer {
    Ok(body::answer("application/json", DESCRIPTION))
}
