//! Which requests are permitted: by the server's name in the request, its origin, and the token.
//!
//! *Why* the name: another site can let its own name resolve to this machine (DNS rebinding), and the browser would then let
//! that site's page read the answers. Its requests carry that name. Addresses cannot be rebound, so they are permitted.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use sha2::{Digest, Sha256};

use crate::server::ServeError;
use crate::server::error::ApiError;

/// Characters of a token; a shorter one could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Bytes of the longest path with its parameters.
const LONGEST_TARGET: usize = 8 << 10;

/// A secret that requests must carry; compared by its digest, so that the time of a comparison reveals nothing.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// Reads a token from a file: its first line without blanks around it.
    ///
    /// # Errors
    /// [`ServeError::Token`] for a file that cannot be read, or holds less than sixteen characters.
    pub fn read(path: &Path) -> Result<Token, ServeError> {
        let wrong = |reason: String| ServeError::Token { path: path.display().to_string(), reason };
        let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let token = text.lines().next().unwrap_or_default().trim();
        if token.len() < SHORTEST_TOKEN {
            return Err(wrong(format!("its first line has fewer than {SHORTEST_TOKEN} characters")));
        }
        Ok(Token::of(token.as_bytes()))
    }

    fn of(token: &[u8]) -> Token {
        Token(Sha256::digest(token).into())
    }

    fn matches(&self, token: &[u8]) -> bool {
        let other = Token::of(token);
        self.0.iter().zip(other.0).fold(0, |difference, (one, other)| difference | (one ^ other)) == 0
    }
}

/// Which requests are permitted.
#[derive(Clone, Default)]
pub struct Access {
    /// The token that requests must carry, if any.
    pub token: Option<Token>,
    /// Host names of the server besides those of the loopback.
    pub names: Vec<String>,
}

impl Access {
    /// Refuses an address beyond the loopback, unless there is a token or `insecure` is set.
    ///
    /// # Errors
    /// [`ServeError::Open`].
    pub fn check(&self, address: SocketAddr, insecure: bool) -> Result<(), ServeError> {
        if address.ip().is_loopback() || self.token.is_some() || insecure {
            Ok(())
        } else {
            Err(ServeError::Open(address))
        }
    }

    /// Refuses a request that must not reach a handler.
    pub(in crate::server) fn permit<B>(&self, request: &Request<B>) -> Result<(), ApiError> {
        let forbidden = |message: String| ApiError::new(StatusCode::FORBIDDEN, "forbidden", message);
        let hosts = request.headers().get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or_default());
        let target = request.uri().authority().map(|authority| authority.as_str());
        let mut names = 0;
        for host in hosts.chain(target) {
            names += 1;
            if !self.is_name(host) {
                let what = "is not a name of this server; permit it with --allow-host";
                return Err(forbidden(format!("{host:?} {what}")));
            }
        }
        if names == 0 {
            return Err(ApiError::bad_request("the request has no Host header"));
        }
        let path = request.uri().path();
        if is_cross_site(request.headers()) && (path.starts_with("/api/") || path == "/metrics") {
            return Err(forbidden("pages of other sites must not use this API".to_owned()));
        }
        let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        if target > LONGEST_TARGET {
            return Err(ApiError::new(
                StatusCode::URI_TOO_LONG,
                "too_long",
                "the path and its parameters are too long",
            ));
        }
        match &self.token {
            Some(token) if needs_token(request.uri().path()) && !carries(request.headers(), token) => {
                let message = "this server requires its token: Authorization: Bearer …";
                Err(ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message))
            }
            _ => Ok(()),
        }
    }

    fn is_name(&self, host: &str) -> bool {
        let name = without_port(host);
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let name = name.strip_suffix('.').unwrap_or(name);
        address.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self.names.iter().any(|known| name.eq_ignore_ascii_case(without_port(known)))
    }
}

