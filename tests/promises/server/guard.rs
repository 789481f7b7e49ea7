//! A client without access gets nothing of the book, and a request that makes no sense is refused with a reason.

use std::io::Write;

use walbook::server::{Access, Token};

use super::client::{ask, get};
use super::serve;
use crate::readers::loop_of_rows::{folder, open};

#[test]
fn only_clients_with_access_are_answered() {
    let folder = folder();
    drop(open(folder.path()));
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    writeln!(file, "  a-token-of-many-letters ").expect("it can be written");
    let token = Token::read(file.path()).expect("a token");
    let address = serve(folder.path(), Access { token: Some(token), names: Vec::new() });

    let open = ask(address, "GET", "/", &[]);
    assert_eq!(open.status, 200);
    let policy = open.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';") && policy.contains("frame-ancestors 'none'"));
    for (header, value) in
        [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("x-frame-options", "DENY")]
    {
        assert_eq!(open.header(header), Some(value));
    }
    assert_eq!(open.header("access-control-allow-origin"), None);

    let refused = ask(address, "GET", "/api/status", &[]);
    assert_eq!((refused.status, refused.header("www-authenticate").is_some()), (401, true));
    assert_eq!(refused.json()["error"]["code"], "unauthorized");
    assert!(refused.header("content-security-policy").is_some());
    let bearer = ("Authorization", "Bearer a-token-of-many-letters");
    assert_eq!(ask(address, "GET", "/api/status", &[bearer]).status, 200);
    assert_eq!(ask(address, "GET", "/api/status", &[bearer, ("Host", "evil.example")]).status, 403);
    assert_eq!(ask(address, "POST", "/api/status", &[bearer]).status, 405);
    assert_eq!(ask(address, "GET", "/api/status", &[bearer, ("Content-Length", "5")]).status, 413);
}

#[test]
fn a_request_that_makes_no_sense_is_refused() {
    let folder = folder();
    drop(open(folder.path()));
    let address = serve(folder.path(), Access::default());
    for (path, status) in [
        ("/api/counts?form=json", 400),
        ("/api/counts?from=2026-11-02&to=2026-11-01", 400),
        ("/api/counts?table=orders", 400),
        ("/api/counts?level=live", 400),
        ("/api/counts?by=hour", 400),
        ("/api/events?limit=1001", 400),
        ("/api/events?cursor=nonsense", 400),
        ("/api/events?format=arrow", 400),
        ("/api/live?from=2026-11-02&to=2026-11-01", 400),
        ("/api/days?from=0001-01-01", 413),
        ("/api/nothing", 404),
        ("/assets/..%2f..%2fCargo.toml", 404),
    ] {
        let answer = ask(address, "GET", path, &[]);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.json()["error"]["message"].is_string());
    }
    let page = get(address, "/");
    let tag = page.header("etag").expect("a tag").to_owned();
    assert_eq!(ask(address, "GET", "/", &[("If-None-Match", &tag)]).status, 304);
    for path in ["/healthz", "/readyz", "/metrics", "/api/openapi.json"] {
        get(address, path);
    }
    assert!(get(address, "/metrics").text().ends_with("# EOF\n"));
    assert_eq!(get(address, "/api/counts").json()["rows"].as_array().map(Vec::len), Some(0));
}
