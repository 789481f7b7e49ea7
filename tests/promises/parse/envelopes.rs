//! Shapes of values: each is recognized from the record alone.

use walbook::parse::Reject;

use super::agreement::{CONNECT, check, owned, used_envelope};
use super::oracle::Opened;

const BEGIN: &str = "BEGIN 693";

#[track_caller]
fn opens(topic: &str, value: &[u8], expected: Result<Opened, Reject>) {
    assert_eq!(owned(used_envelope().open(topic, Some(value))), expected, "{}", String::from_utf8_lossy(value));
    check(topic, Some(value));
}

#[track_caller]
fn holds(value: &str, text: &str, fields: [Option<i64>; 5]) {
    opens("t", value.as_bytes(), Ok(Opened::Line(text.to_owned(), fields)));
}

#[track_caller]
fn is_line(value: &str, text: &str) {
    holds(value, text, [None; 5]);
}

#[track_caller]
fn rejects(value: &str, reject: Reject) {
    opens("t", value.as_bytes(), Err(reject));
}

#[test]
fn connect_with_schemas() {
    is_line(&format!(r#"{CONNECT}{{"data":"BEGIN 693"}}}}"#), BEGIN);
    let value = r#"{"schema":{"type":"struct","fields":[{"type":"string","optional":true,"field":"lsn"},{"type":"int64","optional":true,"field":"xid"},{"type":"string","optional":true,"field":"data"}],"optional":false},
 "payload":{"lsn":"0/BA5A8E0","xid":10299,"data":"table public.data: INSERT: id[integer]:3 data[text]:'3'"}}"#;
    let line = "table public.data: INSERT: id[integer]:3 data[text]:'3'";
    holds(value, line, [Some(0xBA5_A8E0), None, None, None, Some(10_299)]);
    is_line(r#"{"payload":{"data":"BEGIN 693"},"schema":{"type":"struct"}}"#, BEGIN);
    is_line(r#"{"schema":null,"payload":{"data":"BEGIN 693"}}"#, BEGIN);
    is_line(r#"{"payload":{"data":"BEGIN 693"}}"#, BEGIN);
    is_line("{\r\n  \"schema\" : { } ,\n\t\"payload\" : {\n \"data\" : \"BEGIN 693\"\n }\n}\n", BEGIN);
    is_line(r#"{"schema":{},"payload":{"data":"x"},"payload":{"data":"BEGIN 693"}}"#, BEGIN);
    is_line(r#"{"schema":{},"payload":{"payload":{"data":"x"},"data":"BEGIN 693"}}"#, BEGIN);
}

#[test]
fn an_envelope_around_null_is_a_marker() {
    opens("t", format!("{CONNECT}null}}").as_bytes(), Ok(Opened::Marker));
    opens("t", br#"{"schema":null,"payload":null}"#, Ok(Opened::Marker));
    check("t", None);
}

#[test]
fn connect_without_schemas_and_capture() {
    is_line(r#"{"data":"BEGIN 693"}"#, BEGIN);
    is_line(r#"  {"data" : "BEGIN 693" }  "#, BEGIN);
    is_line(r#"{"d\u0061ta":"\u0042EGIN 693"}"#, BEGIN);
    is_line(r#"{"data":"x","data":"BEGIN 693"}"#, BEGIN);
    is_line(r#"{"data":5,"data":"BEGIN 693"}"#, BEGIN);
    is_line(r#"{"data":"BEGIN 693","payload":{"data":"x"}}"#, BEGIN);
    is_line(r#"{"a":{"b":[1,2.5,{}]},"data":"BEGIN 693","z":[[]],"t":true,"f":false,"n":null,"e":1e5}"#, BEGIN);
    let value = r#"{"lsn":"0/16B2E58","xid":736,"commit_lsn":"0/16B2F00","commit_time":"2026-11-22T12:34:56.123456Z","seq":3,"data":"table public.t: INSERT: id[integer]:1"}"#;
    let fields = [Some(0x16B_2E58), Some(0x16B_2F00), Some(1_795_350_896_123_456), Some(3), Some(736)];
    holds(value, "table public.t: INSERT: id[integer]:1", fields);
    holds(r#"{"xid":"736","lsn":"1\/2","data":"x"}"#, "x", [Some(1 << 32 | 2), None, None, None, Some(736)]);
    let nulls = r#"{"lsn":null,"xid":null,"commit_lsn":null,"commit_time":null,"seq":null,"data":"x"}"#;
    is_line(nulls, "x");
    is_line(r#"{"lsn":"0/1","lsn":null,"xid":{},"xid":null,"data":"x"}"#, "x");
    holds(
        r#"{"xid":9223372036854775807,"seq":2147483647,"data":"x"}"#,
        "x",
        [None, None, None, Some(2_147_483_647), Some(i64::MAX)],
    );
}

#[test]
fn escapes_are_undone() {
    is_line(r#"{"data":"\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\udc18é€🐘\u0000"}"#, "\"\\/\u{8}\u{c}\n\r\té€🐘é€🐘\0");
    is_line(r#"{"data":""}"#, "");
    for wrong in [
        r"\x",
        r"\u12",
        r"\u12g4",
        r"\ud800",
        r"\ud800x",
        r"\ud800\n",
        r"\ud800\ud800",
        r"\udc00",
        "\n",
        "\0",
        "\u{1f}",
        r"\u+123",
    ] {
        rejects(&format!(r#"{{"data":"{wrong}"}}"#), Reject::JsonSyntax);
        rejects(&format!(r#"{CONNECT}{{"data":"a{wrong}b"}}}}"#), Reject::JsonSyntax);
        rejects(&format!(r#"{{"{wrong}":1,"data":"a"}}"#), Reject::JsonSyntax);
    }
}

#[test]
fn fields_of_another_kind_are_rejects() {
    for (field, reject) in [
        (r#""lsn":5"#, Reject::Lsn("lsn")),
        (r#""lsn":"5""#, Reject::Lsn("lsn")),
        (r#""lsn":"80000000/0""#, Reject::Lsn("lsn")),
        (r#""commit_lsn":"0/g""#, Reject::Lsn("commit_lsn")),
        (r#""commit_lsn":{}"#, Reject::Lsn("commit_lsn")),
        (r#""commit_lsn":{},"lsn":[]"#, Reject::Lsn("lsn")),
        (r#""xid":-1"#, Reject::Number("xid")),
        (r#""xid":-0"#, Reject::Number("xid")),
        (r#""xid":1.0"#, Reject::Number("xid")),
        (r#""xid":1e3"#, Reject::Number("xid")),
        (r#""xid":"""#, Reject::Number("xid")),
        (r#""xid":"+1""#, Reject::Number("xid")),
        (r#""xid":"9223372036854775808""#, Reject::Number("xid")),
        (r#""xid":9223372036854775808"#, Reject::Number("xid")),
        (r#""xid":true"#, Reject::Number("xid")),
        (r#""seq":2147483648"#, Reject::Number("seq")),
        (r#""seq":-1"#, Reject::Number("seq")),
        (r#""seq":"1""#, Reject::Number("seq")),
        (r#""commit_time":1795350896"#, Reject::CommitTime),
        (r#""commit_time":"infinity""#, Reject::CommitTime),
        (r#""commit_time":"2026-11-22""#, Reject::CommitTime),
        (r#""commit_time":"""#, Reject::CommitTime),
    ] {
        rejects(&format!(r#"{{{field},"data":"BEGIN 693"}}"#), reject);
        rejects(&format!(r#"{CONNECT}{{"data":"BEGIN 693",{field}}}}}"#), reject);
    }
    rejects(r#"{"data":null}"#, Reject::NullData);
    rejects(r#"{"data":"x","data":null}"#, Reject::NullData);
    rejects(r#"{"data":["BEGIN"]}"#, Reject::DataType);
    rejects(r#"{"schema":{},"payload":"BEGIN"}"#, Reject::Payload);
    rejects(r#"{"schema":{},"payload":[]}"#, Reject::Payload);
    rejects(r#"{"schema":{},"payload":{}}"#, Reject::NoData);
    rejects("{}", Reject::NoData);
    rejects(r#"{"DATA":"BEGIN"}"#, Reject::NoData);
}

#[test]
fn printed_structs() {
    is_line("Struct{data=BEGIN 693}", BEGIN);
    is_line("Struct{data=}", "");
    let line = "table public.t: INSERT: a[text]:'x,lsn=5}' b[json]:'{\"a\":{}}'";
    let fields = [Some(1), None, None, None, Some(5)];
    holds(&format!("Struct{{lsn=0/1,xid=5,data={line}}}"), line, fields);
    holds(&format!("Struct{{data={line},lsn=0/1,xid=5}}"), line, fields);
    holds(&format!("Struct{{lsn=0/1,data={line},xid=5}}"), line, fields);
    holds(&format!("Struct{{lsn=null,note=a,b,data={line},xid=null}}"), line, [None; 5]);
    let all = "commit_lsn=0/2,commit_time=1970-01-01T00:00:01Z,seq=7";
    let fields = [None, Some(2), Some(1_000_000), Some(7), None];
    holds(&format!("Struct{{{all},data={line}}}\n"), line, fields);
    holds(&format!("Struct{{data={line},{all}}}"), line, fields);
    is_line(
        "Struct{data=table public.t: INSERT: id[integer]:1,other=5}",
        "table public.t: INSERT: id[integer]:1,other=5",
    );
    is_line("Struct{data=table public.\"a,xid=5\": INSERT:}", "table public.\"a,xid=5\": INSERT:");
    rejects("Struct{data=BEGIN 693,lsn=x}", Reject::Lsn("lsn"));
    rejects("Struct{xid=x,data=BEGIN 693}", Reject::Number("xid"));
    rejects("Struct{seq=2147483648,data=BEGIN 693}", Reject::Number("seq"));
    rejects("Struct{data=BEGIN 693", Reject::StructCut);
    rejects("Struct{}", Reject::StructData);
    rejects("Struct{lsn=0/1,xid=5}", Reject::StructData);
    rejects("Struct{after=Struct{id=1,data=BEGIN},op=c}", Reject::StructData);
}

#[test]
fn raw_lines() {
    is_line("table public.t: INSERT: a[text]:'x\ny'", "table public.t: INSERT: a[text]:'x\ny'");
    is_line("BEGIN 693\n", BEGIN);
    is_line("BEGIN 693\r\n", BEGIN);
    is_line("BEGIN 693\n\n", "BEGIN 693\n");
    is_line("[1,2]", "[1,2]");
    is_line("\0", "\0");
    is_line(" ", " ");
}

#[test]
fn heartbeats_are_markers_on_their_topics_only() {
    let value = br#"{"ts_ms":1795352197698}"#;
    opens("__debezium-heartbeat.server", value, Ok(Opened::Marker));
    opens("__debezium-heartbeat", format!("{CONNECT}{{\"ts_ms\":5}}}}").as_bytes(), Ok(Opened::Marker));
    opens("server.__debezium-heartbeat", value, Err(Reject::Heartbeat));
    opens("__debezium-heartbeat.server", br#"{"ts_ms":"5"}"#, Err(Reject::NoData));
    opens("__debezium-heartbeat.server", br#"{"action":"B","ts_ms":5}"#, Err(Reject::Wal2JsonV2));
}

#[test]
fn other_shapes_are_rejects_that_name_them() {
    rejects("", Reject::Empty);
    rejects("\0\0\0\0\u{5}abc", Reject::SchemaRegistry);
    opens("t", b"\0\0\0\0\x05\xff", Err(Reject::SchemaRegistry));
    rejects(r#"{"change":[{"kind":"insert"}]}"#, Reject::Wal2JsonV1);
    rejects(r#"{"action":"I","schema":"public","table":"t"}"#, Reject::Wal2JsonV2);
    rejects(r#"{"schema":{},"payload":{"action":"C"}}"#, Reject::Wal2JsonV2);
    rejects(r#"{"before":null,"after":{"id":1},"source":{"lsn":1},"op":"c","ts_ms":1}"#, Reject::Debezium);
    rejects(r#"{"id":1,"name":"x","__op":"c","__deleted":"false"}"#, Reject::DebeziumFlattened);
    rejects(r#"{"status":"BEGIN","id":"571:53195829","ts_ms":5,"event_count":null}"#, Reject::DebeziumTransaction);
    for value in include_str!("../../data/debezium.ndjson").lines() {
        rejects(value, Reject::Debezium);
    }
}

#[test]
fn bytes_that_are_not_utf8_are_rejects_wherever_they_stand() {
    let value = format!(r#"{CONNECT}{{"data":"BEGIN 693"}}}}"#);
    for at in 0..=value.len() {
        let mut bytes = value.clone().into_bytes();
        bytes.insert(at, 0xFF);
        opens("t", &bytes, Err(Reject::NotUtf8));
    }
    opens("t", b"table public.t: INSERT: a[text]:'\xE9'", Err(Reject::NotUtf8));
}

#[test]
fn a_value_cut_anywhere_is_a_reject() {
    let value = format!(r#"{CONNECT}{{"lsn":"0/1","data":"BEGIN \"693"}}}}"#);
    for end in 1..value.len() {
        rejects(&value[..end], Reject::JsonCut);
    }
    for more in ["}", "x", "{}", ",", "\0"] {
        rejects(&format!("{value}{more}"), Reject::JsonSyntax);
    }
}

#[test]
fn deep_json_is_a_reject_and_no_overflow() {
    for depth in [120, 125, 126, 127, 128, 129, 1_000_000] {
        for (open, close) in [("[", "]"), ("{\"payload\":", "}"), ("{\"a\":", "}"), ("{\"schema\":", "}")] {
            let nested = format!("{}0{}", open.repeat(depth), close.repeat(depth));
            for value in [
                format!(r#"{{"schema":{nested},"payload":{{"data":"BEGIN"}}}}"#),
                format!(r#"{{"data":"BEGIN","x":{nested}}}"#),
                format!(r#"{CONNECT}{nested}}}"#),
                open.repeat(depth),
            ] {
                check("t", Some(value.as_bytes()));
            }
        }
    }
    rejects(&format!("{{\"a\":{}", "[".repeat(1 << 20)), Reject::JsonDepth);
}
