//! Which handler answers which path, and what happens before and after it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use tower_service::Service;

use super::guard::Access;
use super::response_budget::ResponseBudget;
use super::{gzip, headers};
use crate::server::api::{counts, days, events, health, live, metrics, openapi, rejects, status, tables, views};
use crate::server::error::ApiError;
use crate::server::page::assets;
use crate::server::state::AppState;

/// All paths; requests change nothing.
fn routes() -> [(&'static str, MethodRouter<Arc<AppState>>); 16] {
    [
        ("/", get(assets::page)),
        ("/assets/{name}", get(assets::asset)),
        ("/api/counts", get(counts::counts)),
        ("/api/events", get(events::events)),
        ("/api/tables", get(tables::tables)),
        ("/api/views", get(views::views)),
        ("/api/views/{name}", get(views::view)),
        ("/api/days", get(days::days)),
        ("/api/status", get(status::status)),
        ("/api/rejects", get(rejects::rejects)),
        ("/api/live", get(live::live)),
        ("/api/openapi.json", get(openapi::openapi)),
        ("/metrics", get(metrics::metrics)),
        ("/healthz", get(health::healthz)),
        ("/readyz", get(health::readyz)),
        ("/favicon.ico", get(assets::no_icon)),
    ]
}

/// Bytes of the head of a request.
pub(in crate::server) const HEAD_BYTES: usize = 32 << 10;

/// Answers requests; cheap to clone.
#[derive(Clone)]
pub(in crate::server) struct RequestHandler {
    router: Router,
    budget: ResponseBudget,
    access: Arc<Access>,
}

impl RequestHandler {
    pub(in crate::server) fn new(state: Arc<AppState>, access: Access) -> RequestHandler {
        let router = routes().into_iter().fold(Router::new(), |router, (path, answer)| router.route(path, answer));
        let budget = state.answer_budget.clone();
        let router = router.fallback(not_found).method_not_allowed_fallback(method_not_allowed).with_state(state);
        RequestHandler { router, budget, access: Arc::new(access) }
    }

    /// Answers one request.
    pub(in crate::server) async fn answer(&self, request: Request<Body>) -> Response {
        let accepts_gzip = gzip::is_accepted(request.headers());
        let mut response = match self.check(&request) {
            Ok(()) => match self.router.clone().call(request).await {
                Ok(response) => self.budget.charge_response(response),
                Err(never) => match never {},
            },
            Err(error) => error.into_response(),
        };
        if accepts_gzip {
            response = gzip::compressed(response);
        }
        headers::add_security(response.headers_mut());
        response
    }

    fn check(&self, request: &Request<Body>) -> Result<(), ApiError> {
        if head_bytes(request) > HEAD_BYTES {
            let message = "the head of the request is longer than 32 kB";
            return Err(ApiError::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too_long", message));
        }
        self.access.permit(request)?;
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(not_allowed());
        }
        let length = request.headers().get("content-length");
        if length.is_some_and(|length| length != "0") || request.headers().contains_key("transfer-encoding") {
            return Err(ApiError::too_large("requests must not have a body"));
        }
        Ok(())
    }
}

/// Bytes of the head of a request, as a client of HTTP/1.1 sends it. A connection reads in steps, so its own limit is a
/// coarse one.
fn head_bytes<B>(request: &Request<B>) -> usize {
    let target = request.uri().path_and_query().map_or(1, |target| target.as_str().len());
    let first = request.method().as_str().len() + target + " HTTP/1.1\r\n".len() + 1;
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    first + fields.sum::<usize>() + "\r\n".len()
}

fn not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "only GET is allowed")
}

async fn method_not_allowed() -> ApiError {
    not_allowed()
}

async fn not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "no such path; /api/openapi.json describes all paths")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_description_names_every_route_and_no_other() {
        let description: serde_json::Value = serde_json::from_str(&openapi::DESCRIPTION).expect("JSON");
        let described: BTreeSet<&str> =
            description["paths"].as_object().into_iter().flatten().map(|(path, _)| path.as_str()).collect();
        let answered: BTreeSet<&str> = routes().map(|(path, _)| path).into_iter().collect();
        assert_eq!(described, answered);
    }
}
