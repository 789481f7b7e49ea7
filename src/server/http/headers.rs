//! Headers that handlers add: security, the file name of a download, and what an answer is complete to.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

use super::answer_format::AnswerFormat;
use crate::book::CompleteTo;
use crate::change::Day;
use crate::query::RejectCount;
use crate::sql::BadValues;

/// Bytes of the longest `Walbook-Complete-To`; browsers refuse longer headers.
const LONGEST_HEADER: usize = 6 << 10;

/// Adds the headers that every response has.
pub(in crate::server) fn add_security(headers: &mut HeaderMap) {
    const CONTENT_SECURITY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
        connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    const ALL: [(HeaderName, &str); 7] = [
        (header::VARY, "accept-encoding"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in ALL {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Adds the header `Walbook-Complete-To`, for answers whose body cannot contain it.
pub(in crate::server) fn add_complete_to(response: &mut Response, complete_to: &CompleteTo) {
    let mut text = ascii(&serde_json::json!(complete_to).to_string());
    if text.len() > LONGEST_HEADER {
        let mut shorter = complete_to.clone();
        shorter.positions.clear();
        text = ascii(&serde_json::json!(shorter).to_string());
    }
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(HeaderName::from_static("walbook-complete-to"), value);
    }
}

/// Adds the header `Walbook-Rejects`, for answers whose body cannot contain it.
pub(in crate::server) fn add_rejects(response: &mut Response, rejects: RejectCount) {
    if let Ok(value) = HeaderValue::from_str(&serde_json::json!(rejects).to_string()) {
        response.headers_mut().insert(HeaderName::from_static("walbook-rejects"), value);
    }
}

/// Adds the header `Walbook-Bad-Values`, for answers whose body cannot contain it.
pub(in crate::server) fn add_bad_values(response: &mut Response, bad_values: &BadValues) {
    if let Ok(value) = HeaderValue::from_str(&ascii(&serde_json::json!(bad_values).to_string())) {
        response.headers_mut().insert(HeaderName::from_static("walbook-bad-values"), value);
    }
}

/// JSON in which letters beyond ASCII are escaped.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
        }
    }
    text
}

/// Makes browsers save an answer as a file named after the book, the content and the days.
pub(in crate::server) fn add_download(
    response: &mut Response,
    book: &str,
    content: &str,
    days: (Option<Day>, Option<Day>),
    format: AnswerFormat,
) {
    let day = |day: Option<Day>, none: &str| day.map_or_else(|| none.to_owned(), |day| day.to_string());
    let name = format!("{book}-{content}-{}-{}.{}", day(days.0, "first"), day(days.1, "last"), format.name());
    // A book is named after its directory, whose name may contain any character.
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' };
    let name: String = name.chars().map(plain).collect();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
}
