//! All checks in order, as far as each can be reached.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use super::book;
use super::book::BookFacts;
use super::kafka_connect::RecordSample;
use super::server::ServerFacts;
use super::topic::TopicFacts;
use super::{Examination, Finding, lag, open_transactions, role, slot, tables, timestamps};
use crate::book::log::entry::SourceKind;
use crate::book::{BookError, Snapshot};
use crate::capture::{Position, position_topic};
use crate::change::Partition;
use crate::postgres::{ConnectSettings, PostgresError, ReplicationClient, SqlClient};
use crate::replication::{PrimaryServer, Severity, SlotError, SlotSurvey, TimelineBranch};
use crate::source::kafka::{Admin, KafkaError, KafkaSettings, Topic, Topics, Watermarks};
use crate::store::BookStore;

/// Records examined in each partition.
const SAMPLED_RECORDS: usize = 100;
/// Partitions whose records are examined.
const SAMPLED_PARTITIONS: i32 = 8;

/// What to check.
pub struct Targets {
    /// The PostgreSQL server.
    pub postgres: Option<ConnectSettings>,
    /// The slot.
    pub slot: Option<String>,
    /// Kafka.
    pub kafka: Option<KafkaSettings>,
    /// The topic.
    pub topic: Option<String>,
    /// The book.
    pub book: Option<BookStore>,
}

/// Checks everything that was named; `progress` receives what is checked next.
pub fn examine(targets: &Targets, progress: &mut dyn FnMut(&'static str)) -> Examination {
    let mut findings = Vec::new();
    // Before the server and the brokers: a book that a run writes meanwhile must not seem to be ahead of them.
    progress("the book");
    let book = targets.book.as_ref().map(|path| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        (path, BookFacts::read(path, i64::try_from(now).unwrap_or(i64::MAX)))
    });
    progress("the PostgreSQL server");
    let slots = targets.postgres.as_ref().map(|settings| check_server(settings, targets, &mut findings));
    let slots = slots.unwrap_or_default();
    let slot = slots.iter().find(|slot| Some(&slot.status.name) == targets.slot.as_ref());
    let book = match book {
        Some((path, Ok(book))) => {
            findings.extend(book.judge());
            findings.extend(book::judge_store(path));
            #[cfg(feature = "delta")]
            findings.extend(book::judge_delta(path));
            findings.extend(slot.and_then(|slot| check_slot_of_book(targets, slot, path, &book)));
            Some(book)
        }
        Some((path, Err(error))) => {
            findings.push(book::judge_error(path, &error));
            if matches!(error, BookError::NoBook { .. }) {
                findings.extend(book::judge_store(path));
            }
            None
        }
        None => None,
    };
    if let Some(kafka) = &targets.kafka {
        progress("Kafka");
        check_kafka(kafka, targets, slot, book.as_ref(), &mut findings);
    }
    Examination::new(findings)
}

/// Checks the book's position in the slot, if the book reads that slot.
fn check_slot_of_book(targets: &Targets, slot: &SlotSurvey, path: &BookStore, book: &BookFacts) -> Option<Finding> {
    let name = &slot.status.name;
    book.topic(name).filter(|topic| topic.source == SourceKind::Slot)?;
    // Read the book again: a run may have confirmed more to the slot since. Read it before the server's end.
    let again = match Snapshot::take(path) {
        Ok(again) => again,
        Err(error) => return Some(book::judge_error(path, &error)),
    };
    let known = again.state().topics.get(name)?;
    // If that fails, the role or the server has a finding already.
    let server = targets.postgres.as_ref().and_then(|settings| history(settings).ok());
    Some(lag::judge_slot(known, slot, server.as_ref()))
}

/// The identity of the server's WAL, and where its earlier timelines ended.
fn history(settings: &ConnectSettings) -> Result<(PrimaryServer, Vec<TimelineBranch>), SlotError> {
    let mut replication = ReplicationClient::connect(settings, &[])?;
    let mut sql = SqlClient::connect(&settings.at(&replication), &[])?;
    let server = PrimaryServer::query(&mut replication, &mut sql)?;
    let branches = server.branches(&mut replication)?;
    Ok((server, branches))
}

/// Checks server, role, tables and slots; returns the slots.
fn check_server(settings: &ConnectSettings, targets: &Targets, findings: &mut Vec<Finding>) -> Vec<SlotSurvey> {
    let mut client = match SqlClient::connect(settings, &[]) {
        Ok(client) => client,
        Err(error) => {
            findings.push(Finding::problem("server", "connection", error.to_string()));
            return Vec::new();
        }
    };
    findings.push(Finding::ok("server", "connection", settings.to_string()));
    let mut slots = Vec::new();
    if let Err(error) = query_server(&mut client, settings, targets, findings, &mut slots) {
        findings.push(Finding::problem("server", "answers", error.to_string()));
    }
    slots
}

