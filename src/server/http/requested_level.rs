//! Whether a request asks for what a run has read, or for what it has committed.

use super::accepted_parameters::{AcceptedParameter, Values};
use super::parameters::Parameters;
use crate::server::error::ApiError;
use crate::server::state::StateSnapshot;

pub(in crate::server) const LEVEL: AcceptedParameter = AcceptedParameter::new(
    "level",
    "live: up to the newest closed epoch of the run; durable: the newest commit. Default: live if there is a run",
    Values::OneOf(&["live", "durable"]),
);

/// The level that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum RequestedLevel {
    /// Live if there is a run.
    Newest,
    Durable,
}

impl RequestedLevel {
    /// Reads the parameter `level`; `live` is refused where there is no run.
    pub(in crate::server) fn read(
        parameters: &Parameters,
        snapshot: &StateSnapshot,
    ) -> Result<RequestedLevel, ApiError> {
        match parameters.text("level") {
            None => Ok(RequestedLevel::Newest),
            Some("durable") => Ok(RequestedLevel::Durable),
            Some("live") if snapshot.live.is_some() => Ok(RequestedLevel::Newest),
            Some("live") => {
                Err(ApiError::bad_request("level: no run of this process writes the book, all answers are durable"))
            }
            Some(other) => Err(ApiError::bad_request(format!("no level {other:?}: one of live, durable"))),
        }
    }
}
