//! The options of an object store, as users type them, and what they are called by the library.

use crate::store::{BucketKind, StoreError, StoreOption};

/// What an option's value must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    Text,
    Address,
    YesNo,
    Time,
}

/// An option: its name, its value, and by kind of store the library's name of it.
struct KnownOption {
    key: &'static str,
    value: Value,
    names: [Option<&'static str>; 3],
}

const fn option(key: &'static str, value: Value, names: [Option<&'static str>; 3]) -> KnownOption {
    KnownOption { key, value, names }
}

/// For S3, Google and Azure. Credentials are not among them: other users of a machine see the arguments of its processes.
const OPTIONS: [KnownOption; 8] = [
    option("endpoint", Value::Address, [Some("endpoint"), Some("base_url"), Some("endpoint")]),
    option("region", Value::Text, [Some("region"), None, None]),
    option("account", Value::Text, [None, None, Some("account_name")]),
    option("path-style", Value::YesNo, [Some("virtual_hosted_style_request"), None, None]),
    option("allow-http", Value::YesNo, [Some("allow_http"), Some("allow_http"), Some("allow_http")]),
    option("anonymous", Value::YesNo, [Some("skip_signature"), Some("skip_signature"), Some("skip_signature")]),
    option("timeout", Value::Time, [Some("timeout"), Some("timeout"), Some("timeout")]),
    option("connect-timeout", Value::Time, [Some("connect_timeout"), Some("connect_timeout"), Some("connect_timeout")]),
];

/// The library's settings for some options, in their order.
///
/// # Errors
/// [`StoreError::WrongOption`] for a key that this kind of store does not have, one that is there twice, and a wrong value.
pub(super) fn settings(kind: BucketKind, options: &[StoreOption]) -> Result<Vec<(&'static str, String)>, StoreError> {
    let place = match kind {
        BucketKind::S3 => 0,
        BucketKind::Google => 1,
        BucketKind::Azure => 2,
    };
    let value_of = |key: &str| options.iter().find(|option| option.key == key).map(|option| option.value.as_str());
    let mut settings = Vec::new();
    for (number, StoreOption { key, value }) in options.iter().enumerate() {
        let wrong = |reason: String| StoreError::WrongOption { option: key.clone(), reason };
        let found = OPTIONS.iter().find_map(|known| (known.key == key).then_some((known.value, known.names[place]?)));
        let Some((form, name)) = found else {
            let all: Vec<&str> =
                OPTIONS.iter().filter(|known| known.names[place].is_some()).map(|known| known.key).collect();
            return Err(wrong(format!(
                "there is no such option of {}://; there are {}",
                kind.scheme(),
                all.join(", ")
            )));
        };
        if options[..number].iter().any(|other| other.key == *key) {
            return Err(wrong("it is there twice".to_owned()));
        }
        match form {
            Value::Text if value.is_empty() => return Err(wrong("expected a value".to_owned())),
            Value::YesNo if !matches!(value.as_str(), "true" | "false") => {
                return Err(wrong("expected true or false".to_owned()));
            }
            Value::Time if humantime::parse_duration(value).is_err() => {
                return Err(wrong("expected a time, as in 30s".to_owned()));
            }
            Value::Address => match value.split_once("://") {
                Some(("https", host)) if !host.is_empty() => {}
                Some(("http", host)) if !host.is_empty() => {
                    if value_of("allow-http") != Some("true") {
                        let reason = "over plain HTTP everybody on the way can read and change the book; for a test server \
                                      add --store allow-http=true";
                        return Err(wrong(reason.to_owned()));
                    }
                }
                _ => return Err(wrong("expected an address, as in https://storage.example:9000".to_owned())),
            },
            Value::Text | Value::YesNo | Value::Time => {}
        }
        let value = match key.as_str() {
            // The library asks the other way round.
            "path-style" => (value == "false").to_string(),
            _ => value.clone(),
        };
        settings.push((name, value));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: BucketKind, options: &[&str]) -> Result<Vec<(&'static str, String)>, String> {
        let options: Vec<StoreOption> = options.iter().map(|text| text.parse().expect("an option")).collect();
        settings(kind, &options).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_settings_of_the_library() {
        let settings = of(BucketKind::S3, &["endpoint=http://localhost:7070", "allow-http=true", "path-style=true"]);
        let expected =
            [("endpoint", "http://localhost:7070"), ("allow_http", "true"), ("virtual_hosted_style_request", "false")];
        assert_eq!(settings.expect("right"), expected.map(|(key, value)| (key, value.to_owned())));
    }

    #[test]
    fn wrong_options_are_refused_with_the_reason() {
        for (kind, options, reason) in [
            (BucketKind::S3, &["endpont=https://a"][..], "there are endpoint, region"),
            (BucketKind::S3, &["account=a"], "no such option of s3://"),
            (BucketKind::Google, &["region=a"], "no such option of gs://"),
            (BucketKind::S3, &["endpoint=localhost:9000"], "expected an address"),
            (BucketKind::S3, &["endpoint=http://localhost:9000"], "allow-http=true"),
            (BucketKind::S3, &["path-style=yes"], "true or false"),
            (BucketKind::Azure, &["timeout=soon"], "expected a time"),
            (BucketKind::S3, &["region="], "expected a value"),
            (BucketKind::S3, &["region=a", "region=b"], "twice"),
        ] {
            let message = of(kind, options).expect_err("wrong");
            assert!(message.starts_with("--store ") && message.contains(reason), "{options:?}: {message}");
        }
    }
}
