//! Where a run's records come from, made of what was typed.

use std::path::PathBuf;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::SettingsError;
use super::args::{From, RunArgs};
use super::kafka::kafka_settings;
use super::slot::{slot_settings, spill_folder};
use crate::slot::SlotSettings;
use crate::source::kafka::{KafkaSettings, StartFrom};

/// Where a run's records come from.
#[derive(Debug)]
pub enum Origin {
    /// Topics of Kafka.
    Kafka(KafkaOrigin),
    /// A replication slot.
    Slot(Box<SlotSettings>),
    /// A file, or standard input (`-`).
    Input(InputOrigin),
}

/// Topics of Kafka, and how to read them.
#[derive(Debug)]
pub struct KafkaOrigin {
    /// How to reach Kafka.
    pub kafka: KafkaSettings,
    /// The topics, each once.
    pub topics: Vec<String>,
    /// Where to begin in a new topic.
    pub from: StartFrom,
    /// The group to tell, if one was named.
    pub group: Option<String>,
}

/// A file, or standard input, and how to read it.
#[derive(Debug)]
pub struct InputOrigin {
    /// The file; `-` is standard input.
    pub path: PathBuf,
    /// Where transactions wait for their end that are too large for memory.
    pub spill_folder: PathBuf,
}

/// Which of the places was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginKind {
    /// `--brokers`, `--topic`
    Kafka,
    /// `--postgres`, `--slot`
    Slot,
    /// `--input`
    Input,
}

impl OriginKind {
    /// The kinds with the flags that name them.
    const FLAGS: [(OriginKind, &[&str]); 3] = [
        (OriginKind::Kafka, &["brokers", "topic"]),
        (OriginKind::Slot, &["postgres", "slot"]),
        (OriginKind::Input, &["input"]),
    ];

    /// Flags that say nothing of every kind, with those of which they do.
    const OWN: [(&[OriginKind], &str, &str); 6] = [
        (&[OriginKind::Kafka], "from", "--from"),
        (&[OriginKind::Kafka], "group", "--group"),
        (&[OriginKind::Kafka], "set", "-X"),
        (&[OriginKind::Slot], "create_slot", "--create-slot"),
        (&[OriginKind::Slot], "plugin_option", "--plugin-option"),
        (&[OriginKind::Slot, OriginKind::Input], "spill_dir", "--spill-dir"),
    ];

    /// What is read, for messages.
    fn what(self) -> &'static str {
        match self {
            OriginKind::Kafka => "topics of Kafka",
            OriginKind::Slot => "a replication slot",
            OriginKind::Input => "a file or standard input",
        }
    }
}

impl Origin {
    /// Reads what was typed for `walbook run`.
    ///
    /// # Errors
    /// [`SettingsError`] unless exactly one place is named, whole.
    pub(super) fn new(args: &RunArgs) -> Result<Origin, SettingsError> {
        let wrong = |message: String| Err(SettingsError::Wrong(message));
        let kind = match args.origin.as_slice() {
            [kind] => *kind,
            [] => {
                return wrong(
                    "from where? --brokers and --topic name topics of Kafka, --postgres and --slot a replication slot, \
                     --input a file (- for standard input)"
                        .to_owned(),
                );
            }
            _ => {
                return wrong(
                    "a run reads from one place: give --brokers and --topic, or --postgres and --slot, or --input (a flag \
                     wins over a variable, and that over the settings file)"
                        .to_owned(),
                );
            }
        };
        let foreign = |(own, id, _): &&(&[OriginKind], &str, &str)| {
            !own.contains(&kind) && args.typed.iter().any(|typed| typed == id)
        };
        if let Some((own, _, flag)) = OriginKind::OWN.iter().find(foreign) {
            let own: Vec<_> = own.iter().map(|own| own.what()).collect();
            return wrong(format!("{flag} is for {}, and this run reads {}", own.join(" and "), kind.what()));
        }
        match kind {
            OriginKind::Kafka => kafka(args).map(Origin::Kafka),
            OriginKind::Slot => Ok(Origin::Slot(Box::new(slot_settings(&args.slot)?))),
            OriginKind::Input => {
                let (path, spill_folder) = (args.input.clone().unwrap_or_default(), spill_folder(&args.slot)?);
                Ok(Origin::Input(InputOrigin { path, spill_folder }))
            }
        }
    }
}

fn kafka(args: &RunArgs) -> Result<KafkaOrigin, SettingsError> {
    let missing = |what: &str| {
        SettingsError::Wrong(format!("{what} is needed (or its variable, or its key in the settings file)"))
    };
    let brokers = args.brokers.clone().ok_or_else(|| missing("--brokers HOST:PORT"))?;
    let mut topics: Vec<String> = Vec::new();
    for topic in &args.topic {
        let topic = topic.trim();
        if topic.is_empty() {
            return Err(SettingsError::Wrong("--topic has an empty name".to_owned()));
        }
        if !topics.iter().any(|known| known == topic) {
            topics.push(topic.to_owned());
        }
    }
    if topics.is_empty() {
        return Err(missing("--topic TOPIC"));
    }
    let from = match args.from {
        From::Earliest => StartFrom::Earliest,
        From::Latest => StartFrom::Latest,
    };
    Ok(KafkaOrigin { kafka: kafka_settings(brokers, &args.set)?, topics, from, group: args.group.clone() })
}

impl RunArgs {
    /// Notes what was typed and which places are named: by flags, else by variables, else by the settings file. So a
    /// file or an environment that also serves `capture` may name several.
    pub(super) fn note(&mut self, matches: &ArgMatches) {
        let typed = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        self.typed = matches.ids().map(clap::Id::as_str).filter(typed).map(str::to_owned).collect();
        let strongest = |flags: &[&str]| flags.iter().filter_map(|flag| matches.value_source(flag)).max();
        let named: Vec<_> =
            OriginKind::FLAGS.iter().filter_map(|(kind, flags)| Some((*kind, strongest(flags)?))).collect();
        let strongest = named.iter().map(|(_, source)| *source).max();
        self.origin =
            named.into_iter().filter(|(_, source)| Some(*source) == strongest).map(|(kind, _)| kind).collect();
    }
}
