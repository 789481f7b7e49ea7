//! One thing after the other, as far as each can be reached.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::book::{self, BookFacts};
use super::connect::Sample;
use super::server::ServerFacts;
use super::topic::TopicFacts;
use super::{Examination, Finding, lag, role, slot, tables};
use crate::book::Snapshot;
use crate::book::entry::SourceKind;
use crate::capture::{Position, position_topic};
use crate::change::Partition;
use crate::postgres::{Client, ConnectSettings, PostgresError, Purpose};
use crate::slot::{Branch, Level, Server, SlotError, SlotSurvey};
use crate::source::kafka::{Admin, KafkaError, KafkaSettings, Topic, Topics, Watermarks};

/// Records looked at in each partition.
const SAMPLE: usize = 100;
/// Partitions that are looked into.
const SAMPLED_PARTITIONS: i32 = 8;

/// What is to be looked at.
pub struct Patient {
    /// The PostgreSQL server.
    pub postgres: Option<ConnectSettings>,
    /// The slot.
    pub slot: Option<String>,
    /// Kafka.
    pub kafka: Option<KafkaSettings>,
    /// The topic.
    pub topic: Option<String>,
    /// The book.
    pub book: Option<PathBuf>,
}

/// Looks at everything that was named.
pub fn examine(patient: &Patient) -> Examination {
    let mut findings = Vec::new();
    // Before the server and the brokers: a book that is written meanwhile must not seem to be ahead of them.
    let book = patient.book.as_ref().map(|path| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        (path, BookFacts::read(path, i64::try_from(now).unwrap_or(i64::MAX)))
    });
    let slots = patient.postgres.as_ref().map(|settings| look_at_server(settings, patient, &mut findings));
    let slots = slots.unwrap_or_default();
    let slot = slots.iter().find(|slot| Some(&slot.status.name) == patient.slot.as_ref());
    let book = match book {
        Some((path, Ok(book))) => {
            findings.extend(book.judge());
            findings.extend(slot.and_then(|slot| look_at_slot_of_book(patient, slot, path, &book)));
            Some(book)
        }
        Some((path, Err(error))) => {
            findings.push(book::judge_error(path, &error));
            None
        }
        None => None,
    };
    if let Some(kafka) = &patient.kafka {
        look_at_kafka(kafka, patient, slot, book.as_ref(), &mut findings);
    }
    Examination::new(findings)
}

/// Looks at the book's place in the slot, if it reads that.
fn look_at_slot_of_book(patient: &Patient, slot: &SlotSurvey, path: &Path, book: &BookFacts) -> Option<Finding> {
    let name = &slot.status.name;
    book.topic(name).filter(|topic| topic.source == SourceKind::Slot)?;
    // Again, because a run confirms to the slot what it commits meanwhile; and before the server is asked for its end.
    let again = match Snapshot::take(path) {
        Ok(again) => again,
        Err(error) => return Some(book::judge_error(path, &error)),
    };
    let known = again.state().topics.get(name)?;
    // Where that fails, the role or the server has a finding already.
    let server = patient.postgres.as_ref().and_then(|settings| history(settings).ok());
    Some(lag::judge_slot(known, slot, server.as_ref()))
}

/// Whose WAL the server has, and where its earlier timelines were left.
fn history(settings: &ConnectSettings) -> Result<(Server, Vec<Branch>), SlotError> {
    let mut client = Client::connect(settings, Purpose::Replication, &[])?;
    let server = Server::ask(&mut client)?;
    let branches = server.branches(&mut client)?;
    Ok((server, branches))
}

/// Looks at server, role, tables and slots; gives the slots.
fn look_at_server(settings: &ConnectSettings, patient: &Patient, findings: &mut Vec<Finding>) -> Vec<SlotSurvey> {
    let mut client = match Client::connect(settings, Purpose::Sql, &[]) {
        Ok(client) => client,
        Err(error) => {
            findings.push(Finding::problem("server", "connection", error.to_string()));
            return Vec::new();
        }
    };
    findings.push(Finding::ok("server", "connection", settings.to_string()));
    let mut slots = Vec::new();
    if let Err(error) = examine_server(&mut client, settings, patient, findings, &mut slots) {
        findings.push(Finding::problem("server", "answers", error.to_string()));
    }
    slots
}

