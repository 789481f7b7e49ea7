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
    opens("t", value.as_bytes(), Ok(Opened::Line(text.to_owned(), fields, 0)));
}

/// A line beside which so many fields cannot be read, and no other stands.
#[track_caller]
fn lacks(value: &str, text: &str, unreadable: u64) {
    opens("t", value.as_bytes(), Ok(Opened::Line(text.to_owned(), [None; 5], unreadable)));
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
fn fields_beside_the_line_are_read_in_every_form_with_one_meaning() {
    const TIME: i64 = 1_763_855_999_123_000;
    let places = ["lsn", "commit_lsn", "commit_time", "seq", "xid"];
    for (name, value, expected) in [
        ("lsn", "0/16B6A28", 23_816_744),
        ("lsn", "23816744", 23_816_744),
        ("lsn", " 0/16b6a28 ", 23_816_744),
        ("commit_lsn", "0", 0),
        ("xid", "736", 736),
        ("seq", "3", 3),
        ("commit_time", "1763855999123", TIME),
        ("commit_time", "1763855999123000", TIME),
        ("commit_time", "2025-11-22T23:59:59.123Z", TIME),
        ("commit_time", "2025-11-23T02:59:59.123+0300", TIME),
        ("commit_time", "2025-11-23 02:59:59.123+03", TIME),
        ("commit_time", "2025-11-23 02:59:59.123 +03:00", TIME),
        ("commit_time", "20251122T235959.123Z", TIME),
        ("commit_time", "Sat Nov 22 23:59:59 UTC 2025", TIME - 123_000),
        // The borders of the years 1990 to 2200, in both units.
        ("commit_time", "631152000000", 631_152_000_000_000),
        ("commit_time", "7258118399999", 7_258_118_399_999_000),
        ("commit_time", "631152000000000", 631_152_000_000_000),
        ("commit_time", "7258118399999999", 7_258_118_399_999_999),
    ] {
        let mut fields = [None; 5];
        fields[places.iter().position(|place| *place == name).expect("a field")] = Some(expected);
        holds(&format!(r#"{{"{name}":"{value}","data":"BEGIN 693"}}"#), BEGIN, fields);
        holds(&format!(r#"{CONNECT}{{"data":"BEGIN 693","{name}":"{value}"}}}}"#), BEGIN, fields);
        holds(&format!("Struct{{{name}={value},data=BEGIN 693}}"), BEGIN, fields);
        holds(&format!("Struct{{data=BEGIN 693,{name}={value}}}"), BEGIN, fields);
        if value.bytes().all(|b| b.is_ascii_digit()) {
            let float = (value.len() < 13).then(|| format!("{value}.0"));
            for number in [Some(value.to_owned()), float].into_iter().flatten() {
                holds(&format!(r#"{{"{name}":{number},"data":"BEGIN 693"}}"#), BEGIN, fields);
                holds(&format!(r#"{CONNECT}{{"data":"BEGIN 693","{name}":{number}}}}}"#), BEGIN, fields);
            }
        }
    }
    for empty in ["lsn", "commit_lsn", "commit_time", "seq", "xid"] {
        is_line(&format!(r#"{{"{empty}":"","data":"BEGIN 693"}}"#), BEGIN);
        is_line(&format!("Struct{{{empty}=,data=BEGIN 693,{empty}= }}"), BEGIN);
    }
}

#[test]
fn the_name_of_a_schema_says_what_a_number_counts() {
    let value = |schema: &str, number: i64| {
        format!(
            r#"{{"schema":{{"type":"struct","fields":[{{"type":"string","field":"data"}},{{"type":"int64","optional":true,"name":"{schema}","version":1,"field":"commit_time"}}]}},"payload":{{"data":"BEGIN 693","commit_time":{number}}}}}"#
        )
    };
    let time = |schema: &str, number: i64, micros: i64| {
        holds(&value(schema, number), BEGIN, [None, None, Some(micros), None, None]);
        // By the fast reader, which knows the beginning by then.
        let mut envelope = walbook::parse::Envelope::new();
        for _ in 0..2 {
            let opened = owned(envelope.open("t", Some(value(schema, number).as_bytes())));
            assert_eq!(opened, Ok(Opened::Line(BEGIN.to_owned(), [None, None, Some(micros), None, None], 0)));
        }
    };
    time("org.apache.kafka.connect.data.Timestamp", 1_763_855_999_123, 1_763_855_999_123_000);
    // Long before 1990, and a number that would be microseconds by its magnitude.
    time("org.apache.kafka.connect.data.Timestamp", 5, 5_000);
    time("io.debezium.time.Timestamp", -1_000, -1_000_000);
    time("io.debezium.time.MicroTimestamp", 1_763_855_999_123, 1_763_855_999_123);
    time("io.debezium.time.NanoTimestamp", 1_763_855_999_123_456_789, 1_763_855_999_123_456);
    time("somebody's own", 1_763_855_999_123, 1_763_855_999_123_000);
    for schema in ["org.apache.kafka.connect.data.Date", "io.debezium.time.NanoTime", "io.debezium.time.Date"] {
        lacks(&value(schema, 1_763_855_999_123), BEGIN, 1);
    }
    lacks(&value("org.apache.kafka.connect.data.Timestamp", i64::MAX), BEGIN, 1);
    // Two schemas in turn, under one envelope.
    let mut envelope = walbook::parse::Envelope::new();
    for turn in 0..8 {
        let (schema, micros) =
            [("io.debezium.time.MicroTimestamp", 5), ("io.debezium.time.Timestamp", 5_000)][turn % 2];
        let opened = owned(envelope.open("t", Some(value(schema, 5).as_bytes())));
        assert_eq!(opened, Ok(Opened::Line(BEGIN.to_owned(), [None, None, Some(micros), None, None], 0)), "{schema}");
    }
    for line in include_str!("../../data/inputs/connect_timestamp_commit_time.ndjson").lines() {
        check("t", Some(line.as_bytes()));
        let Ok(Opened::Line(_, fields, 0)) = owned(used_envelope().open("t", Some(line.as_bytes()))) else {
            panic!("{line}")
        };
        assert!(fields[2].is_some_and(|time| time % 1_000_000 == 123_000), "{fields:?}");
    }
}

#[test]
fn a_field_beside_the_line_that_cannot_be_read_does_not_cost_the_change() {
    for field in [
        r#""lsn":"5x""#,
        r#""lsn":-5"#,
        r#""lsn":"80000000/0""#,
        r#""commit_lsn":"0/g""#,
        r#""commit_lsn":{}"#,
        r#""xid":-1"#,
        r#""xid":1.5"#,
        r#""xid":"+1""#,
        r#""xid":"9223372036854775808""#,
        r#""xid":9223372036854775808"#,
        r#""xid":true"#,
        r#""seq":2147483648"#,
        r#""seq":-1"#,
        r#""seq":[1]"#,
        // Seconds, nanoseconds, and what lies outside the years 1990 to 2200.
        r#""commit_time":1795350896"#,
        r#""commit_time":1795350896123456789"#,
        r#""commit_time":631151999999"#,
        r#""commit_time":7258118400000"#,
        r#""commit_time":631151999999999"#,
        r#""commit_time":7258118400000000"#,
        r#""commit_time":"infinity""#,
        r#""commit_time":"2026-11-22""#,
        r#""commit_time":"2026-11-22 12:34:56""#,
        r#""commit_time":"Sat Nov 22 23:59:59 CET 2025""#,
        r#""commit_time":{"time":1763855999123}"#,
    ] {
        lacks(&format!(r#"{{{field},"data":"BEGIN 693"}}"#), BEGIN, 1);
        lacks(&format!(r#"{CONNECT}{{"data":"BEGIN 693",{field}}}}}"#), BEGIN, 1);
    }
    lacks(r#"{"commit_lsn":{},"lsn":[],"xid":"x","data":"BEGIN 693"}"#, BEGIN, 3);
    // The last of two equal keys counts.
    is_line(r#"{"lsn":"x","lsn":null,"data":"BEGIN 693"}"#, BEGIN);
    lacks(r#"{"lsn":"0/1","lsn":"x","data":"BEGIN 693"}"#, BEGIN, 1);
    lacks("Struct{data=BEGIN 693,lsn=x}", BEGIN, 1);
    lacks("Struct{xid=x,lsn=y,data=BEGIN 693}", BEGIN, 2);
    lacks("Struct{seq=2147483648,data=BEGIN 693}", BEGIN, 1);
}

#[test]
fn values_without_a_line_are_rejects() {
    rejects(r#"{"data":null}"#, Reject::NullData);
    rejects(r#"{"data":"x","data":null}"#, Reject::NullData);
    rejects(r#"{"data":["BEGIN"]}"#, Reject::DataType);
    rejects(r#"{"schema":{},"payload":5}"#, Reject::Payload);
    rejects(r#"{"schema":{},"payload":[]}"#, Reject::Payload);
    rejects(r#"{"schema":{},"payload":{}}"#, Reject::NoData("none".into()));
    rejects("{}", Reject::NoData("none".into()));
    rejects(r#"{"DATA":"BEGIN"}"#, Reject::NoData("DATA".into()));
    rejects(r#"{"schema":{},"payload":{"b":1,"a":{}}}"#, Reject::NoData("a, b".into()));
    // A column `payload`, which is not Connect's.
    for payload in [r#""hello""#, r#""table a.b: DELETE: id[integer]:1""#, r#""BEGIN 5""#, "null", "5", "[]"] {
        rejects(&format!(r#"{{"id":9,"payload":{payload}}}"#), Reject::NoData("id, payload".into()));
        rejects(
            &format!(r#"{{"payload":{payload},"schema":{{}},"type":"x"}}"#),
            Reject::NoData("payload, schema, type".into()),
        );
    }
    opens("t", br#"{"schema":null,"payload":null}"#, Ok(Opened::Marker));
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
    rejects("Struct{data=BEGIN 693", Reject::StructCut);
    rejects("Struct{}", Reject::StructData);
    rejects("Struct{lsn=0/1,xid=5}", Reject::StructData);
    rejects("Struct{row=Struct{id=1,data=BEGIN},op=c}", Reject::StructData);
}

#[test]
fn the_line_itself_as_a_json_string() {
    is_line(r#""BEGIN 693""#, BEGIN);
    is_line(" \"BEGIN 693\"\r\n", BEGIN);
    is_line(r#"{"schema":{"type":"string","optional":true},"payload":"BEGIN 693"}"#, BEGIN);
    is_line(r#"{"payload":"BEGIN 693"}"#, BEGIN);
    let line = "table public.\"order\": UPDATE: id[integer]:2 a[text]:'x\ny é🐘 \\'";
    for value in
        [serde_json::to_string(line).expect("JSON"), serde_json::to_string(line).expect("JSON").replace('é', "\\u00e9")]
    {
        is_line(&value, line);
        is_line(&format!(r#"{{"schema":{{"type":"string"}},"payload":{value}}}"#), line);
    }
    is_line(r#""""#, "");
    rejects(r#""BEGIN"#, Reject::JsonCut);
    rejects(r#""BEGIN" x"#, Reject::JsonSyntax);
    rejects(r#""BEGIN\d""#, Reject::JsonSyntax);
    rejects("\"BEGIN\n\"", Reject::JsonSyntax);
    let mut tables = Vec::new();
    for value in include_str!("../../data/inputs/json_strings.ndjson").lines() {
        check("t", Some(value.as_bytes()));
        let Ok(Opened::Line(line, ..)) = owned(used_envelope().open("t", Some(value.as_bytes()))) else {
            panic!("{value}")
        };
        tables.push(line.split(": ").next().expect("a first word").to_owned());
    }
    assert_eq!(
        tables,
        ["BEGIN 736", "table public.user_event", "table public.\"order\"", "COMMIT 736", "table public.user_event"]
    );
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
    opens("__debezium-heartbeat.server", br#"{"ts_ms":"5"}"#, Err(Reject::NoData("ts_ms".into())));
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
fn the_envelope_of_another_system_is_known_before_its_data() {
    const LINE: &str = "table public.ghost: INSERT: id[integer]:1";
    for (fields, system) in [
        (r#""id":1,"__op":"c","__deleted":"false""#, Reject::DebeziumFlattened),
        (r#""__deleted":"false""#, Reject::DebeziumFlattened),
        (r#""__table":"t","__lsn":5"#, Reject::DebeziumFlattened),
        (r#""op":"c","source":{"lsn":1}"#, Reject::Debezium),
        (r#""op":"c","before":null"#, Reject::Debezium),
        (r#""after":{"id":1},"source":{}"#, Reject::Debezium),
        (r#""op":"c","ts_ms":1"#, Reject::Debezium),
        (r#""specversion":"1.0","id":"1","source":"/a","type":"t""#, Reject::CloudEvents),
        (r#""action":"I","schema":"public","table":"t""#, Reject::Wal2JsonV2),
        (r#""change":[]"#, Reject::Wal2JsonV1),
    ] {
        for object in [
            format!(r#"{{{fields}}}"#),
            format!(r#"{{{fields},"data":"{LINE}"}}"#),
            format!(r#"{{"data":"{LINE}",{fields}}}"#),
            format!(r#"{{"data":{{"id":1}},{fields}}}"#),
        ] {
            rejects(&object, system.clone());
            rejects(&format!("{CONNECT}{object}}}"), system.clone());
        }
    }
    // Envelopes that have no text in `data`; a line's record may have such fields too.
    for (fields, system) in [
        (r#""database":"d","table":"t","type":"insert","ts":1"#, Reject::Maxwell),
        (r#""database":"d","table":"t","type":"INSERT","isDdl":false,"sqlType":{}"#, Reject::Canal),
        (r#""table":"A.B","op_type":"I","op_ts":"2026-11-22 12:34:56.000000","pos":"1""#, Reject::GoldenGate),
        (r#""operationType":"insert","fullDocument":{}"#, Reject::MongoDb),
        (r#""beforeData":null,"headers":{}"#, Reject::Qlik),
        (r#""type":"INSERT","table":"t","schema":"public","record":{},"old_record":null"#, Reject::RowWebhook),
        (r#""record":{},"changes":null,"action":"insert","metadata":{}"#, Reject::RowWebhook),
        (r#""status":"BEGIN","id":"571:5","event_count":null,"data_collections":null"#, Reject::DebeziumTransaction),
        (r#""__table":"t""#, Reject::DebeziumFlattened),
    ] {
        for object in [
            format!(r#"{{{fields}}}"#),
            format!(r#"{{"data":{{"id":1}},{fields}}}"#),
            format!(r#"{{{fields},"data":[{{"id":"1"}}]}}"#),
            format!(r#"{{{fields},"data":null}}"#),
        ] {
            rejects(&object, system.clone());
            rejects(&format!("{CONNECT}{object}}}"), system.clone());
        }
        is_line(&format!(r#"{{{fields},"data":"{LINE}"}}"#), LINE);
        is_line(&format!(r#"{CONNECT}{{"data":"{LINE}",{fields}}}}}"#), LINE);
    }
    rejects("Struct{type=insert,table=t,database=d,data=Struct{id=1}}", Reject::Maxwell);
    rejects(r#"{"data":{"id":1},"metadata":{"operation":"load"}}"#, Reject::RowMetadata);
    // Fields that Connect's transforms add, with values that no other system writes.
    for fields in [
        r#""action":"ingest""#,
        r#""action":null"#,
        r#""action":5"#,
        r#""change":null"#,
        r#""change":5"#,
        r#""change":"x""#,
        r#""change":{"id":1}"#,
        r#""__ts_ms":1795350896000"#,
        r#""__op":null"#,
        r#""specversion":null"#,
        r#""op":null,"source":{"lsn":1}"#,
        r#""op":null,"before":null"#,
        r#""op":"import","ts_ms":1795350896000"#,
        r#""op":"c","source":null"#,
        r#""before":null,"source":"app""#,
    ] {
        is_line(&format!(r#"{{{fields},"data":"{LINE}"}}"#), LINE);
        is_line(&format!(r#"{CONNECT}{{"data":"{LINE}",{fields}}}}}"#), LINE);
    }
    for fields in ["change=5", "action=ingest", "type=x,table=t,database=d", "op=null,source=null", "__ts_ms=5"] {
        is_line(&format!("Struct{{{fields},data={LINE}}}"), LINE);
        is_line(&format!("Struct{{data={LINE},{fields}}}"), LINE);
    }
    // What one of these columns alone does not show.
    for field in ["id", "status", "type", "table", "source", "metadata", "op", "ts_ms", "record"] {
        is_line(&format!(r#"{{"{field}":"x","data":"BEGIN 693"}}"#), BEGIN);
        is_line(&format!(r#"{CONNECT}{{"data":"BEGIN 693","{field}":5}}}}"#), BEGIN);
    }
    for printed in [
        format!("Struct{{id=1,data={LINE},__op=c,__deleted=false}}"),
        format!("Struct{{__op=c,data={LINE}}}"),
        format!("Struct{{data={LINE},note=5,__deleted=false}}"),
    ] {
        rejects(&printed, Reject::DebeziumFlattened);
    }
    rejects("Struct{before=Struct{id=1,data=BEGIN},op=c}", Reject::Debezium);
    rejects("Struct{op=c,ts_ms=5,x=1}", Reject::Debezium);
    // What is not recognized is named by its keys.
    let reject = owned(used_envelope().open("t", Some(br#"{"row_id":1,"body":"x"}"#))).expect_err("no line");
    assert!(reject.to_string().contains("body, row_id"), "{reject}");
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
    // But for a logical message, whose content is any bytes.
    opens("t", b"message: transactional: 1 prefix: p, sz: 1 content:\xff", Ok(Opened::Marker));
    opens("t", b"message: \xff", Err(Reject::NotUtf8));
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
