//! Any bytes, damaged records and records made by the grammar: nothing panics, and the fast readers agree with the slow ones.
//!
//! A failing test prints its smallest input and the seed that repeats it.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;
use walbook::parse::read_line;

use super::agreement::{CONNECT, as_oracle, check, check_line, owned, used_envelope};
use super::oracle::{Opened, OracleStatement, read_whole_change};

/// What records are made of; soup of it comes further than any bytes would.
const PIECES: &[&str] = &[
    CONNECT,
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\"",
    ":",
    ",",
    " ",
    "\n",
    "\\",
    "\\\"",
    "\\u",
    "d83d",
    "\\udc18",
    "\\u0000",
    "é",
    "🐘",
    "\0",
    "0",
    "1",
    "-",
    "5",
    "1e999",
    ".5",
    "null",
    "true",
    "false",
    "\"data\":",
    "\"data\":\"",
    "\"lsn\":",
    "\"0/1\"",
    "\"xid\":",
    "\"commit_lsn\":",
    "\"commit_time\":",
    "\"2026-11-22T12:34:56.5Z\"",
    "\"20261122T123456.5 +0300\"",
    "\"Sat Nov 22 23:59:59 UTC 2025\"",
    "1763855999123",
    "1763855999123456",
    "\"fields\":[",
    "{\"field\":\"commit_time\",\"name\":\"org.apache.kafka.connect.data.Timestamp\"}",
    "\"name\":\"io.debezium.time.NanoTimestamp\"",
    "\"field\":\"commit_time\"",
    "\"seq\":",
    "\"schema\":",
    "\"payload\":",
    "\"payload\":{",
    "\"change\":",
    "\"action\":",
    "\"specversion\":",
    "\"__op\":\"c\",",
    "\"type\":1,\"table\":2,\"database\":3,",
    "\"status\":",
    "\"metadata\":",
    ",__deleted=false",
    ",op=c",
    "\"op\":",
    "\"source\":",
    "\"after\":",
    "\"ts_ms\":",
    "\"id\":",
    "\"status\":",
    "Struct{",
    "data=",
    ",lsn=0/1",
    ",xid=7",
    ",seq=",
    "commit_time=2026-11-22 12:00:00+00",
    "null,",
    "table ",
    "public",
    "public.t",
    ".",
    "\"a b\"",
    "\"\"",
    ", ",
    ": ",
    "INSERT:",
    ": INSERT:",
    ": UPDATE:",
    ": DELETE:",
    ": TRUNCATE:",
    " old-key:",
    " new-tuple:",
    " id[integer]:1",
    " (no-tuple-data)",
    " (no-flags)",
    " restart_seqs",
    " cascade",
    "'",
    "''",
    "BEGIN",
    "COMMIT",
    " 5",
    " (at ",
    ")",
    "PREPARE TRANSACTION ",
    "COMMIT PREPARED ",
    "message: ",
    "transactional: ",
    "0 prefix: ",
    "streaming ",
    "change for ",
    "opening a streamed block for transaction",
    "aborting streamed (sub)transaction",
    "E'",
    "QgAA",
    "=",
    "\\x42",
];

fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        20 => select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..3),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// A change of a value: what is cut out at one place, and what is put there.
fn damage() -> impl Strategy<Value = (Index, usize, Vec<u8>)> {
    let inserted = prop_oneof![
        3 => select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..3),
    ];
    (any::<Index>(), prop_oneof![0..3usize, 0..80usize], inserted)
}

fn identifier() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_][a-z0-9_]{0,8}".prop_map(String::from),
        "[a-zA-Z ,.:\"'\\[\\]\n\\\\é🐘(){}=]{1,8}".prop_map(String::from),
        select(&["user", "x: UPDATE: y", "a, public.b", ": TRUNCATE: (no-flags)", ",xid=5", "\"", "new-tuple:"][..])
            .prop_map(String::from),
    ]
}

/// As PostgreSQL's `quote_identifier`; it may quote more (keywords), so `always` is drawn.
fn printed(identifier: &str, always: bool) -> String {
    let plain = identifier.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && identifier.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain && !always { identifier.to_owned() } else { format!("\"{}\"", identifier.replace('"', "\"\"")) }
}

fn value() -> impl Strategy<Value = String> {
    let bare = &[
        "null",
        "unchanged-toast-datum",
        "true",
        "1",
        "-5",
        "NaN",
        "-Infinity",
        "1e+20",
        "0.50",
        "B'0101'",
        "B''",
    ][..];
    let quoted = prop_oneof![
        "[a-zA-Z0-9 ,.:\"'\\[\\]\n\\\\é🐘(){}=]{0,20}".prop_map(String::from),
        any::<String>(),
        select(&["", "'", "line\ntable public.z: DELETE: id[integer]:9", " new-tuple: ", "x,lsn=5"][..])
            .prop_map(String::from),
    ];
    prop_oneof![select(bare).prop_map(String::from), quoted.prop_map(|text| format!("'{}'", text.replace('\'', "''")))]
}

fn tuple() -> impl Strategy<Value = String> {
    let types =
        select(&["integer", "text[]", "character varying", "\"char\"", "\"a]:b\"", "s1.mood", "double precision"][..]);
    prop::collection::vec((identifier(), any::<bool>(), types, value()), 0..4).prop_map(|columns| {
        columns
            .iter()
            .map(|(name, always, kind, value)| format!(" {}[{kind}]:{value}", printed(name, *always)))
            .collect()
    })
}

