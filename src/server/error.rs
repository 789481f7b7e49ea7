//! Why a server cannot start or follow its book, and why a request has no answer.

use std::io;
use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::warn;
use utoipa::ToSchema;

use crate::book::BookError;
use crate::change::{Classified, FailureKind};
use crate::query::QueryError;

/// Why a server cannot start, or follow its book.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("could not listen on {address}: {source}; give another address")]
    Listen {
        /// The requested address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The file of the token cannot be used.
    #[error("could not use the token in {path}: {reason}")]
    Token {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// Other machines could reach it without a token.
    #[error(
        "{0} is not the loopback, and everyone who reaches it could read the book: give --token-file, or --insecure"
    )]
    Open(SocketAddr),
    /// The book cannot be read.
    #[error(transparent)]
    Book(#[from] QueryError),
}

impl Classified for ServeError {
    fn kind(&self) -> FailureKind {
        match self {
            ServeError::Listen { .. } | ServeError::Token { .. } | ServeError::Open(_) => FailureKind::Usage,
            ServeError::Book(error) => error.kind(),
        }
    }
}

impl From<BookError> for ServeError {
    fn from(error: BookError) -> ServeError {
        ServeError::Book(error.into())
    }
}

/// Logs the errors of something that is repeated: an error that stays the same is logged once.
#[derive(Default)]
pub(super) struct ErrorLog(String);

impl ErrorLog {
    /// Logs an error with what it means, if it is a new one.
    pub(super) fn note(&mut self, result: Result<(), ServeError>, message: &str) {
        let text = result.map_or_else(|error| error.to_string(), |()| String::new());
        if text != self.0 && !text.is_empty() {
            warn!(error = text, "{message}");
        }
        self.0 = text;
    }
}

/// Why a request failed; sent as an [`ErrorBody`].
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    error: ErrorDetail,
}

/// The body of every response that reports an error.
#[derive(Serialize, ToSchema)]
pub(super) struct ErrorBody {
    error: ErrorDetail,
}

impl ErrorBody {
    pub(super) fn new(code: &'static str, message: String) -> ErrorBody {
        ErrorBody { error: ErrorDetail { code, message } }
    }
}

/// An error.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorDetail {
    /// Identifies the kind of error for programs.
    #[schema(value_type = String)]
    code: &'static str,
    /// Explains the error for people.
    message: String,
}

/// The result of a handler.
pub(super) type Answer = Result<Response, ApiError>;

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status, error: ErrorDetail { code, message: message.into() } }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(super) fn too_large(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    pub(super) fn busy(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
    }

    pub(super) fn failed() -> ApiError {
        let message = "the answer could not be made; the server's log has the reason";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", message)
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> ApiError {
        match error {
            QueryError::NoDays { .. }
            | QueryError::Pattern { .. }
            | QueryError::NoColumn { .. }
            | QueryError::NoViewDays { .. }
            | QueryError::Order(_)
            | QueryError::Condition(_) => ApiError::bad_request(error.to_string()),
            QueryError::NoView { .. } => ApiError::new(StatusCode::NOT_FOUND, "no_view", error.to_string()),
            QueryError::TooSlow => ApiError::too_large(error.to_string()),
            QueryError::Rejects { .. } | QueryError::Read(_) => {
                warn!(%error, "could not answer from the book");
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "unreadable", error.to_string())
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::to_string(&ErrorBody { error: self.error }).expect("texts are JSON");
        let mut response = Response::new(Body::from(format!("{body}\n")));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"walbook\""));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}
