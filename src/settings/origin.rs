//! Where the records of a run come from.

use std::path::PathBuf;

use super::SettingsError;
use super::args::{OriginKind, RunArgs, StartAt};
use super::kafka::kafka_settings;
use super::slot::{slot_settings, spill_folder};
use crate::replication::SlotSettings;
use crate::run::KafkaInput;
use crate::source::kafka::StartFrom;

/// Where the records of a run come from.
#[derive(Debug)]
pub enum OriginSettings {
    /// Kafka topics.
    Kafka(KafkaInput),
    /// A replication slot.
    Slot(Box<SlotSettings>),
    /// A file, or standard input (`-`).
    Input(FileOriginSettings),
}

/// A file, or standard input, and how to read it.
#[derive(Debug)]
pub struct FileOriginSettings {
    /// The file; `-` is standard input.
    pub path: PathBuf,
    /// The directory for transactions that are too large for memory.
    pub spill_folder: PathBuf,
}

impl OriginSettings {
    /// The origin that `walbook run` was given.
    ///
    /// # Errors
    /// [`SettingsError`] unless exactly one origin is named, and completely.
    pub(super) fn new(args: &RunArgs) -> Result<OriginSettings, SettingsError> {
        let wrong = |message: String| Err(SettingsError::Wrong(message));
        let kind = match args.origin.as_slice() {
            [kind] => *kind,
            [] => {
                return wrong(
                    "nothing to read: give --brokers and --topic for Kafka topics, --postgres and --slot for a replication \
                     slot, or --input for a file (- is standard input)"
                        .to_owned(),
                );
            }
            _ => {
                return wrong(
                    "a run reads from one place: give --brokers and --topic, or --postgres and --slot, or --input (a flag \
                     wins over a variable, and a variable over the settings file)"
                        .to_owned(),
                );
            }
        };
        if let Some((flag, kinds)) = args.foreign_flag(kind) {
            let kinds: Vec<_> = kinds.iter().map(|kind| kind.description()).collect();
            return wrong(format!(
                "{flag} applies to {}, and this run reads {}",
                kinds.join(" and "),
                kind.description()
            ));
        }
        match kind {
            OriginKind::Kafka => kafka(args).map(OriginSettings::Kafka),
            OriginKind::Slot => Ok(OriginSettings::Slot(Box::new(slot_settings(&args.slot)?))),
            OriginKind::Input => {
                let (path, spill_folder) = (args.input.clone().unwrap_or_default(), spill_folder(&args.slot)?);
                Ok(OriginSettings::Input(FileOriginSettings { path, spill_folder }))
            }
        }
    }
}

fn kafka(args: &RunArgs) -> Result<KafkaInput, SettingsError> {
    let brokers = args.brokers.clone().ok_or_else(|| SettingsError::missing("--brokers HOST:PORT"))?;
    let mut topics: Vec<String> = Vec::new();
    for topic in &args.topic {
        let topic = topic.trim();
        if topic.is_empty() {
            return Err(SettingsError::Wrong("--topic: one of the names is empty".to_owned()));
        }
        if !topics.iter().any(|earlier| earlier == topic) {
            topics.push(topic.to_owned());
        }
    }
    if topics.is_empty() {
        return Err(SettingsError::missing("--topic TOPIC"));
    }
    let from = match args.from {
        StartAt::Earliest => StartFrom::Earliest,
        StartAt::Latest => StartFrom::Latest,
    };
    Ok(KafkaInput { kafka: kafka_settings(brokers, &args.set)?, topics, from, group: args.group.clone() })
}
