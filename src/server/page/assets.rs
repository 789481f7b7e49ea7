//! The files of the page, which are part of the binary.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use sha2::{Digest, Sha256};

use crate::server::api::schema::{Binary, Error, GuardErrors};
use crate::server::error::{Answer, ApiError};
use crate::server::http::body;
use crate::server::http::path_name::PathName;

/// A file of the page.
struct Asset {
    name: &'static str,
    bytes: &'static [u8],
    /// The entity tag of this version.
    tag: String,
}

/// The files of the folder `assets`, by name.
macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("assets/", $name)).as_slice())),*]
    };
}

const FILES: [(&str, &[u8]); 48] = files![
    "announcer.js",
    "api.js",
    "app.css",
    "bars.js",
    "chart.js",
    "chart_of_counts.js",
    "chart_of_groups.js",
    "cluster.js",
    "columns.js",
    "counts.js",
    "day_table.js",
    "days.js",
    "dom.js",
    "empty.js",
    "event.js",
    "events.js",
    "exact.js",
    "faults.js",
    "feed.js",
    "filter.js",
    "format.js",
    "grid.css",
    "grid.js",
    "groups.js",
    "groups_grid.js",
    "header.js",
    "icon.svg",
    "index.html",
    "keys.js",
    "lag.js",
    "live.js",
    "main.js",
    "measure.js",
    "names.js",
    "panels.css",
    "pipeline.js",
    "rejects.js",
    "row.js",
    "spark.js",
    "states.js",
    "theme.js",
    "token.js",
    "toolbar.js",
    "use.js",
    "view.js",
    "views.css",
    "views.js",
    "zone.js",
];

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let asset = |(name, bytes): (&'static str, &'static [u8])| {
        let tag = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
        Asset { name, bytes, tag: format!("\"{tag}\"") }
    };
    FILES.into_iter().map(asset).collect()
});

/// The page
#[utoipa::path(get, path = "/", security(()), responses(
    (status = 200, description = "HTML", body = String, content_type = "text/html"),
    (status = 304, description = "The browser has the newest version"),
    GuardErrors,
    (status = 503, response = Error),
))]
pub(in crate::server) async fn page(headers: HeaderMap) -> Answer {
    file("index.html", &headers)
}

/// A file of the page
#[utoipa::path(get, path = "/assets/{name}", security(()), params(("name" = String, Path)), responses(
    (status = 200, description = "The file", body = Binary, content_type = "*/*"),
    (status = 304, description = "The browser has the newest version"),
    GuardErrors,
    (status = 404, response = Error),
    (status = 503, response = Error),
))]
pub(in crate::server) async fn asset(PathName(name): PathName, headers: HeaderMap) -> Answer {
    file(&name?, &headers)
}

/// Nothing: the page has its own icon
#[utoipa::path(get, path = "/favicon.ico", security(()), responses(
    (status = 204, description = "Nothing"),
    GuardErrors,
))]
pub(in crate::server) async fn no_icon() -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

fn file(name: &str, headers: &HeaderMap) -> Answer {
    let not_found = || ApiError::new(StatusCode::NOT_FOUND, "not_found", "the page has no such file");
    let asset = ASSETS.iter().find(|asset| asset.name == name).ok_or_else(not_found)?;
    let known_tags = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known =
        known_tags.is_some_and(|tags| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == asset.tag));
    let mut response = if is_known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        body::answer(content_type(name), asset.bytes)
    };
    // Browsers must revalidate each time: a new binary has a new page.
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
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/page/assets");
        let names = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").file_name());
        let names: BTreeSet<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        let held: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(held, names);
        assert!(FILES.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() < 250_000);
    }
}
