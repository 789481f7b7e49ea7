//! The newest records of the topic: whether Kafka Connect's JDBC source wrote them, and what it left out.
//!
//! The connector leaves out columns of types that it does not support, `pg_lsn` and `xid` among them, and reports that only
//! in its own log.

use serde_json::Value;

use super::Finding;

const SUBJECT: &str = "connect";

/// Counts over a sample of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RecordSample {
    records: usize,
    /// Written by walbook's own capture.
    own: usize,
    /// With a `data` field: Connect's.
    connect: usize,
    /// Of those, the records without the field.
    without_lsn: usize,
    without_xid: usize,
    without_commit_time: usize,
    /// Bare lines of test_decoding.
    lines: usize,
    /// The beginning of a record that is none of these.
    other: Option<String>,
}

impl RecordSample {
    /// Examines the values of records.
    pub(super) fn of<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> RecordSample {
        let mut sample = RecordSample::default();
        for value in values {
            sample.records += 1;
            sample.add(value);
        }
        sample
    }

    fn add(&mut self, value: &[u8]) {
        let text = String::from_utf8_lossy(value);
        if let Ok(json) = serde_json::from_str::<Value>(&text) {
            let fields = json.get("payload").filter(|payload| payload.is_object()).unwrap_or(&json);
            let has = |field: &str| fields.get(field).is_some_and(|value| !value.is_null());
            if fields.get("data").is_some_and(Value::is_string) {
                return match has("commit_lsn") && has("seq") {
                    true => self.own += 1,
                    false => self.add_connect(has),
                };
            }
        } else if text.starts_with("Struct{") && text.contains("data=") {
            // The fields come before the text, which may contain anything.
            let head = text.split("data=").next().unwrap_or_default().to_owned();
            return self.add_connect(|field| head.contains(&format!("{field}=")));
        } else if ["table ", "BEGIN", "COMMIT", "message: "].iter().any(|word| text.starts_with(word)) {
            self.lines += 1;
            return;
        }
        self.other.get_or_insert_with(|| text.chars().take(60).collect());
    }

    fn add_connect(&mut self, has: impl Fn(&str) -> bool) {
        self.connect += 1;
        self.without_lsn += usize::from(!has("lsn"));
        self.without_xid += usize::from(!has("xid"));
        self.without_commit_time += usize::from(!has("commit_time"));
    }

    /// The findings that follow; `slot` is the slot's name, if it is known.
    pub(super) fn judge(&self, partitions: i32, slot: Option<&str>) -> Vec<Finding> {
        let RecordSample { records, own, connect, .. } = *self;
        let mut findings = Vec::new();
        if records == 0 {
            return vec![Finding::ok(SUBJECT, "records", "the topic has no records yet")];
        }
        if connect == 0 && self.other.is_none() {
            let writer = if own == records { "walbook capture" } else { "a program that writes bare lines" };
            return vec![Finding::ok(SUBJECT, "records", format!("the newest {records} were written by {writer}"))];
        }
        if connect > 0 && own > 0 {
            let seen = format!(
                "of the newest {records}, {own} were written by walbook and {connect} by Kafka Connect: both write to one topic"
            );
            findings.push(
                Finding::problem(SUBJECT, "records", seen)
                    .fix("stop the connector, and give capture a topic of its own"),
            );
        }
        let missing: Vec<&str> = [("lsn", self.without_lsn), ("xid", self.without_xid)]
            .into_iter()
            .filter(|(_, without)| *without > 0)
            .map(|(field, _)| field)
            .collect();
        if !missing.is_empty() {
            let seen = format!(
                "Kafka Connect's JDBC source wrote {} of the newest {records} without {}: it leaves out columns of types that it does \
                 not support; without them a repeated change looks like a new one",
                self.without_lsn.max(self.without_xid),
                missing.join(" and ")
            );
            findings.push(Finding::warning(SUBJECT, "lsn, xid", seen).fix(query(slot.unwrap_or("slot"))));
        } else if connect > 0 {
            let seen = format!("Kafka Connect's JDBC source wrote {connect} of the newest {records}, with lsn and xid");
            findings.push(Finding::ok(SUBJECT, "lsn, xid", seen));
        }
        if self.without_commit_time > 0 {
            findings.push(Finding::warning(
                SUBJECT,
                "commit_time",
                "records have no commit time: a change's day is that of its Kafka timestamp, which after an outage is days late",
            ).fix("replace the connector by walbook capture (docs/leaving-connect.md)"));
        }
        if connect > 0 && partitions > 1 {
            let seen = format!(
                "Kafka Connect's JDBC source gives records no key: they are spread over {partitions} partitions, and the order within a table is lost"
            );
            findings.push(
                Finding::warning(SUBJECT, "order", seen)
                    .fix("let the connector write to a topic of 1 partition, or replace it by walbook capture"),
            );
        }
        if let Some(beginning) = &self.other {
            let seen = format!(
                "some records are not lines of test_decoding, for example {beginning:?}: a run puts what it cannot parse into rejects/"
            );
            findings.push(Finding::warning(SUBJECT, "shape", seen));
        }
        findings
    }
}