/// Whether a browser reports that a page of another site makes the request: it could not read the answer, but cause load.
/// Addresses that a person opens are reported as `none`; other programs send no such header.
fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

/// A name without its port; names are permitted at any port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The page must load before it can ask for the token, and health checks need not know it.
fn needs_token(path: &str) -> bool {
    path.starts_with("/api/") || path == "/metrics"
}

fn carries(headers: &HeaderMap, token: &Token) -> bool {
    let value = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    match value.split_at_checked("Bearer ".len()) {
        Some((scheme, value)) => scheme.eq_ignore_ascii_case(b"Bearer ") && token.matches(value.trim_ascii()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(access: &Access, host: &str, path: &str, token: Option<&str>) -> u16 {
        let mut request = Request::builder().uri(path).header(header::HOST, host);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token);
        }
        match access.permit(&request.body(()).expect("a request")) {
            Ok(()) => 200,
            Err(error) => axum::response::IntoResponse::into_response(error).status().as_u16(),
        }
    }

    #[test]
    fn only_requests_for_the_servers_own_names_are_permitted() {
        let access = Access { token: None, names: vec!["book.example".to_owned(), "other.example:8321".to_owned()] };
        for host in [
            "localhost",
            "LOCALHOST:8321",
            "127.0.0.1:8321",
            "[::1]:8321",
            "10.0.0.7",
            "book.example:80",
            "other.example:1",
            "localhost.",
        ] {
            assert_eq!(asks(&access, host, "/", None), 200, "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "localhost:x", "[::1].evil"]
        {
            assert_eq!(asks(&access, host, "/", None), 403, "{host}");
        }
        // The request line may name a host as well.
        assert_eq!(asks(&access, "localhost", "http://evil.example/", None), 403);
        assert_eq!(asks(&access, "localhost", &format!("/?{}", "x".repeat(9000)), None), 414);
    }

    #[test]
    fn pages_of_other_sites_cannot_use_the_api() {
        let status = |site: Option<&str>, path: &str| {
            let mut request = Request::builder().uri(path).header(header::HOST, "localhost");
            if let Some(site) = site {
                request = request.header("sec-fetch-site", site);
            }
            Access::default().permit(&request.body(()).expect("a request")).is_ok()
        };
        for site in ["cross-site", "same-site", "whatever"] {
            assert!(!status(Some(site), "/api/events") && !status(Some(site), "/metrics"), "{site}");
            // Links on other sites may lead to the page.
            assert!(status(Some(site), "/") && status(Some(site), "/assets/app.js"), "{site}");
        }
        for site in [None, Some("same-origin"), Some("none")] {
            assert!(status(site, "/api/events"), "{site:?}");
        }
    }

    #[test]
    fn the_token_is_required_for_the_api_alone() {
        let access = Access { token: Some(Token::of(b"a secret of many letters")), names: Vec::new() };
        for path in ["/api/counts", "/metrics"] {
            assert_eq!(asks(&access, "localhost", path, None), 401);
            assert_eq!(asks(&access, "localhost", path, Some("Bearer a secret of many letterz")), 401);
            assert_eq!(asks(&access, "localhost", path, Some("Basic a secret of many letters")), 401);
            assert_eq!(asks(&access, "localhost", path, Some("bearer  a secret of many letters")), 200);
        }
        for path in ["/", "/assets/app.js", "/healthz", "/readyz"] {
            assert_eq!(asks(&access, "localhost", path, None), 200);
        }
    }

    #[test]
    fn an_open_address_needs_a_token() {
        let (open, own): (SocketAddr, SocketAddr) =
            ("0.0.0.0:1".parse().expect("an address"), "127.0.0.1:1".parse().expect("an address"));
        let none = Access::default();
        assert!(none.check(own, false).is_ok() && none.check(open, true).is_ok() && none.check(open, false).is_err());
        let token = Access { token: Some(Token::of(b"x")), names: Vec::new() };
        assert!(token.check(open, false).is_ok());
    }
}
