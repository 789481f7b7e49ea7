//! What the errors of an object store mean as errors of a file system.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use object_store::Error;

use crate::change::with_causes;
use crate::store::StoreRefusal;

/// The error of a request, with all that the store said about it.
pub(super) fn io_error(error: Error) -> io::Error {
    let text = text(&error);
    if let Some(reason) = refusal(&error, &text) {
        // Never `NotFound`: a missing bucket must not be taken for a missing file.
        return io::Error::new(ErrorKind::PermissionDenied, StoreRefusal(format!("{reason}: {text}")));
    }
    io::Error::new(kind(&error, &text), text)
}

/// Whether there is no object of this key, or no such upload. A missing bucket is something else.
pub(super) fn is_absent(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && refusal(error, &text(error)).is_none()
}

/// Whether an upload, or a part of it, is not there any more.
pub(super) fn is_upload_gone(error: &Error) -> bool {
    let text = text(error);
    let is_said = ["NoSuchUpload", "InvalidPart", "InvalidBlockList"].iter().any(|code| text.contains(code));
    is_said || is_absent(error)
}

/// Whether a condition was not met; the answer to a conflict of two requests looks the same.
pub(super) fn is_condition(error: &Error) -> bool {
    matches!(error, Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. })
}

fn kind(error: &Error, text: &str) -> ErrorKind {
    match error {
        Error::NotFound { .. } => ErrorKind::NotFound,
        Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. } => {
            ErrorKind::AlreadyExists
        }
        Error::NotSupported { .. } | Error::NotImplemented { .. } => ErrorKind::Unsupported,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => ErrorKind::PermissionDenied,
        Error::Generic { .. } if text.contains("timed out") => ErrorKind::TimedOut,
        _ => ErrorKind::Other,
    }
}

/// What is wrong with every request, if that is what an error says.
fn refusal(error: &Error, text: &str) -> Option<&'static str> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["NoSuchBucket", "ContainerNotFound", "specified bucket does not exist"]) {
        return Some("there is no bucket of this name");
    }
    if has(&["RequestTimeTooSkewed", "RequestTimeSkew"]) {
        return Some("the clock of this machine differs too much from that of the object store: set it by NTP");
    }
    if has(&[
        "AuthorizationHeaderMalformed",
        "redirect without LOCATION",
        "PermanentRedirect",
        "IllegalLocationConstraint",
    ]) {
        return Some("the bucket is in another region: set it by --store region=…");
    }
    if has(&["ExpiredToken", "InvalidToken", "TokenRefreshRequired"]) {
        return Some("these credentials have expired, or are not valid any more");
    }
    if has(&[
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidAuthenticationInfo",
        "AuthenticationFailed",
        "UserNotFound",
    ]) {
        return Some("the object store does not accept these credentials");
    }
    // The address that machines of a cloud ask for their role.
    if has(&["169.254.169.254", "metadata.google.internal"]) {
        return Some("there are no credentials: set them as docs/object-stores.md says, or --store anonymous=true");
    }
    // Of several objects that were to be deleted, the answer names those that were refused.
    if has(&["AccessDenied", "AuthorizationPermissionMismatch"]) {
        return Some("these credentials may not do this");
    }
    match error {
        Error::Unauthenticated { .. } => Some("the object store does not accept these credentials"),
        Error::PermissionDenied { .. } => Some("these credentials may not do this"),
        _ => None,
    }
}

/// The message with its causes: some of them only point to the next.
fn text(error: &Error) -> String {
    let text = with_causes(error);
    // The body of an answer is in the innermost one.
    let text = match error.source().and_then(innermost) {
        Some(inner) if !text.contains(&inner) => format!("{text}: {inner}"),
        _ => text,
    };
    without_document(&text)
}

/// A message with the code and the message of the XML document in it, instead of the whole, which may repeat the request.
fn without_document(text: &str) -> String {
    let part = |tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        Some(rest.split_once(&format!("</{tag}>"))?.0.trim())
    };
    match (text.find("<?xml").or_else(|| text.find("<Error>")), part("Code")) {
        (Some(begin), Some(code)) => format!("{}{code}: {}", &text[..begin], part("Message").unwrap_or_default()),
        _ => text.to_owned(),
    }
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    Some(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::is_refusal;

    fn not_found(said: &str) -> Error {
        Error::NotFound { path: "a/b".to_owned(), source: said.to_owned().into() }
    }

    #[test]
    fn a_missing_bucket_is_no_missing_object() {
        assert!(is_absent(&not_found("NoSuchKey")));
        let bucket = not_found("<Error><Code>NoSuchBucket</Code></Error>");
        assert!(!is_absent(&bucket));
        let error = io_error(bucket);
        assert!(is_refusal(&error) && error.to_string().contains("no bucket of this name"), "{error}");
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(!is_refusal(&io_error(not_found("NoSuchKey"))));
    }

    #[test]
    fn an_upload_that_is_gone_is_recognized_by_what_each_store_says() {
        assert!(is_upload_gone(&not_found("")));
        for code in ["NoSuchUpload", "InvalidPart", "InvalidBlockList"] {
            let said = format!("<Error><Code>{code}</Code></Error>");
            assert!(is_upload_gone(&Error::Generic { store: "any", source: said.into() }), "{code}");
        }
        assert!(!is_upload_gone(&Error::Generic { store: "any", source: "InternalError".into() }));
        assert!(!is_upload_gone(&not_found("<Error><Code>NoSuchBucket</Code></Error>")));
    }

    #[test]
    fn a_document_is_shown_by_its_code_and_its_message() {
        let document = "403: <?xml version=\"1.0\"?>\n<Error><Code>SignatureDoesNotMatch</Code><Message>Check the key.</Message>\
                        <StringToSign>AWS4-HMAC</StringToSign></Error>";
        assert_eq!(without_document(document), "403: SignatureDoesNotMatch: Check the key.");
        for plain in ["connection refused", "<?xml and nothing", "<Code>x</Code>"] {
            assert_eq!(without_document(plain), plain);
        }
    }

    #[test]
    fn refusals_say_what_to_do() {
        for (said, reason) in [
            ("<Code>RequestTimeTooSkewed</Code>", "clock"),
            ("<Code>InvalidAccessKeyId</Code>", "does not accept"),
            ("<Code>AccessDenied</Code>", "may not do this"),
        ] {
            let denied = Error::PermissionDenied { path: "a".to_owned(), source: said.to_owned().into() };
            let error = io_error(denied);
            assert!(is_refusal(&error) && error.to_string().contains(reason), "{error}");
        }
        // With these the answer is 400 or a redirect, which the client does not distinguish.
        for (said, reason) in [
            ("<Error><Code>AuthorizationHeaderMalformed</Code></Error>", "region"),
            ("Received redirect without LOCATION, this normally indicates an incorrectly configured region", "region"),
            ("<Error><Code>AccessDenied</Code></Error>", "may not do this"),
            ("error sending request for url (http://169.254.169.254/latest/api/token)", "no credentials"),
            ("<Error><Code>ExpiredToken</Code></Error>", "expired"),
        ] {
            let error = io_error(Error::Generic { store: "S3", source: said.to_owned().into() });
            assert!(is_refusal(&error) && error.to_string().contains(reason), "{error}");
        }
    }
}
