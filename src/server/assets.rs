//! The page: its files are part of the binary.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use sha2::{Digest, Sha256};

use super::body;
use super::error::{Answer, ApiError};

/// A file of the page.
struct Asset {
    name: &'static str,
    bytes: &'static [u8],
    /// Tells this version from others.
    tag: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let files: [(&'static str, &'static [u8]); 1] = [("index.html", include_bytes!("assets/index.html"))];
    let asset = |(name, bytes): (&'static str, &'static [u8])| {
        let tag = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
        Asset { name, bytes, tag: format!("\"{tag}\"") }
    };
    files.into_iter().map(asset).collect()
});

/// Answers `/`.
pub(super) async fn page(headers: HeaderMap) -> Answer {
    file("index.html", &headers)
}

/// Answers `/assets/…`.
pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Answer {
    file(&name, &headers)
}

/// Answers `/favicon.ico`, which browsers ask for by themselves: the page has its own.
pub(super) async fn no_icon() -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

fn file(name: &str, headers: &HeaderMap) -> Answer {
    let not_found = || ApiError::new(StatusCode::NOT_FOUND, "not_found", "the page has no such file");
    let asset = ASSETS.iter().find(|asset| asset.name == name).ok_or_else(not_found)?;
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known =
        known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == asset.tag));
    let mut response = if is_known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        body::answer(content_type(name), asset.bytes)
    };
    // Asked for each time, and sent only when it is another one: a new binary is a new page.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&asset.tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("woff2") => "font/woff2",
        Some("png") => "image/png",
        _ => "text/plain; charset=utf-8",
    }
}
