//! Lines of test_decoding: real ones from PostgreSQL's own tests, and those that a regex gets wrong.

use walbook::parse::{Reject, read_line};

use super::agreement::{as_oracle, check, check_line};
use super::oracle::OracleStatement;

fn change(operation: &str, schema: &str, table: &str) -> OracleStatement {
    OracleStatement::Change(schema.to_owned(), table.to_owned(), operation.to_owned())
}

fn truncate(names: &[(&str, &str)]) -> OracleStatement {
    OracleStatement::Truncate(names.iter().map(|(schema, table)| ((*schema).to_owned(), (*table).to_owned())).collect())
}

#[track_caller]
fn states(line: &str, expected: OracleStatement) {
    assert_eq!(read_line(line).as_ref().map(as_oracle), Ok(expected), "{line:?}");
    check_line(line);
    check("t", Some(line.as_bytes()));
    check("t", Some(serde_json::json!({ "data": line }).to_string().as_bytes()));
    check("t", Some(format!("Struct{{lsn=0/1,xid=5,data={line},seq=1}}").as_bytes()));
}

#[track_caller]
fn rejects(line: &str, expected: Reject) {
    assert_eq!(read_line(line), Err(expected), "{line:?}");
    check_line(line);
    check("t", Some(line.as_bytes()));
}

#[test]
fn the_borders_of_transactions_are_markers() {
    for line in [
        "BEGIN 10298",
        "BEGIN",
        "COMMIT",
        "COMMIT 10299",
        "COMMIT 10299 (at 2017-05-10 12:07:21.272494-04)",
        "COMMIT (at 2024-02-29 23:59:60+05:30)",
        "COMMIT 7 (at 0044-03-15 12:00:00+00:19:32 BC)",
        "PREPARE TRANSACTION 'test_prepared#1'",
        "PREPARE TRANSACTION 'test_prepared#1', txid 529 (at 2017-05-10 12:07:21.272494-04)",
        "PREPARE TRANSACTION E'back\\\\slash ''quoted'''",
        "COMMIT PREPARED 'test_prepared#1'",
        "COMMIT PREPARED 'test_prepared#1', txid 529",
        "ROLLBACK PREPARED 'test_prepared#2'",
    ] {
        states(line, OracleStatement::Marker);
    }
}

#[test]
fn messages_are_markers_whatever_they_contain() {
    for line in [
        "message: transactional: 1 prefix: test, sz: 4 content:msg1",
        "message: transactional: 0 prefix: test, sz: 4 content:msg4",
        "message: transactional: 0 prefix: test, sz: 8 content:COMMIT 7",
        "message: transactional: 0 prefix: a\nb, sz: 31 content:x\ntable public.z: DELETE: id[integer]:9,xid=x",
        "message: transactional: 0 prefix: , sz: 0 content:",
        "streaming message: transactional: 1 prefix: P, sz: 5",
        "streaming message: transactional: 0 prefix: P, sz: 5 content:12345",
    ] {
        states(line, OracleStatement::Marker);
    }
}

#[test]
fn streamed_changes_are_rejects_and_their_borders_markers() {
    for line in ["streaming change for TXN 508", "streaming change for transaction", "streaming truncate for TXN 508"] {
        rejects(line, Reject::Streamed);
    }
    for line in [
        "opening a streamed block for transaction TXN 508",
        "opening a streamed block for transaction",
        "closing a streamed block for transaction TXN 508",
        "aborting streamed (sub)transaction TXN 509",
        "committing streamed transaction TXN 508",
        "committing streamed transaction TXN 508 (at 2017-05-10 12:07:21.272494-04)",
        "preparing streamed transaction TXN 'gid', txid 508",
        "preparing streamed transaction 'gid'",
    ] {
        states(line, OracleStatement::Marker);
    }
}

