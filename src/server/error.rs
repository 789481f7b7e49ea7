//! Why a server cannot begin, and why a request has no answer.

use std::io;
use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tracing::warn;

use crate::book::BookError;
use crate::query::QueryError;

/// Why a server cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("could not listen on {address}: {source}; give another address")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
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
    /// Others could reach it.
    #[error(
        "{0} is not the loopback, and everybody who reaches it could read the book: give --token-file, or --insecure"
    )]
    Open(SocketAddr),
    /// What the run of this process has committed was not told as read.
    #[error("entry {0} of the log is committed, and the run beside this server has not told that it was read")]
    Unread(u64),
    /// The book cannot be read.
    #[error(transparent)]
    Book(#[from] QueryError),
}

impl ServeError {
    /// The exit code a command ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            ServeError::Listen { .. } | ServeError::Token { .. } | ServeError::Open(_) => 2,
            ServeError::Unread(_) => 1,
            ServeError::Book(error) => error.exit_code(),
        }
    }
}

impl From<BookError> for ServeError {
    fn from(error: BookError) -> ServeError {
        ServeError::Book(error.into())
    }
}

/// Why a request has no answer; told as `{"error":{"code","message"}}`.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

/// What a handler gives.
pub(super) type Answer = Result<Response, ApiError>;

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { status, code, message: message.into() }
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
        let message = "the answer could not be made; the server's log tells why";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", message)
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> ApiError {
        match error {
            QueryError::NoDays { .. } | QueryError::Pattern { .. } => ApiError::bad_request(error.to_string()),
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
        let error = serde_json::json!({ "error": { "code": self.code, "message": self.message } });
        let mut response = Response::new(Body::from(format!("{error}\n")));
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