/// A line of a change, and what it states.
pub(crate) fn change() -> impl Strategy<Value = (String, OracleStatement)> {
    let name = || (identifier(), identifier(), any::<bool>(), any::<bool>());
    let row = (name(), 0..6, tuple(), tuple()).prop_map(|((schema, table, a, b), form, old, new)| {
        let (operation, tuple) = match form {
            0 => ("INSERT", new),
            1 => ("UPDATE", new),
            2 => ("UPDATE", format!(" old-key:{old} new-tuple:{new}")),
            3 => ("DELETE", new),
            4 => ("DELETE", " (no-tuple-data)".to_owned()),
            _ => ("UPDATE", " (no-tuple-data)".to_owned()),
        };
        let line = format!("table {}.{}: {operation}:{tuple}", printed(&schema, a), printed(&table, b));
        (line, OracleStatement::Change(schema, table, operation.to_owned()))
    });
    let flags = select(&[" (no-flags)", " restart_seqs", " cascade", " restart_seqs cascade"][..]);
    let truncate = (prop::collection::vec(name(), 1..5), flags).prop_map(|(names, flags)| {
        let list: Vec<String> = names
            .iter()
            .map(|(schema, table, a, b)| format!("{}.{}", printed(schema, *a), printed(table, *b)))
            .collect();
        let line = format!("table {}: TRUNCATE:{flags}", list.join(", "));
        (line, OracleStatement::Truncate(names.into_iter().map(|(schema, table, _, _)| (schema, table)).collect()))
    });
    prop_oneof![4 => row, 1 => truncate]
}

/// JSON of a text with unnecessary escapes: each character by a random number.
fn escaped(text: &str, styles: &[u8]) -> String {
    let mut json = String::from("\"");
    for (character, style) in text.chars().zip(styles.iter().cycle()) {
        match (style, character) {
            (0, _) => character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| json += &format!("\\u{unit:04x}")),
            (1, '/') => json += "\\/",
            _ => {
                let quoted = json!(character.to_string()).to_string();
                json += &quoted[1..quoted.len() - 1];
            }
        }
    }
    json + "\""
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_alike(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        check("t", Some(&bytes));
    }

    #[test]
    fn any_soup_is_read_alike(bytes in soup(), heartbeat in any::<bool>()) {
        check(if heartbeat { "__debezium-heartbeat.x" } else { "t" }, Some(&bytes));
    }

    #[test]
    fn damaged_records_are_read_alike(record in any::<Index>(), damages in prop::collection::vec(damage(), 1..4)) {
        let records: Vec<&str> = include_str!("../../data/connect_a_plain.ndjson").lines().collect();
        let mut value = record.get(&records).as_bytes().to_vec();
        for (at, length, inserted) in damages {
            let at = at.index(value.len() + 1);
            let end = value.len().min(at + length);
            value.splice(at..end, inserted);
        }
        check("t", Some(&value));
    }

    #[test]
    fn damaged_lines_are_read_alike((line, _) in change(), damages in prop::collection::vec(damage(), 1..3)) {
        let mut line = line.into_bytes();
        for (at, length, inserted) in damages {
            // Most damage shall hit the head.
            let at = at.index((line.len() + 1).min(60));
            let end = line.len().min(at + length);
            line.splice(at..end, inserted);
        }
        check_line(&String::from_utf8_lossy(&line));
    }

    #[test]
    fn lines_of_the_grammar_are_told_right((line, expected) in change()) {
        prop_assert_eq!(read_line(&line).map(|statement| as_oracle(&statement)), Ok(expected));
        prop_assert!(read_whole_change(&line).is_some());
        check_line(&line);
    }

    #[test]
    fn a_line_comes_out_of_every_envelope_as_it_went_in(
        (line, _) in change(),
        styles in prop::collection::vec(0..12u8, 1..20),
        xid in any::<u32>(),
        (lsn, seq) in (0..=i64::MAX, 0..=i32::MAX),
        order in Just(vec![0, 1, 2, 3]).prop_shuffle(),
        space in select(&["", " ", "\n  "][..]),
    ) {
        let printed_lsn = format!("{:X}/{:X}", lsn >> 32, lsn & 0xFFFF_FFFF);
        let fields = [
            format!("\"data\":{space}{}", escaped(&line, &styles)),
            format!("\"lsn\":{space}\"{printed_lsn}\""),
            format!("\"xid\":{space}{xid}"),
            format!("\"seq\":{space}{seq}"),
        ];
        let fields: Vec<&str> = order.iter().map(|field| &*fields[*field]).collect();
        let object = format!("{{{space}{}{space}}}", fields.join(&format!(",{space}")));
        let expected = Ok(Opened::Line(line.clone(), [Some(lsn), None, None, Some(seq.into()), Some(xid.into())], 0));
        for value in [format!("{CONNECT}{object}}}"), object] {
            prop_assert_eq!(&owned(used_envelope().open("t", Some(value.as_bytes()))), &expected);
            check("t", Some(value.as_bytes()));
        }
        for value in [
            format!("Struct{{lsn={printed_lsn},xid={xid},seq={seq},data={line}}}"),
            format!("Struct{{data={line},lsn={printed_lsn},xid={xid},seq={seq}}}"),
        ] {
            prop_assert_eq!(&owned(used_envelope().open("t", Some(value.as_bytes()))), &expected);
            check("t", Some(value.as_bytes()));
        }
    }
}
