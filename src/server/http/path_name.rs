//! A name that is the last part of a path.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::server::error::ApiError;

/// A name in a path, decoded; or the error where it is no text.
pub(in crate::server) struct PathName(pub(in crate::server) Result<String, ApiError>);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<PathName, Infallible> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        Ok(PathName(
            name.map(|Path(name)| name).map_err(|_| ApiError::bad_request("the name in the path is not UTF-8")),
        ))
    }
}
