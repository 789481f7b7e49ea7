//! The options with which test_decoding is started.

use crate::change::Lsn;
use crate::replication::SlotError;

/// Options of the plugin: the required ones, and those that a user adds.
#[derive(Clone, Debug, Default)]
pub struct PluginOptions {
    added: Vec<(String, String)>,
}

/// Options that are always set.
const REQUIRED: [(&str, &str, &str); 3] = [
    ("include-xids", "on", "a record holds its transaction"),
    ("include-timestamp", "on", "a record holds the time of its commit"),
    ("skip-empty-xacts", "on", "transactions without changes are not sent"),
];

/// Options whose output cannot be read.
const FORBIDDEN: [(&str, &str); 2] = [
    ("stream-changes", "its lines name no table, and are sent before the transaction commits"),
    ("force-binary", "lines are text"),
];

/// A boolean as PostgreSQL reads it, or `None` for another value.
fn switch(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "on" | "true" | "yes" | "t" | "y" => Some(true),
        "0" | "off" | "false" | "no" | "f" | "n" => Some(false),
        _ => None,
    }
}

/// Checks that a reader which has read everything up to `position` with the options `known` may read a slot that is confirmed
/// up to `confirmed` with the options `now`: with others the server repeats other transactions, and cannot be recognized by
/// them.
///
/// # Errors
/// [`SlotError::OptionsChanged`] if the server still repeats what was read.
pub fn check_options(known: Option<&str>, now: &str, position: Lsn, confirmed: Lsn) -> Result<(), SlotError> {
    match known {
        Some(known) if known != now && confirmed < position => {
            Err(SlotError::OptionsChanged { known: known.to_owned(), now: now.to_owned(), position, confirmed })
        }
        _ => Ok(()),
    }
}

impl PluginOptions {
    /// Parses `key=value` texts as a user types them.
    ///
    /// # Errors
    /// [`SlotError::Setup`] for an option that must not be changed.
    pub fn parse(texts: &[String]) -> Result<PluginOptions, SlotError> {
        let mut added: Vec<(String, String)> = Vec::new();
        for text in texts {
            let (key, value) = text.split_once('=').unwrap_or((text, "on"));
            let (key, value) = (key.trim(), value.trim());
            let is_on = switch(value);
            let wrong = |why: &str| Err(SlotError::Setup(format!("--plugin-option {key}={value}: {why}")));
            if key.is_empty() {
                return wrong("an option needs a name");
            }
            if let Some((_, _, why)) = REQUIRED.iter().find(|(required, _, _)| *required == key) {
                match is_on {
                    Some(true) => continue,
                    _ => return wrong(&format!("it must stay on: {why}")),
                }
            }
            if let Some((_, why)) = FORBIDDEN.iter().find(|(forbidden, _)| *forbidden == key) {
                match is_on {
                    Some(false) => continue,
                    _ => return wrong(&format!("it must stay off: {why}")),
                }
            }
            added.retain(|(name, _)| name != key);
            added.push((key.to_owned(), value.to_owned()));
        }
        Ok(PluginOptions { added })
    }

    /// The added options that are on, or have another value than on and off, in one order for equal sets: what a reader remembers
    /// of them, since they decide which transactions and changes a server sends. Empty without any; each of test_decoding's is off
    /// unless it is set.
    pub fn identity(&self) -> String {
        let mut set: Vec<String> = self
            .added
            .iter()
            .filter(|(_, value)| switch(value) != Some(false))
            .map(|(key, value)| match switch(value) {
                Some(_) => format!("{key}=on"),
                None => format!("{key}={value}"),
            })
            .collect();
        set.sort();
        set.join(" ")
    }

    /// The list in the syntax of `START_REPLICATION`: `"key" 'value', …`.
    pub(in crate::replication) fn list(&self) -> String {
        let required = REQUIRED.iter().map(|(key, value, _)| (*key, *value));
        let added = self.added.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let quoted =
            |(key, value): (&str, &str)| format!("\"{}\" '{}'", key.replace('"', "\"\""), value.replace('\'', "''"));
        required.chain(added).map(quoted).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Classified;

    fn parse(texts: &[&str]) -> Result<PluginOptions, SlotError> {
        PluginOptions::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_required_options_are_always_sent() {
        let options = parse(&["only-local=1", "include-xids=1", "stream-changes=off", "o'dd=it's"]).expect("options");
        assert_eq!(
            options.list(),
            r#""include-xids" 'on', "include-timestamp" 'on', "skip-empty-xacts" 'on', "only-local" '1', "o'dd" 'it''s'"#
        );
    }

    #[test]
    fn equal_sets_of_options_have_one_identity() {
        let identity = |texts: &[&str]| parse(texts).expect("options").identity();
        assert_eq!(identity(&[]), "");
        assert_eq!(identity(&["only-local=off", "stream-changes=0", "include-xids=1"]), "");
        assert_eq!(identity(&["only-local", "include-rewrites=t"]), "include-rewrites=on only-local=on");
        assert_eq!(identity(&["include-rewrites=1", "only-local=yes"]), "include-rewrites=on only-local=on");
        assert_eq!(identity(&["odd=it's"]), "odd=it's");
    }

    #[test]
    fn options_may_change_only_where_the_server_repeats_nothing() {
        let lsn = |number| Lsn::from_i64(number).expect("an LSN");
        let check = |known, now, confirmed| check_options(known, now, lsn(0x40), lsn(confirmed));
        let error = check(Some(""), "only-local=on", 0x3F).expect_err("the server repeats the last byte");
        assert!(error.is_usage() && !error.is_retryable());
        let text = error.to_string();
        assert!(text.contains("from none to only-local=on") && text.contains("0/40"), "{text}");
        check(Some(""), "only-local=on", 0x40).expect("all is confirmed");
        check(Some("only-local=on"), "only-local=on", 0).expect("they are the same");
        check(None, "only-local=on", 0).expect("an older version did not keep them");
    }

    #[test]
    fn an_option_that_would_break_the_format_is_refused() {
        for text in
            ["stream-changes=1", "stream-changes", "force-binary=true", "include-xids=0", "include-timestamp=off", "=1"]
        {
            assert!(parse(&[text]).is_err_and(|error| error.is_usage()), "{text}");
        }
    }
}
