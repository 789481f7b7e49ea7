//! The options with which test_decoding is started.

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
            let is_on = match value.to_ascii_lowercase().as_str() {
                "1" | "on" | "true" | "yes" | "t" | "y" => Some(true),
                "0" | "off" | "false" | "no" | "f" | "n" => Some(false),
                _ => None,
            };
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
    fn an_option_that_would_break_the_format_is_refused() {
        for text in
            ["stream-changes=1", "stream-changes", "force-binary=true", "include-xids=0", "include-timestamp=off", "=1"]
        {
            assert!(parse(&[text]).is_err_and(|error| error.is_usage()), "{text}");
        }
    }
}
