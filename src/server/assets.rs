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

/// The files of the folder `assets`, by name.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("assets/", $name)).as_slice())),*]
    };
}

const FILES: [(&str, &[u8]); 37] = files![
    "api.js",
    "app.css",
    "aside.css",
    "bars.js",
    "chart.js",
    "counts.js",
    "day_table.js",
    "days.js",
    "dom.js",
    "empty.js",
    "event.js",
    "events.js",
    "exact.js",
    "feed.js",
    "filter.js",
    "format.js",
    "grid.css",
    "grid.js",
    "header.js",
    "icon.svg",
    "index.html",
    "keys.js",
    "lag.js",
    "live.js",
    "main.js",
    "names.js",
    "pipeline.js",
    "rejects.js",
    "row.js",
    "spark.js",
    "speak.js",
    "states.js",
    "theme.js",
    "token.js",
    "toolbar.js",
    "view.js",
    "zone.js",
];

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let asset = |(name, bytes): (&'static str, &'static [u8])| {
        let tag = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
        Asset { name, bytes, tag: format!("\"{tag}\"") }
    };
    FILES.into_iter().map(asset).collect()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_binary_holds_every_file_of_the_page() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/assets");
        let names = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").file_name());
        let names: BTreeSet<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        let held: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(held, names);
        assert!(FILES.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() < 200_000);
    }
}
