//! What every command that speaks to Kafka is told about it.

use super::SettingsError;
use crate::source::kafka::KafkaSettings;

/// Brokers, and the settings that were passed through by `-X` or its variable.
pub(super) fn kafka_settings(brokers: String, set: &[String]) -> Result<KafkaSettings, SettingsError> {
    let mut passed = Vec::new();
    // The variable's one value holds all settings; a value that was typed is one setting, semicolons and all.
    let from_variable = std::env::var("WALBOOK_SET").is_ok_and(|variable| *set == [variable]);
    let settings = set.iter().flat_map(|set| match from_variable {
        true => set.split(';').collect(),
        false => vec![set.as_str()],
    });
    for (place, setting) in settings.enumerate() {
        match setting.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => passed.push((key.trim().to_owned(), value.to_owned())),
            // Not the text itself: it may be part of a password.
            _ => return Err(SettingsError::Wrong(format!("setting {} of -X is not key=value", place + 1))),
        }
    }
    Ok(KafkaSettings { brokers, passed })
}
