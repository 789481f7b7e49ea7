//! The settings for reaching Kafka, shared by all commands that do.

use super::SettingsError;
use crate::source::kafka::KafkaSettings;

/// The brokers, and the settings that `-X` or its variable passes through to librdkafka.
pub(super) fn kafka_settings(brokers: String, set: &[String]) -> Result<KafkaSettings, SettingsError> {
    let mut passed = Vec::new();
    // Only the variable separates settings by semicolons: a typed value may contain them.
    let from_variable = std::env::var("WALBOOK_SET").is_ok_and(|variable| *set == [variable]);
    let settings = set.iter().flat_map(|set| match from_variable {
        true => set.split(';').collect(),
        false => vec![set.as_str()],
    });
    for (index, setting) in settings.enumerate() {
        match setting.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => passed.push((key.trim().to_owned(), value.to_owned())),
            // Not the text itself: it may be part of a password.
            _ => return Err(SettingsError::Wrong(format!("-X: setting {} is not KEY=VALUE", index + 1))),
        }
    }
    Ok(KafkaSettings { brokers, passed })
}
