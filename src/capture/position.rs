//! The position record: up to where a topic holds everything.

use serde::{Deserialize, Serialize};

use super::CaptureError;
use crate::change::{CommittedTransaction, Lsn, RecentTransactions};
use crate::replication::{Identity, RepeatCheck};

/// The version of the record's format.
const VERSION: u32 = 1;

/// The key of every position record: compaction keeps the newest.
pub(super) const KEY: &str = "position";

/// The LSN up to which every commit is in a topic, and the slot it belongs to. Written as one JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Every transaction that ends at or below it is in the topic, whole.
    pub lsn: Lsn,
    /// The part of the first transaction above it that is in the topic already.
    pub partial: Option<Partial>,
    /// Whether it comes from a user: it may lie inside a COMMIT record, so it must not be confirmed. A server never sends
    /// transactions whose COMMIT begins before the confirmed LSN.
    pub is_assumed: bool,
    /// The last transactions at or below it; none in a record of a version that did not keep them.
    pub recent: RecentTransactions,
    /// The plugin's options with which it was read; `None` in a record of a version that did not keep them.
    pub plugin_options: Option<String>,
    /// Where the topic's partitions ended when it was written; none in a record of a version that did not keep them.
    pub ends: Vec<PartitionEnd>,
    /// The server it was read from.
    pub identity: Identity,
    /// The slot.
    pub slot: String,
    /// The slot's database; informative.
    pub database: String,
    /// The topic's id; empty if brokers have none.
    pub topic_id: String,
    /// The process that wrote it.
    pub writer: String,
}

/// A transaction that is in the topic in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// Where it ends.
    pub commit_lsn: Lsn,
    /// The number of its first change that is not in the topic.
    pub next_seq: u64,
    /// Its number and when it was committed, in microseconds since 1970-01-01 UTC; `None` in a record of a version that did not
    /// keep them.
    pub xid_and_time: Option<(i64, i64)>,
}

/// The end of one partition: `[partition, offset, leader epoch]` in JSON, with -1 for an epoch that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i32, i64, i32)", into = "(i32, i64, i32)")]
pub struct PartitionEnd {
    /// The partition's number.
    pub partition: i32,
    /// The offset after its last record.
    pub offset: i64,
    /// The epoch of its leader then, where brokers have one.
    pub leader_epoch: Option<i32>,
}

impl From<(i32, i64, i32)> for PartitionEnd {
    fn from((partition, offset, epoch): (i32, i64, i32)) -> PartitionEnd {
        PartitionEnd { partition, offset, leader_epoch: (epoch >= 0).then_some(epoch) }
    }
}

impl From<PartitionEnd> for (i32, i64, i32) {
    fn from(end: PartitionEnd) -> (i32, i64, i32) {
        (end.partition, end.offset, end.leader_epoch.unwrap_or(-1))
    }
}

/// The record's fields.
#[derive(Serialize, Deserialize)]
struct WrittenPosition {
    version: u32,
    system: String,
    timeline: u32,
    slot: String,
    database: String,
    topic_id: String,
    position: String,
    partial: Option<WrittenPartial>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    assumed: bool,
    #[serde(default, skip_serializing_if = "RecentTransactions::is_empty")]
    recent: RecentTransactions,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plugin_options: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ends: Vec<PartitionEnd>,
    writer: String,
}

#[derive(Serialize, Deserialize)]
struct WrittenPartial {
    commit_lsn: String,
    next_seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    xid_and_time: Option<(i64, i64)>,
}

/// The topic that holds the position of `topic`.
pub fn position_topic(topic: &str) -> String {
    format!("{topic}.walbook-position")
}

impl Position {
    /// The record's value.
    pub fn to_json(&self) -> Vec<u8> {
        let partial = |partial: Partial| WrittenPartial {
            commit_lsn: partial.commit_lsn.to_string(),
            next_seq: partial.next_seq,
            xid_and_time: partial.xid_and_time,
        };
        let written = WrittenPosition {
            version: VERSION,
            system: self.identity.system.clone(),
            timeline: self.identity.timeline,
            slot: self.slot.clone(),
            database: self.database.clone(),
            topic_id: self.topic_id.clone(),
            position: self.lsn.to_string(),
            partial: self.partial.map(partial),
            assumed: self.is_assumed,
            recent: self.recent.clone(),
            plugin_options: self.plugin_options.clone(),
            ends: self.ends.clone(),
            writer: self.writer.clone(),
        };
        serde_json::to_vec(&written).expect("texts and numbers can be written")
    }

