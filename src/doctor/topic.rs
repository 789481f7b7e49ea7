//! The topic: settings that lose records or delay them; and its position topic.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;

use super::Finding;
use crate::capture::Position;
use crate::replication::SlotSurvey;

const SUBJECT: &str = "topic";
/// Larger changes are rare.
const LARGE_CHANGE: i64 = 10 << 20;

/// A topic's settings and size.
#[derive(Clone, Debug)]
pub(super) struct TopicFacts {
    pub(super) name: String,
    pub(super) brokers: String,
    /// Its id; empty where the brokers have none.
    pub(super) id: String,
    pub(super) partitions: i32,
    /// Copies of the partition with the fewest copies.
    pub(super) replicas: usize,
    pub(super) settings: BTreeMap<String, String>,
}

impl TopicFacts {
    fn number(&self, setting: &str) -> Option<i64> {
        self.settings.get(setting)?.parse().ok()
    }

    fn text(&self, setting: &str) -> &str {
        self.settings.get(setting).map_or("", String::as_str)
    }

    /// The command that changes a setting.
    fn set(&self, setting: &str) -> String {
        format!(
            "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {} --add-config {setting}",
            self.brokers, self.name
        )
    }

    fn is_compacted(&self) -> bool {
        self.text("cleanup.policy").contains("compact")
    }

    /// The findings for a topic of changes.
    pub(super) fn judge(&self) -> Vec<Finding> {
        let mut findings = vec![match self.partitions {
            1 => Finding::ok(SUBJECT, "partitions", "1: in total order, read by one worker only"),
            partitions => Finding::ok(
                SUBJECT,
                "partitions",
                format!("{partitions}: a table stays in one of them; adding partitions later moves tables to others"),
            ),
        }];
        let deletes = self.text("cleanup.policy").contains("delete") || !self.is_compacted();
        if self.is_compacted() {
            findings.push(
                Finding::problem(
                    SUBJECT,
                    "cleanup.policy",
                    "compact: only the newest change of each table is kept, the others are deleted before they are counted",
                )
                .fix(self.set("cleanup.policy=delete")),
            );
        }
        if deletes {
            findings.push(match self.number("retention.ms").filter(|time| *time >= 0) {
                None => Finding::ok(SUBJECT, "retention.ms", "no limit"),
                Some(time) => {
                    let time = Duration::from_millis(time.unsigned_abs());
                    let seen =
                        format!("records are deleted after {}: a run that is down longer exits 3", rounded(time));
                    Finding::warning(SUBJECT, "retention.ms", seen).fix(self.set("retention.ms=-1"))
                }
            });
            if let Some(bytes) = self.number("retention.bytes").filter(|bytes| *bytes >= 0) {
                let limit = ByteSize::b(bytes.unsigned_abs());
                let seen = format!("the oldest records are deleted beyond {limit} per partition, read or not");
                findings.push(Finding::warning(SUBJECT, "retention.bytes", seen).fix(self.set("retention.bytes=-1")));
            }
        }
        findings.push(match self.text("compression.type") {
            "gzip" => Finding::warning(
                SUBJECT,
                "compression.type",
                "gzip: decompressing it costs a run more than all its other work",
            )
            .fix(self.set("compression.type=producer")),
            other => Finding::ok(SUBJECT, "compression.type", other),
        });
        if let Some(bytes) = self.number("max.message.bytes") {
            let limit = ByteSize::b(bytes.max(0).unsigned_abs());
            findings.push(match bytes {
                LARGE_CHANGE.. => Finding::ok(SUBJECT, "max.message.bytes", limit.to_string()),
                _ => Finding::warning(
                    SUBJECT,
                    "max.message.bytes",
                    format!("{limit}: a longer change cannot be written, and ends a capture"),
                )
                .fix(self.set("max.message.bytes=67108864")),
            });
        }
        findings.push(match (self.replicas, self.number("min.insync.replicas")) {
            (1, _) => {
                Finding::warning(SUBJECT, "replication", "1 copy: changes confirmed to PostgreSQL are on one disk only")
                    .fix("kafka-reassign-partitions.sh with three replicas for each partition")
            }
            (copies, Some(..=1)) => Finding::warning(
                SUBJECT,
                "min.insync.replicas",
                format!("1 of {copies} copies: changes confirmed to PostgreSQL may be on one disk only"),
            )
            .fix(self.set("min.insync.replicas=2")),
            (copies, minimum) => Finding::ok(
                SUBJECT,
                "replication",
                format!(
                    "{copies} copies, {} of them written before a change is confirmed",
                    minimum.unwrap_or_default()
                ),
            ),
        });
        findings.extend(self.judge_elections());
        findings
    }

