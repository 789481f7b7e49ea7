//! How a line becomes a record's value: walbook's own shape, and those of other programs.

use std::fmt::Write;

use fastrand::Rng;

/// A transaction whose changes are published.
#[derive(Clone, Debug)]
pub(super) struct PublishedTransaction {
    pub(super) xid: u64,
    pub(super) commit_lsn: u64,
    /// As RFC 3339 with microseconds.
    pub(super) commit_time: String,
}

/// How another program wraps one line into a record's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EnvelopeShape {
    /// Kafka Connect's JsonConverter with `schemas.enable=true`.
    Connect,
    /// The line alone.
    Raw,
    /// Kafka Connect's StringConverter: `Struct.toString()`, which escapes nothing.
    Struct,
}

/// walbook's own shape, the only one with the commit time.
pub(super) fn captured(transaction: &PublishedTransaction, lsn: u64, seq: usize, line: &str) -> Vec<u8> {
    let mut value = String::with_capacity(line.len() + 200);
    let PublishedTransaction { xid, commit_lsn, commit_time } = transaction;
    // Writing to a String cannot fail.
    let _ = write!(
        value,
        r#"{{"lsn":"{}","xid":{xid},"commit_lsn":"{}","commit_time":"{commit_time}","seq":{seq},"data":{}}}"#,
        printed(lsn),
        printed(*commit_lsn),
        json(line)
    );
    value.into_bytes()
}

/// `line` in one of the other shapes.
pub(super) fn foreign(shape: EnvelopeShape, line: &str) -> Vec<u8> {
    match shape {
        EnvelopeShape::Connect => format!(
            r#"{{"schema":{{"type":"struct","fields":[{{"type":"string","optional":true,"field":"data"}}],"optional":false}},"payload":{{"data":{}}}}}"#,
            json(line)
        ),
        EnvelopeShape::Raw => line.to_owned(),
        EnvelopeShape::Struct => format!("Struct{{data={line}}}"),
    }
    .into_bytes()
}

/// A value that no version of walbook's parser can read as test_decoding.
pub(super) fn unreadable(random: &mut Rng) -> Vec<u8> {
    match random.u64(..7) {
        0 => b"hello from the wrong topic".to_vec(),
        1 => {
            br#"{"action":"I","schema":"public","table":"orders","columns":[{"name":"id","type":"bigint","value":1}]}"#
                .to_vec()
        }
        2 => br#"{"lsn":"0/16B2E58","xid":736,"data":"table public.orders: INS"#.to_vec(),
        // A text column of a LATIN1 database, not converted.
        3 => b"table public.customers: INSERT: id[integer]:7 name[text]:'G\xfcnther'".to_vec(),
        // A schema registry's framing: a zero byte, a schema id, then Avro.
        4 => [&[0, 0, 0, 0, 42, 2][..], &random.u64(..).to_be_bytes()].concat(),
        5 => b"streaming change for TXN 508".to_vec(),
        _ => (0..8).flat_map(|_| (random.u64(..) | 0x8000_0000_0000_0000).to_be_bytes()).collect(),
    }
}

/// `X/Y`, as PostgreSQL prints an LSN.
fn printed(lsn: u64) -> String {
    format!("{:X}/{:X}", lsn >> 32, lsn & 0xFFFF_FFFF)
}

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_is_written_as_its_program_writes_it() {
        let transaction = PublishedTransaction {
            xid: 736,
            commit_lsn: 0x16B_2F00,
            commit_time: "2026-11-22T12:34:56.123456Z".to_owned(),
        };
        let own = captured(&transaction, 0x16B_2E58, 3, "table public.t: INSERT: id[integer]:1");
        assert_eq!(
            String::from_utf8(own).expect("text"),
            r#"{"lsn":"0/16B2E58","xid":736,"commit_lsn":"0/16B2F00","commit_time":"2026-11-22T12:34:56.123456Z","seq":3,"data":"table public.t: INSERT: id[integer]:1"}"#
        );
        assert_eq!(foreign(EnvelopeShape::Struct, "BEGIN 693"), b"Struct{data=BEGIN 693}");
        assert_eq!(
            String::from_utf8(foreign(EnvelopeShape::Connect, "BEGIN 693")).expect("text"),
            r#"{"schema":{"type":"struct","fields":[{"type":"string","optional":true,"field":"data"}],"optional":false},"payload":{"data":"BEGIN 693"}}"#
        );
    }
}
