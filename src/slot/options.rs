//! The options that test_decoding is started with.

use super::SlotError;

/// Options of the plugin: those that are needed, and those that a user adds.
#[derive(Clone, Debug, Default)]
pub struct PluginOptions {
    added: Vec<(String, String)>,
}

/// What records are made of: set always.
const NEEDED: [(&str, &str, &str); 3] = [
    ("include-xids", "on", "a record tells its transaction"),
    ("include-timestamp", "on", "a record tells when its transaction was committed"),
    ("skip-empty-xacts", "on", "transactions without changes are not sent"),
];

/// What would make lines unreadable.
const FORBIDDEN: [(&str, &str); 2] = [
    ("stream-changes", "its lines name no table, and come before anybody knows whether the transaction commits"),
    ("force-binary", "lines are text"),
];

impl PluginOptions {
    /// Takes `key=value` texts as a user types them.
    ///
    /// # Errors
    /// [`SlotError::Setup`] for an option that would break what is needed.
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
                return wrong("an option has a name");
            }
            if let Some((_, _, why)) = NEEDED.iter().find(|(needed, _, _)| *needed == key) {
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
            added.retain(|(known, _)| known != key);
            added.push((key.to_owned(), value.to_owned()));
        }
        Ok(PluginOptions { added })
    }

    /// The list as `START_REPLICATION` takes it: `"key" 'value', …`.
    pub(super) fn list(&self) -> String {
        let needed = NEEDED.iter().map(|(key, value, _)| (*key, *value));
        let added = self.added.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let quoted =
            |(key, value): (&str, &str)| format!("\"{}\" '{}'", key.replace('"', "\"\""), value.replace('\'', "''"));
        needed.chain(added).map(quoted).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<PluginOptions, SlotError> {
        PluginOptions::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_needed_is_always_there() {
        let options = parse(&["only-local=1", "include-xids=1", "stream-changes=off", "o'dd=it's"]).expect("options");
        assert_eq!(
            options.list(),
            r#""include-xids" 'on', "include-timestamp" 'on', "skip-empty-xacts" 'on', "only-local" '1', "o'dd" 'it''s'"#
        );
    }

    #[test]
    fn what_would_break_it_is_refused() {
        for text in
            ["stream-changes=1", "stream-changes", "force-binary=true", "include-xids=0", "include-timestamp=off", "=1"]
        {
            assert!(parse(&[text]).is_err_and(|error| error.is_usage()), "{text}");
        }
    }
}
