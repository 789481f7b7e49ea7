//! Which path is answered by whom.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use tower_service::Service;

use super::board::Board;
use super::error::ApiError;
use super::guard::{self, Access};
use super::memory::Memory;
use super::{assets, counts, days, events, gzip, health, live, metrics, openapi, rejects, status, tables};

/// All paths; all of them only read.
fn routes() -> [(&'static str, MethodRouter<Arc<Board>>); 14] {
    [
        ("/", get(assets::page)),
        ("/assets/{name}", get(assets::asset)),
        ("/api/counts", get(counts::counts)),
        ("/api/events", get(events::events)),
        ("/api/tables", get(tables::tables)),
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

/// Answers requests; cheap to clone.
#[derive(Clone)]
pub(super) struct Answering {
    router: Router,
    memory: Memory,
    access: Arc<Access>,
}

impl Answering {
    pub(super) fn new(board: Arc<Board>, access: Access) -> Answering {
        let router = routes().into_iter().fold(Router::new(), |router, (path, answer)| router.route(path, answer));
        let memory = board.memory.clone();
        let router = router.fallback(nothing).method_not_allowed_fallback(only_reading).with_state(board);
        Answering { router, memory, access: Arc::new(access) }
    }

    /// Answers one request.
    pub(super) async fn answer(&self, request: Request<Body>) -> Response {
        let takes_gzip = gzip::is_taken(request.headers());
        let mut response = match self.check(&request) {
            Ok(()) => match self.router.clone().call(request).await {
                Ok(response) => self.memory.counted(response),
                Err(never) => match never {},
            },
            Err(error) => error.into_response(),
        };
        if takes_gzip {
            response = gzip::packed(response);
        }
        guard::add_headers(response.headers_mut());
        response
    }

    fn check(&self, request: &Request<Body>) -> Result<(), ApiError> {
        self.access.permit(request)?;
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(not_allowed());
        }
        let length = request.headers().get("content-length");
        if length.is_some_and(|length| length != "0") || request.headers().contains_key("transfer-encoding") {
            return Err(ApiError::too_large("requests have no body here"));
        }
        Ok(())
    }
}

fn not_allowed() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "everything here is read with GET")
}

async fn only_reading() -> ApiError {
    not_allowed()
}

async fn nothing() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here; /api/openapi.json tells what there is")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_description_names_every_route_and_no_other() {
        let description: serde_json::Value = serde_json::from_str(openapi::DESCRIPTION).expect("JSON");
        let told: BTreeSet<&str> =
            description["paths"].as_object().into_iter().flatten().map(|(path, _)| path.as_str()).collect();
        let answered: BTreeSet<&str> = routes().map(|(path, _)| path).into_iter().collect();
        assert_eq!(told, answered);
    }
}
