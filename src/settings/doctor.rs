//! The settings of `walbook doctor`, checked.

use super::SettingsError;
use super::args::DoctorArgs;
use super::kafka::kafka_settings;
use crate::doctor::Targets;
use crate::postgres::ConnectSettings;

/// Checks the settings of `walbook doctor`.
///
/// # Errors
/// [`SettingsError`] when a setting is wrong or nothing is named.
pub fn doctor_targets(args: DoctorArgs) -> Result<Targets, SettingsError> {
    let wrong = |message: &str| Err(SettingsError::Wrong(message.to_owned()));
    let given = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let (slot, topic) = (given(args.slot), given(args.topic));
    if args.postgres.is_none() && args.brokers.is_none() && args.book.is_none() {
        return wrong("nothing to check: give --postgres URL, --brokers HOST:PORT with --topic TOPIC, or a BOOK");
    }
    if slot.is_some() && args.postgres.is_none() {
        return wrong("--slot: its server is missing, add --postgres URL");
    }
    if topic.is_some() && args.brokers.is_none() {
        return wrong("--topic: its brokers are missing, add --brokers HOST:PORT");
    }
    if topic.as_deref().is_some_and(|topic| topic.contains(',')) {
        return wrong("--topic: expected one topic");
    }
    Ok(Targets {
        postgres: args.postgres.as_deref().map(ConnectSettings::parse).transpose()?,
        slot,
        kafka: args.brokers.map(|brokers| kafka_settings(brokers, &args.set)).transpose()?,
        topic,
        book: args.book.map(|book| args.store.of(&book)).transpose()?,
    })
}