#[test]
fn changes_have_a_table_and_an_operation() {
    for (line, operation, table) in [
        ("table public.data: INSERT: id[integer]:3 data[text]:'3'", "INSERT", "data"),
        (
            "table public.replication_example: INSERT: id[integer]:6 somedata[integer]:2 text[character varying]:'4' bar[integer]:null",
            "INSERT",
            "replication_example",
        ),
        (
            "table public.tr_oddlength: UPDATE: old-key: id[text]:'ab' new-tuple: id[text]:'x' data[text]:'quux'",
            "UPDATE",
            "tr_oddlength",
        ),
        (
            "table public.xpto: UPDATE: id[integer]:1 toasted_col1[text]:unchanged-toast-datum rand1[double precision]:123.456 toasted_col2[text]:unchanged-toast-datum rand2[double precision]:1578",
            "UPDATE",
            "xpto",
        ),
        ("table public.tr_pkey: DELETE: id[integer]:1", "DELETE", "tr_pkey"),
        ("table public.t: DELETE: (no-tuple-data)", "DELETE", "t"),
        ("table public.t: UPDATE: (no-tuple-data)", "UPDATE", "t"),
        ("table public.t: UPDATE: old-key: new-tuple: a[text]:'b'", "UPDATE", "t"),
        ("table public.t: INSERT: a[text]:''''''", "INSERT", "t"),
        ("table public.t: INSERT: a[character varying]:'ends with '''", "INSERT", "t"),
        ("table public.t: INSERT: b[bit varying]:B'0101' c[integer]:1", "INSERT", "t"),
        ("table public.t: INSERT: tags[integer[]]:'{1,2}' m[text[]]:'{\"a b\",NULL}'", "INSERT", "t"),
        ("table public.t: INSERT: f[double precision]:NaN g[real]:-Infinity h[numeric]:1e+20", "INSERT", "t"),
        ("table public.t: INSERT: a[text]:'x'' UPDATE: table public.z: DELETE: id[integer]:1'", "INSERT", "t"),
        ("table public.t: INSERT: a[text]:'line1\ntable public.z: DELETE: id[integer]:9'", "INSERT", "t"),
        ("table public.t: INSERT: a[text]:'C:\\dir\\' b[integer]:1", "INSERT", "t"),
        ("table public.t: INSERT: a[text]:'x,lsn=5' b[text]:'x,seq=y' c[\"my,xid=z\"]:1", "INSERT", "t"),
        ("table public.t: INSERT:", "INSERT", "t"),
        ("table public.payment_p2022_07: UPDATE: id[integer]:1", "UPDATE", "payment_p2022_07"),
        ("table public.pg_temp_16413: INSERT: id[integer]:1", "INSERT", "pg_temp_16413"),
        ("table public.t: UPDATE: old-key: k[text]:'k2' new-tuple: id[integer]:2 k[text]:'k2x'", "UPDATE", "t"),
        ("table public.t: UPDATE: old-key: a[text]:'new-tuple: ' new-tuple: a[text]:'b'", "UPDATE", "t"),
        ("table public.t: INSERT: j[json]:'{\"a\": \"}\\u0000\", \"b\": {}}'", "INSERT", "t"),
        ("table public.t: INSERT: \"time\"[timestamp with time zone]:'2017-07-15 02:54:30+00'", "INSERT", "t"),
        ("table public.t: INSERT: m[s1.mood]:'ok' c[\"My Type\"]:'x' d[\"char\"]:'y'", "INSERT", "t"),
        ("table public.abc$1_: INSERT: \"a]b\"[integer]:1", "INSERT", "abc$1_"),
    ] {
        states(line, change(operation, "public", table));
    }
}

#[test]
fn quoted_names_are_unquoted() {
    for (line, schema, table) in [
        ("table public.\"user\": UPDATE: \"order\"[integer]:1", "public", "user"),
        ("table \"Sales Dept\".\"Q1:2024\": UPDATE: \"a]b\"[integer]:1", "Sales Dept", "Q1:2024"),
        ("table public.\"we\"\"ird\": UPDATE: \"x\"\"y\"[integer]:1", "public", "we\"ird"),
        ("table public.\"x: DELETE: y\": UPDATE: id[integer]:1", "public", "x: DELETE: y"),
        ("table \"dot.schema\".\"c.d\": UPDATE: id[integer]:1", "dot.schema", "c.d"),
        ("table public.\"new\nline\": UPDATE: id[integer]:1", "public", "new\nline"),
        ("table public.\"тест, 🐘\": UPDATE: id[integer]:1", "public", "тест, 🐘"),
        ("table public.\"\"\"\": UPDATE: \"\"\"\"[integer]:1", "public", "\""),
    ] {
        states(line, change("UPDATE", schema, table));
    }
}

#[test]
fn a_truncate_is_one_change_for_each_table() {
    let two = truncate(&[("public", "tab1"), ("public", "tab2")]);
    states("table public.tab1, public.tab2: TRUNCATE: (no-flags)", two);
    states("table public.tab1: TRUNCATE: restart_seqs cascade", truncate(&[("public", "tab1")]));
    states("table public.tab1: TRUNCATE: restart_seqs", truncate(&[("public", "tab1")]));
    states("table public.tab1: TRUNCATE: cascade", truncate(&[("public", "tab1")]));
    states("table public.\"a, public.b\": TRUNCATE: (no-flags)", truncate(&[("public", "a, public.b")]));
    let three = truncate(&[("s", "x: TRUNCATE: "), ("S", "\"q\""), ("public", "t")]);
    states("table s.\"x: TRUNCATE: \", \"S\".\"\"\"q\"\"\", public.t: TRUNCATE: cascade", three);
}