    /// The finding for a topic whose leader may be a copy that lacks records, whether by its own setting or its brokers' default.
    fn judge_elections(&self) -> Option<Finding> {
        const SETTING: &str = "unclean.leader.election.enable";
        if self.text(SETTING) != "true" {
            return None;
        }
        let seen = format!(
            "true for {}: a copy that lacks records may become the leader, and records that were written are gone",
            self.name
        );
        Some(Finding::warning(SUBJECT, SETTING, seen).fix(self.set("unclean.leader.election.enable=false")))
    }

    /// The findings for its position topic; `position` is the newest one.
    pub(super) fn judge_position(
        &self,
        own: &TopicFacts,
        position: Option<&Position>,
        wanted: Option<&str>,
        slot: Option<&SlotSurvey>,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let name = &own.name;
        if own.partitions != 1 {
            let seen = format!("{name} has {} partitions: a position needs exactly one", own.partitions);
            findings.push(Finding::problem(SUBJECT, "position", seen));
        }
        if own.text("cleanup.policy") != "compact" {
            let seen =
                format!("{name} has cleanup.policy={}: the position could be deleted", own.text("cleanup.policy"));
            findings.push(Finding::problem(SUBJECT, "position", seen).fix(own.set("cleanup.policy=compact")));
        }
        findings.extend(own.judge_elections());
        if own.replicas > 1 && own.number("min.insync.replicas").is_some_and(|minimum| minimum <= 1) {
            let seen = format!("1 of {} copies of {name}: the position may be on one disk only", own.replicas);
            findings.push(Finding::warning(SUBJECT, "min.insync.replicas", seen).fix(own.set("min.insync.replicas=2")));
        }
        let Some(position) = position else {
            findings.push(Finding::ok(SUBJECT, "position", format!("{name} holds none yet")));
            return findings;
        };
        if wanted.is_some_and(|slot| slot != position.slot) {
            let seen = format!(
                "the topic belongs to slot {:?} of database {:?}, and capture refuses other slots",
                position.slot, position.database
            );
            findings.push(
                Finding::problem(SUBJECT, "position", seen).fix("name that slot with --slot, or another --topic"),
            );
            return findings;
        }
        if !self.id.is_empty() && !position.topic_id.is_empty() && self.id != position.topic_id {
            let seen =
                format!("the topic was created again since: what was written up to {} is not in it", position.lsn);
            findings.push(Finding::problem(SUBJECT, "position", seen).fix("start again with another --topic and slot"));
            return findings;
        }
        let ahead = slot.and_then(|slot| slot.status.confirmed_flush_lsn).filter(|confirmed| *confirmed > position.lsn);
        findings.push(match (ahead, slot) {
            (Some(confirmed), _) => Finding::problem(
                SUBJECT,
                "position",
                format!(
                    "the slot was confirmed up to {confirmed}, and the topic holds everything before {}: another reader consumed the {} bytes between, or the slot was dropped and created again",
                    position.lsn,
                    confirmed.as_i64() - position.lsn.as_i64()
                ),
            )
            .fix("stop the other reader, and start again with another --topic and slot"),
            (None, Some(slot)) => Finding::ok(
                SUBJECT,
                "position",
                format!(
                    "everything before {} is in the topic, {} behind the server",
                    position.lsn,
                    ByteSize::b((slot.current_lsn.as_i64() - position.lsn.as_i64()).max(0).unsigned_abs())
                ),
            ),
            (None, None) => Finding::ok(
                SUBJECT,
                "position",
                format!("everything of slot {:?} before {} is in the topic", position.slot, position.lsn),
            ),
        });
        findings
    }
}

