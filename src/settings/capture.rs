//! The settings of `walbook capture`, checked.

use super::SettingsError;
use super::args::CaptureArgs;
use super::kafka::kafka_settings;
use super::slot::slot_settings;
use crate::capture::{CaptureSettings, Until};

/// The longest topic name (Kafka, `Topic.java`) that leaves room for the suffix of the position topic.
const LONGEST_TOPIC: usize = 249 - ".walbook-position".len();

/// Checks the settings of `walbook capture`.
///
/// # Errors
/// [`SettingsError`] when a setting is wrong.
pub fn capture_settings(args: CaptureArgs) -> Result<CaptureSettings, SettingsError> {
    let wrong = |message: String| Err(SettingsError::Wrong(message));
    let topic = args.topic.trim().to_owned();
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if topic.is_empty() || topic.len() > LONGEST_TOPIC || !topic.chars().all(is_letter) || topic == "." || topic == ".."
    {
        return wrong(format!(
            "--topic {topic:?}: expected one name of 1 to {LONGEST_TOPIC} characters out of a-z, A-Z, 0-9, dot, underscore and hyphen"
        ));
    }
    if args.partitions < 1 {
        return wrong(format!("--partitions {}: expected at least one", args.partitions));
    }
    let kafka = kafka_settings(args.brokers, &args.set)?;
    kafka.check_producing()?;
    Ok(CaptureSettings {
        slot: slot_settings(&args.source)?,
        kafka,
        topic,
        create_topic: args.create_topic.then_some(args.partitions),
        until: match args.until_lsn {
            Some(lsn) => Until::Lsn(lsn),
            None if args.once => Until::Start,
            None => Until::Never,
        },
        assume_position: args.assume_position,
    })
}