#[test]
fn text_outside_of_the_grammar_is_a_reject() {
    for (line, reject) in [
        ("", Reject::UnknownLine),
        ("null", Reject::UnknownLine),
        ("\0", Reject::UnknownLine),
        ("hello", Reject::UnknownLine),
        ("sequence public.s: transactional:1", Reject::UnknownLine),
        ("TABLE public.t: INSERT:", Reject::UnknownLine),
        (" table public.t: INSERT:", Reject::UnknownLine),
        ("opening a streamed block for transactions", Reject::UnknownLine),
        ("BEGIN x", Reject::Begin),
        ("BEGIN ", Reject::Begin),
        ("BEGIN 5 ", Reject::Begin),
        ("BEGIN 5 (at 2017-05-10 12:07:21+00)", Reject::Begin),
        ("BEGINNING", Reject::Begin),
        ("COMMIT 5 (at ", Reject::Commit),
        ("COMMIT 5 (at )", Reject::Commit),
        ("COMMIT x", Reject::Commit),
        ("COMMITTED", Reject::Commit),
        ("COMMIT PREPARED x", Reject::TwoPhase),
        ("PREPARE TRANSACTION ", Reject::TwoPhase),
        ("ROLLBACK PREPARED gid", Reject::TwoPhase),
        ("message: transactional: 2 prefix: x, sz: 1 content:x", Reject::Message),
        ("message: ", Reject::Message),
        ("table ", Reject::Name),
        ("table t: INSERT: id[integer]:1", Reject::Name),
        ("table Public.t: INSERT: id[integer]:1", Reject::Name),
        ("table public.été: INSERT: id[integer]:1", Reject::Name),
        ("table public.tété: INSERT: id[integer]:1", Reject::NoOperation),
        ("table public.\"t: INSERT: id[integer]:1", Reject::UnclosedName),
        ("table public.\"\": INSERT: id[integer]:1", Reject::EmptyName),
        ("table public.t", Reject::NoOperation),
        ("table public.t:INSERT: id[integer]:1", Reject::NoOperation),
        ("table public.t,public.u: TRUNCATE: (no-flags)", Reject::NoOperation),
        ("table public.t, : TRUNCATE: (no-flags)", Reject::Name),
        ("table public.t: ", Reject::Operation),
        ("table public.t: INSERT", Reject::Operation),
        ("table public.t: MERGE: id[integer]:1", Reject::Operation),
        ("table public.t: insert: id[integer]:1", Reject::Operation),
        ("table public.t, public.u: INSERT: id[integer]:1", Reject::SeveralTables),
        ("table public.t: INSERT: ", Reject::Tuple),
        ("table public.t: INSERT:id[integer]:1", Reject::Tuple),
        ("table public.t: INSERT: id", Reject::Tuple),
        ("table public.t: INSERT: \"id", Reject::Tuple),
        ("table public.t: INSERT: \"\"[integer]:1", Reject::Tuple),
        ("table public.t: INSERT: old-key: id[integer]:1", Reject::Tuple),
        ("table public.t: DELETE: (no-tuple-data) ", Reject::Tuple),
        ("table public.t: UPDATE: old-key:", Reject::Tuple),
        ("table public.t: TRUNCATE: cascade restart_seqs", Reject::TruncateFlags),
        ("table public.t: TRUNCATE: ", Reject::TruncateFlags),
    ] {
        rejects(line, reject);
    }
}

#[test]
fn output_of_other_plugins_is_named() {
    for (line, reject) in [
        (r#"{"change":[]}"#, Reject::Wal2JsonV1),
        (r#"{"change":["#, Reject::Wal2JsonV1),
        ("{\n\t\"xid\": 5,\n\t\"change\": [\n\t]\n}", Reject::Wal2JsonV1),
        (r#"{"action":"I","schema":"public","table":"t","columns":[]}"#, Reject::Wal2JsonV2),
        (r#"{"action":"B"}"#, Reject::Wal2JsonV2),
        (r#"{"op":"c","before":null,"after":{}}"#, Reject::Debezium),
        (r#"{"hello":1}"#, Reject::NoData("hello".into())),
        (r#"{"hello"#, Reject::UnknownLine),
        ("QgAAAAABbVVwAALHdQ9EI7sAAALg", Reject::Pgoutput),
        ("RQ==", Reject::Pgoutput),
        ("\\x4200000000016d5570", Reject::Pgoutput),
        ("\\x420", Reject::UnknownLine),
        ("word", Reject::UnknownLine),
    ] {
        assert_eq!(read_line(line), Err(reject), "{line:?}");
        check_line(line);
    }
}

#[test]
fn long_values_and_names_take_linear_time() {
    let mut lines = vec![
        format!("table public.t: INSERT: a[text]:'{}'", "x''".repeat(4 << 20)),
        format!("table public.\"{}\": INSERT:", "\"\"".repeat(1 << 20)),
        format!("table public.t{}: TRUNCATE: cascade", ", public.t".repeat(1 << 18)),
        format!("table public.\"{}", "\"\"".repeat(1 << 20)),
    ];
    lines.push(format!("{}{}", lines[0], ",lsn=0/1".repeat(1 << 18)));
    let begun = std::time::Instant::now();
    for line in &lines {
        let _ = read_line(line);
        for value in [serde_json::json!({ "data": line }).to_string(), format!("Struct{{data={line}}}"), line.clone()] {
            let _ = walbook::parse::Envelope::new().open("t", Some(value.as_bytes()));
        }
    }
    // Quadratic time would be hours.
    assert!(begun.elapsed().as_secs() < 30);
}
