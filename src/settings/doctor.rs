//! What the doctor looks at, made of what was typed.

use super::SettingsError;
use super::args::DoctorArgs;
use super::kafka::kafka_settings;
use crate::doctor::Patient;
use crate::postgres::ConnectSettings;

/// Checks what was typed for `walbook doctor`.
///
/// # Errors
/// [`SettingsError`] for whatever does not fit.
pub fn patient(args: DoctorArgs) -> Result<Patient, SettingsError> {
    let wrong = |message: &str| Err(SettingsError::Wrong(message.to_owned()));
    let given = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let (slot, topic) = (given(args.slot), given(args.topic));
    if args.postgres.is_none() && args.brokers.is_none() && args.book.is_none() {
        return wrong("nothing to look at: give --postgres URL, --brokers HOST:PORT with --topic TOPIC, or a BOOK");
    }
    if slot.is_some() && args.postgres.is_none() {
        return wrong("--slot needs --postgres URL: where is it?");
    }
    if topic.is_some() && args.brokers.is_none() {
        return wrong("--topic needs --brokers HOST:PORT: where is it?");
    }
    if topic.as_deref().is_some_and(|topic| topic.contains(',')) {
        return wrong("--topic: one topic at a time");
    }
    Ok(Patient {
        postgres: args.postgres.as_deref().map(ConnectSettings::parse).transpose()?,
        slot,
        kafka: args.brokers.map(|brokers| kafka_settings(brokers, &args.set)).transpose()?,
        topic,
        book: args.book,
    })
}