fn rounded(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 172_800.. => format!("{} days", seconds / 86_400),
        seconds @ 7200.. => format!("{} hours", seconds / 3600),
        seconds => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Lsn, RecentTransactions};
    use crate::replication::{Identity, Severity};

    fn topic(settings: &[(&str, &str)]) -> TopicFacts {
        let sound = [
            ("cleanup.policy", "delete"),
            ("retention.ms", "-1"),
            ("retention.bytes", "-1"),
            ("compression.type", "producer"),
            ("max.message.bytes", "67108864"),
            ("min.insync.replicas", "2"),
        ];
        let settings = sound.iter().chain(settings).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        TopicFacts {
            name: "t".to_owned(),
            brokers: "b:1".to_owned(),
            id: "one".to_owned(),
            partitions: 4,
            replicas: 3,
            settings: settings.collect(),
        }
    }

    fn bad(findings: Vec<Finding>) -> Vec<(Severity, String)> {
        findings.into_iter().filter(|f| f.state > Severity::Ok).map(|f| (f.state, f.check)).collect()
    }

    #[test]
    fn each_harmful_setting_is_found() {
        assert_eq!(bad(topic(&[]).judge()), []);
        for (setting, value, level) in [
            ("cleanup.policy", "compact", Severity::Problem),
            ("retention.ms", "604800000", Severity::Warning),
            ("retention.bytes", "1000", Severity::Warning),
            ("compression.type", "gzip", Severity::Warning),
            ("max.message.bytes", "1048588", Severity::Warning),
            ("min.insync.replicas", "1", Severity::Warning),
            ("unclean.leader.election.enable", "true", Severity::Warning),
        ] {
            assert_eq!(bad(topic(&[(setting, value)]).judge()), [(level, setting.to_owned())], "{setting}");
        }
        let week = topic(&[("retention.ms", "604800000")]).judge();
        let week = week.iter().find(|finding| finding.check == "retention.ms").expect("it was checked");
        assert!(
            week.seen.contains("7 days") && week.command.as_deref().is_some_and(|c| c.ends_with("retention.ms=-1"))
        );
        let alone = TopicFacts { replicas: 1, ..topic(&[]) };
        assert_eq!(bad(alone.judge()), [(Severity::Warning, "replication".to_owned())]);
    }

    #[test]
    fn a_position_belongs_to_its_slot_and_topic() {
        let position = |slot: &str, topic_id: &str| Position {
            lsn: Lsn::from_i64(1000).expect("an LSN"),
            partial: None,
            is_assumed: false,
            recent: RecentTransactions::default(),
            plugin_options: None,
            ends: Vec::new(),
            identity: Identity { system: "7".to_owned(), timeline: 1 },
            slot: slot.to_owned(),
            database: "d".to_owned(),
            topic_id: topic_id.to_owned(),
            writer: "w".to_owned(),
        };
        let own = TopicFacts { partitions: 1, ..topic(&[("cleanup.policy", "compact")]) };
        let judge = |own: &TopicFacts, position: &Position| {
            bad(topic(&[]).judge_position(own, Some(position), Some("s"), None)).len()
        };
        assert_eq!(judge(&own, &position("s", "one")), 0);
        for (setting, value) in [("unclean.leader.election.enable", "true"), ("min.insync.replicas", "1")] {
            let own = TopicFacts { partitions: 1, ..topic(&[("cleanup.policy", "compact"), (setting, value)]) };
            assert_eq!(judge(&own, &position("s", "one")), 1, "{setting}");
        }
        assert_eq!(judge(&own, &position("other", "one")), 1);
        assert_eq!(judge(&own, &position("s", "two")), 1);
        assert_eq!(judge(&topic(&[]), &position("s", "one")), 2, "four partitions, not compacted");
        assert!(bad(topic(&[]).judge_position(&own, None, None, None)).is_empty());
    }
}