/// The connector's query that keeps both columns.
fn query(slot: &str) -> String {
    let slot = slot.replace('\'', "''");
    format!(
        "query=SELECT lsn::text AS lsn, xid::text::bigint AS xid, data FROM \
         pg_logical_slot_get_changes('{slot}', NULL, NULL, 'include-timestamp','1','skip-empty-xacts','1')"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::Severity;

    fn judge(values: &[&str], partitions: i32) -> Vec<(Severity, String)> {
        let findings = RecordSample::of(values.iter().map(|value| value.as_bytes())).judge(partitions, Some("s"));
        findings.into_iter().map(|finding| (finding.state, finding.check)).collect()
    }

    #[test]
    fn columns_that_connect_left_out_are_found() {
        let bare = [
            r#"{"schema":{"type":"struct"},"payload":{"data":"BEGIN 693"}}"#,
            r#"{"data":"table public.t: INSERT: id[integer]:1"}"#,
            r#"{"lsn":null,"xid":null,"data":"COMMIT 693"}"#,
            "Struct{data=table public.t: INSERT: lsn=1,xid=2}",
        ];
        for value in bare {
            let checks = judge(&[value], 1);
            assert_eq!(checks[0], (Severity::Warning, "lsn, xid".to_owned()), "{value}");
        }
        let kept = judge(&[r#"{"lsn":"0/1","xid":5,"data":"BEGIN 5"}"#], 1);
        assert_eq!(kept[0], (Severity::Ok, "lsn, xid".to_owned()));
        assert_eq!(kept[1], (Severity::Warning, "commit_time".to_owned()));
        let scattered = judge(&["Struct{lsn=0/1,xid=5,commit_time=x,data=BEGIN 5}"], 3);
        assert_eq!(scattered, [(Severity::Ok, "lsn, xid".to_owned()), (Severity::Warning, "order".to_owned())]);
    }

    #[test]
    fn records_of_other_writers_are_not_blamed_on_connect() {
        let own = r#"{"lsn":"0/1","xid":5,"commit_lsn":"0/2","commit_time":"2026-11-22T00:00:00Z","seq":0,"data":"x"}"#;
        assert_eq!(judge(&[own], 4), [(Severity::Ok, "records".to_owned())]);
        assert_eq!(judge(&["table public.t: INSERT:", "BEGIN 5"], 4), [(Severity::Ok, "records".to_owned())]);
        assert_eq!(judge(&[], 4), [(Severity::Ok, "records".to_owned())]);
        assert_eq!(judge(&[own, r#"{"data":"BEGIN"}"#], 1)[0], (Severity::Problem, "records".to_owned()));
        assert_eq!(judge(&[r#"{"before":null,"op":"c"}"#], 1), [(Severity::Warning, "shape".to_owned())]);
    }

    #[test]
    fn the_fix_is_the_connectors_query_with_both_columns() {
        let findings = RecordSample::of([br#"{"data":"BEGIN"}"#.as_slice()]).judge(1, Some("s"));
        assert_eq!(
            findings[0].command.as_deref(),
            Some(
                "query=SELECT lsn::text AS lsn, xid::text::bigint AS xid, data FROM pg_logical_slot_get_changes('s', NULL, NULL, \
                 'include-timestamp','1','skip-empty-xacts','1')"
            )
        );
    }
}