fn examine_server(
    client: &mut Client,
    settings: &ConnectSettings,
    patient: &Patient,
    findings: &mut Vec<Finding>,
    slots: &mut Vec<SlotSurvey>,
) -> Result<(), PostgresError> {
    let server = ServerFacts::ask(client)?;
    match SlotSurvey::take(client, None) {
        Ok(found) => *slots = found,
        Err(error) => findings.push(Finding::problem("slot", "slots", error.to_string())),
    }
    let wanted = patient.slot.as_deref();
    let named = slots.iter().find(|slot| Some(slot.status.name.as_str()) == wanted);
    findings.extend(server.judge(named.is_some(), named.is_some_and(|slot| slot.status.active_pid.is_some())));
    let role = role::look(client, settings);
    let is_let_in = role.state == Level::Well;
    findings.push(role);
    let decodes = slots.iter().any(|slot| slot.status.plugin.as_deref() == Some("test_decoding"));
    if decodes {
        findings.push(Finding::ok("server", "test_decoding", "it is installed: a slot uses it"));
    } else if is_let_in && server.can_decode() && server.has_a_free_slot() {
        findings.push(role::try_plugin(settings));
    }
    let plugin = named.and_then(|slot| slot.status.plugin.as_deref()).unwrap_or("test_decoding");
    findings.extend(tables::judge(&tables::ask(client)?, plugin));
    let standbys = client.query(
        "SELECT count(*) AS standbys FROM pg_catalog.pg_replication_slots WHERE slot_type = 'physical' AND active",
    )?;
    let has_standbys = standbys.first().and_then(|row| row.get("standbys")).is_some_and(|count| count != "0");
    findings.extend(slot::judge(slots, wanted, settings.database(), &server, has_standbys));
    Ok(())
}

/// Looks at the topic, its position and its newest records.
fn look_at_kafka(
    kafka: &KafkaSettings,
    patient: &Patient,
    slot: Option<&SlotSurvey>,
    book: Option<&BookFacts>,
    findings: &mut Vec<Finding>,
) {
    let names: Vec<String> = patient.topic.iter().cloned().collect();
    let topics = match kafka.check().and_then(|()| Topics::connect(kafka, &names, "walbook-doctor")) {
        Ok(topics) => topics,
        Err(error) => return findings.push(Finding::problem("topic", "connection", error.to_string())),
    };
    findings.push(Finding::ok("topic", "connection", format!("Kafka at {}", kafka.brokers)));
    let Some(name) = &patient.topic else { return };
    if let Err(error) = examine_topic(kafka, &topics, name, patient, slot, book, findings) {
        let missing = matches!(error, KafkaError::NoTopic { .. });
        let finding = Finding::problem("topic", name, error.to_string());
        findings.push(match missing {
            true => finding.mend(format!("walbook capture --topic {name} --create-topic --partitions 4 …")),
            false => finding,
        });
    }
}

fn examine_topic(
    kafka: &KafkaSettings,
    topics: &Topics,
    name: &str,
    patient: &Patient,
    slot: Option<&SlotSurvey>,
    book: Option<&BookFacts>,
    findings: &mut Vec<Finding>,
) -> Result<(), KafkaError> {
    let admin = Admin::new(kafka)?;
    let facts = |name: &str| -> Result<TopicFacts, KafkaError> {
        let topic = topics.describe_topic(name)?;
        Ok(TopicFacts {
            name: name.to_owned(),
            brokers: kafka.brokers.clone(),
            id: topic.id,
            partitions: topic.partitions,
            replicas: topics.replicas(name)?,
            settings: admin.topic_settings(name)?,
        })
    };
    let topic = facts(name)?;
    findings.extend(topic.judge());
    let place = |topic: &str, number| Partition { topic: topic.to_owned(), number };

    let own = position_topic(name);
    match facts(&own) {
        Ok(own) => {
            let value = topics.newest_value(&place(&own.name, 0))?;
            match value.map(|value| Position::from_json(&own.name, &value)).transpose() {
                Ok(position) => {
                    findings.extend(topic.judge_position(&own, position.as_ref(), patient.slot.as_deref(), slot))
                }
                Err(error) => findings.push(Finding::problem("topic", "position", error.to_string())),
            }
        }
        Err(KafkaError::NoTopic { .. }) => {
            let seen = format!("there is no {own}: no walbook capture has written to this topic yet");
            findings.push(Finding::ok("topic", "position", seen));
        }
        Err(error) => return Err(error),
    }

    let mut marks: BTreeMap<i32, Watermarks> = BTreeMap::new();
    let mut values = Vec::new();
    for number in 0..topic.partitions {
        marks.insert(number, topics.watermarks(&place(name, number))?);
        if number < SAMPLED_PARTITIONS {
            values.extend(topics.newest_values(&place(name, number), SAMPLE)?);
        }
    }
    findings.extend(Sample::of(&values).judge(topic.partitions, patient.slot.as_deref()));
    if let Some(book) = book {
        let described = Topic { id: topic.id, partitions: topic.partitions };
        findings.push(lag::judge_topic(name, book.topic(name), &described, |number| marks[&number]));
    }
    Ok(())
}