    /// Reads the newest record of `topic`, the topic of a position.
    ///
    /// # Errors
    /// [`CaptureError::Setup`] if it is no position, or one of a newer walbook.
    pub fn from_json(topic: &str, value: &[u8]) -> Result<Position, CaptureError> {
        let wrong = |what: &str| {
            let shown = String::from_utf8_lossy(&value[..value.len().min(200)]).into_owned();
            CaptureError::Setup(format!("the newest record of topic {topic:?} is {what}: {shown:?}"))
        };
        let no_position = || wrong("no position of a capture");
        // The version first: a newer one may have other fields.
        let json: serde_json::Value = serde_json::from_slice(value).map_err(|_| no_position())?;
        match json.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) if version > u64::from(VERSION) => return Err(wrong("written by a newer walbook")),
            _ => return Err(no_position()),
        }
        let written: WrittenPosition = serde_json::from_value(json).map_err(|_| no_position())?;
        let lsn = |text: &str| text.parse::<Lsn>().map_err(|_| no_position());
        let partial = |partial: WrittenPartial| {
            let WrittenPartial { commit_lsn, next_seq, xid_and_time } = partial;
            lsn(&commit_lsn).map(|commit_lsn| Partial { commit_lsn, next_seq, xid_and_time })
        };
        Ok(Position {
            lsn: lsn(&written.position)?,
            partial: written.partial.map(partial).transpose()?,
            is_assumed: written.assumed,
            recent: written.recent,
            plugin_options: written.plugin_options,
            ends: written.ends,
            identity: Identity { system: written.system, timeline: written.timeline },
            slot: written.slot,
            database: written.database,
            topic_id: written.topic_id,
            writer: written.writer,
        })
    }

    /// The LSN up to which the topic holds anything at all.
    pub fn reach(&self) -> Lsn {
        self.partial.map_or(self.lsn, |partial| partial.commit_lsn.max(self.lsn))
    }

    /// The check of what a slot repeats of it, if the slot was `confirmed` up to an LSN when its stream began.
    pub(super) fn repeat_check(&self, confirmed: Lsn) -> RepeatCheck {
        let partial = self.partial.and_then(|partial| {
            let (xid, commit_time) = partial.xid_and_time?;
            Some(CommittedTransaction { commit_lsn: partial.commit_lsn, xid, commit_time })
        });
        let mut recent = self.recent.clone();
        let Some(partial) = partial else { return RepeatCheck::new(self.lsn, &recent, confirmed) };
        recent.push(partial);
        RepeatCheck::new(partial.commit_lsn, &recent, confirmed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Classified;

    fn position(partial: Option<Partial>) -> Position {
        Position {
            lsn: "16/B374D848".parse().expect("an LSN"),
            partial,
            is_assumed: false,
            recent: RecentTransactions::default(),
            plugin_options: None,
            ends: Vec::new(),
            identity: Identity { system: "7345".to_owned(), timeline: 3 },
            slot: "s".to_owned(),
            database: "a \"b\"".to_owned(),
            topic_id: "AAAA".to_owned(),
            writer: "w".to_owned(),
        }
    }

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let partial = Partial { commit_lsn: "17/0".parse().expect("an LSN"), next_seq: 300_000, xid_and_time: None };
        let mut with_recent = position(Some(Partial { xid_and_time: Some((7, -8)), ..partial }));
        let commit_lsn = "16/B374D840".parse().expect("an LSN");
        with_recent.recent.push(CommittedTransaction { commit_lsn, xid: 6, commit_time: -9 });
        with_recent.plugin_options = Some("only-local=on".to_owned());
        let text = String::from_utf8(with_recent.to_json()).expect("UTF-8");
        assert!(
            text.contains(r#""recent":[["16/B374D840",6,-9]]"#) && text.contains(r#""xid_and_time":[7,-8]"#),
            "{text}"
        );
        for position in [position(None), position(Some(partial)), with_recent] {
            assert_eq!(Position::from_json("t", &position.to_json()).expect("a position"), position);
        }
        assert_eq!(position(Some(partial)).reach().to_string(), "17/0");
        let text = String::from_utf8(position(Some(partial)).to_json()).expect("UTF-8");
        assert_eq!(
            text,
            r#"{"version":1,"system":"7345","timeline":3,"slot":"s","database":"a \"b\"","topic_id":"AAAA","position":"16/B374D848","partial":{"commit_lsn":"17/0","next_seq":300000},"writer":"w"}"#
        );
    }

    #[test]
    fn records_that_are_no_position_are_refused() {
        for (value, words) in [
            ("", "no position"),
            ("{}", "no position"),
            (r#"{"version":2,"other":1}"#, "newer walbook"),
            (r#"{"version":1,"system":"1"}"#, "no position"),
        ] {
            let error = Position::from_json("t", value.as_bytes()).expect_err(words);
            assert!(error.is_usage() && error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn an_end_is_written_as_three_numbers() {
        let ends = [(0, 10, 1), (1, 5, -1)].map(PartitionEnd::from);
        let text = serde_json::to_string(&ends).expect("numbers");
        assert_eq!(text, "[[0,10,1],[1,5,-1]]");
        let read: Vec<PartitionEnd> = serde_json::from_str(&text).expect("its own form");
        assert_eq!(read, ends);
        assert_eq!(ends.map(|end| end.leader_epoch), [Some(1), None]);
    }
}