fn query_server(
    client: &mut SqlClient,
    settings: &ConnectSettings,
    targets: &Targets,
    findings: &mut Vec<Finding>,
    slots: &mut Vec<SlotSurvey>,
) -> Result<(), PostgresError> {
    let server = ServerFacts::query(client)?;
    match SlotSurvey::query(client, None) {
        Ok(found) => *slots = found,
        Err(error) => findings.push(Finding::problem("slot", "slots", error.to_string())),
    }
    let wanted = targets.slot.as_deref();
    let named = slots.iter().find(|slot| Some(slot.status.name.as_str()) == wanted);
    findings.extend(server.judge(named.is_some(), named.is_some_and(|slot| slot.status.active_pid.is_some())));
    let role = role::check(client, settings);
    let may_connect = role.state == Severity::Ok;
    findings.push(role);
    let decodes = slots.iter().any(|slot| slot.status.plugin.as_deref() == Some("test_decoding"));
    if decodes {
        findings.push(Finding::ok("server", "test_decoding", "it is installed: a slot uses it"));
    } else if may_connect && server.can_decode() && server.has_a_free_slot() {
        findings.push(role::try_plugin(settings));
    }
    let plugin = named.and_then(|slot| slot.status.plugin.as_deref()).unwrap_or("test_decoding");
    findings.extend(tables::judge(&tables::query(client)?, plugin));
    let standbys = client.query(
        "SELECT count(*) AS standbys FROM pg_catalog.pg_replication_slots WHERE slot_type = 'physical' AND active",
    )?;
    let has_standbys = standbys.first().and_then(|row| row.get("standbys")).is_some_and(|count| count != "0");
    findings.extend(slot::judge(slots, wanted, settings.database(), &server, has_standbys));
    Ok(())
}

/// Checks the topic, its position and its newest records.
fn check_kafka(
    kafka: &KafkaSettings,
    targets: &Targets,
    slot: Option<&SlotSurvey>,
    book: Option<&BookFacts>,
    findings: &mut Vec<Finding>,
) {
    let names: Vec<String> = targets.topic.iter().cloned().collect();
    let topics = match kafka.check().and_then(|()| Topics::connect(kafka, &names, "walbook-doctor")) {
        Ok(topics) => topics,
        Err(error) => return findings.push(Finding::problem("topic", "connection", error.to_string())),
    };
    findings.push(Finding::ok("topic", "connection", format!("Kafka at {}", kafka.brokers)));
    let Some(name) = &targets.topic else { return };
    if let Err(error) = check_topic(kafka, &topics, name, targets, slot, book, findings) {
        let missing = matches!(error, KafkaError::NoTopic { .. });
        let finding = Finding::problem("topic", name, error.to_string());
        findings.push(match missing {
            true => finding.fix(format!("walbook capture --topic {name} --create-topic --partitions 4 …")),
            false => finding,
        });
    }
}

fn check_topic(
    kafka: &KafkaSettings,
    topics: &Topics,
    name: &str,
    targets: &Targets,
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
                    findings.extend(topic.judge_position(&own, position.as_ref(), targets.slot.as_deref(), slot))
                }
                Err(error) => findings.push(Finding::problem("topic", "position", error.to_string())),
            }
        }
        Err(KafkaError::NoTopic { .. }) => {
            let seen = format!("{own} does not exist: no walbook capture has written to this topic yet");
            findings.push(Finding::ok("topic", "position", seen));
        }
        Err(error) => return Err(error),
    }

    let mut marks: BTreeMap<i32, Watermarks> = BTreeMap::new();
    let mut records = Vec::new();
    for number in 0..topic.partitions {
        marks.insert(number, topics.watermarks(&place(name, number))?);
        if number < SAMPLED_PARTITIONS {
            records.extend(topics.newest_records(&place(name, number), SAMPLED_RECORDS)?);
        }
    }
    findings.push(open_transactions::check(topics, &kafka.brokers)?);
    findings.extend(timestamps::judge(&records));
    let values = records.iter().map(|record| record.value.as_slice());
    findings.extend(RecordSample::of(values).judge(topic.partitions, targets.slot.as_deref()));
    if let Some(book) = book {
        let described = Topic { id: topic.id, partitions: topic.partitions };
        let diverged = |positions: &[_]| kafka.check_positions(positions);
        findings.push(lag::judge_topic(name, book.topic(name), &described, |number| marks[&number], diverged));
    }
    Ok(())
}
