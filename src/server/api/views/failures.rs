//! Why there are no rows of a view.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use utoipa::IntoResponses;
use utoipa::openapi::RefOr;
use utoipa::openapi::response::Response;

use crate::book::BookError;
use crate::query::QueryError;
use crate::server::api::schema::errors;
use crate::server::error::ApiError;
use crate::server::state::{MOST_GROUPS, ViewUnavailable};

/// The responses of requests that name a view, besides those of all endpoints.
pub(in crate::server) struct ViewErrors;

impl IntoResponses for ViewErrors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        errors(["404", "409"])
    }
}

/// The response to a request for a view that has no rows to show.
pub(super) fn unavailable(name: &str, why: ViewUnavailable) -> ApiError {
    match why {
        ViewUnavailable::NoView(known) => QueryError::NoView { name: name.to_owned(), known }.into(),
        ViewUnavailable::NotBuilt => {
            let message = format!(
                "the view {name} is declared, and not built yet: the next start of `walbook run` builds it, and so does \
                 `walbook view build`"
            );
            ApiError::new(StatusCode::CONFLICT, "not_built", message)
        }
        ViewUnavailable::TooLarge(groups) => ApiError::too_large(format!(
            "the view {name} has {groups} groups, and the server reads at most {MOST_GROUPS}, of 256 MB: use `walbook query --view`, or read \
             its files"
        )),
        ViewUnavailable::Unreadable(reason) => {
            QueryError::Read(BookError::View { view: name.to_owned(), reason: reason.into() }).into()
        }
        ViewUnavailable::Files(error) => error.into(),
        ViewUnavailable::Busy => ApiError::busy("the view's files change faster than they are read; try again later"),
    }
}
