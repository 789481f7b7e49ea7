//! What must hold for the value of any record. Shared with the fuzz target.

use walbook::change::{Day, Operation};
use walbook::parse::{Content, DayFrom, DayRule, Envelope, Reject, Statement, read_line};

use super::oracle::{self, Opened, OracleStatement};

/// The beginning that nearly all of Connect's records share.
pub(crate) const CONNECT: &str = r#"{"schema":{"type":"struct","fields":[{"type":"string","optional":true,"field":"data"}],"optional":false},"payload":"#;

/// Opens and reads a value in every way, and panics where two ways disagree.
pub(crate) fn check(topic: &str, value: Option<&[u8]>) {
    let expected = oracle::open(topic, value);
    let mut envelope = Envelope::new();
    assert_eq!(owned(envelope.open(topic, value)), expected, "opened by a new envelope");
    assert_eq!(owned(envelope.open(topic, value)), expected, "opened by an envelope that has seen it");
    let mut envelope = used_envelope();
    assert_eq!(owned(envelope.open(topic, value)), expected, "opened by an envelope that has seen another");
    let mut rule = DayRule::new(chrono_tz::America::New_York, DayFrom::Auto);
    if let Ok(Opened::Line(text, [_, _, commit_time, _, _], _)) = expected {
        check_line(&text);
        let day = rule.day(commit_time, Some(1_795_352_197_698_000), None);
        assert_eq!(
            DayRule::new(chrono_tz::America::New_York, DayFrom::Commit).day(commit_time, None, None).ok(),
            commit_time.and(day.ok())
        );
    }
    // The bytes of a value stand for any time.
    let time = value.and_then(|value| value.first_chunk()).map(|bytes| i64::from_le_bytes(*bytes));
    let (day, day_of_reject) = (rule.day(None, time, None), rule.day_of_reject(time));
    assert_eq!(day.unwrap_or(Day::EPOCH), day_of_reject);
}

/// Reads a line in every way, and panics where two ways disagree.
pub(crate) fn check_line(text: &str) {
    let statement = read_line(text);
    if let Err(reject) = &statement {
        assert!(reject.to_string().len() < 120);
    }
    let statement = statement.ok().map(|statement| as_oracle(&statement));
    assert_eq!(statement, oracle::read_head(text), "the regex: {text:?}");
    if let Some(whole) = oracle::read_whole_change(text) {
        assert_eq!(statement, Some(whole), "the full grammar: {text:?}");
    }
}

/// An envelope that remembers Connect's usual beginning and holds an unescaped line.
pub(crate) fn used_envelope() -> Envelope {
    let mut envelope = Envelope::new();
    let value = format!(r#"{CONNECT}{{"data":"BEGIN\n"}}}}"#);
    for _ in 0..2 {
        assert!(envelope.open("t", Some(value.as_bytes())).is_ok());
    }
    envelope
}

/// The content of a value in the form of the oracle.
pub(crate) fn owned(opened: Result<Content<'_>, Reject>) -> Result<Opened, Reject> {
    opened.map(|content| match content {
        Content::Marker => Opened::Marker,
        Content::Line(line) => Opened::Line(
            line.text.to_owned(),
            [
                line.lsn.map(|lsn| lsn.as_i64()),
                line.commit_lsn.map(|lsn| lsn.as_i64()),
                line.commit_time,
                line.seq.map(i64::from),
                line.xid,
            ],
            line.unreadable.count(),
        ),
    })
}

/// A statement in the form of the oracle.
pub(crate) fn as_oracle(statement: &Statement<'_>) -> OracleStatement {
    match statement {
        Statement::Marker => OracleStatement::Marker,
        Statement::Change { table, operation } => {
            assert_ne!(*operation, Operation::Truncate);
            OracleStatement::Change(table.schema().into_owned(), table.table().into_owned(), operation.to_string())
        }
        Statement::Truncate(names) => OracleStatement::Truncate(
            names.clone().map(|name| (name.schema().into_owned(), name.table().into_owned())).collect(),
        ),
    }
}
