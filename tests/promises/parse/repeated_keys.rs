//! Keys that an object has twice: the last one counts, as for any reader that keeps a map.

use walbook::parse::Reject;

use super::agreement::{CONNECT, check, owned, used_envelope};
use super::oracle::{FOREIGN_KEYS, Opened};

fn opened(value: &str) -> Result<Opened, Reject> {
    check("t", Some(value.as_bytes()));
    owned(used_envelope().open("t", Some(value.as_bytes())))
}

/// Each key of another system's envelope with any two of the values.
fn keys_with<'a>(values: &'a [&'a str]) -> impl Iterator<Item = (&'static str, &'a str, &'a str)> {
    let pairs = move || values.iter().flat_map(move |first| values.iter().map(move |last| (*first, *last)));
    FOREIGN_KEYS.into_iter().flat_map(move |key| pairs().map(move |(first, last)| (key, first, last)))
}

#[test]
fn the_last_payload_counts() {
    for other in
        [r#"{"a":1}"#, "{}", "null", "5", r#""BEGIN 1""#, "[{}]", r#"{"data":"BEGIN 1"}"#, r#"{"op":"c","source":{}}"#]
    {
        for schema in ["", r#""schema":{},"#, r#""schema":{},"schema":{"fields":[]},"#] {
            let last = |payload: &str| opened(&format!(r#"{{{schema}"payload":{other},"payload":{payload}}}"#));
            assert_eq!(last(r#"{"b":1,"c":2}"#), Err(Reject::NoData("b, c".into())), "{other}");
            assert_eq!(last("{}"), Err(Reject::NoData("none".into())), "{other}");
            assert_eq!(last("null"), Ok(Opened::Marker), "{other}");
            assert_eq!(last("7"), Err(Reject::Payload), "{other}");
            let line = Ok(Opened::Line("BEGIN 2".to_owned(), [None; 5], 0));
            assert_eq!(last(r#""BEGIN 2""#), line, "{other}");
            assert_eq!(last(r#"{"data":"BEGIN 2"}"#), line, "{other}");
        }
        let beside_a_known_schema = format!(r#"{CONNECT}{other},"payload":{{"b":1}}}}"#);
        assert_eq!(opened(&beside_a_known_schema), Err(Reject::NoData("b".into())), "{other}");
    }
}

#[test]
fn the_last_schema_says_what_a_number_counts() {
    let schema = |name: &str| format!(r#"{{"fields":[{{"field":"commit_time","name":"{name}"}}]}}"#);
    let (micros, millis) = (schema("io.debezium.time.MicroTimestamp"), schema("io.debezium.time.Timestamp"));
    for (first, last, time) in [(&millis, &micros, 5), (&micros, &millis, 5_000)] {
        let value = format!(r#"{{"schema":{first},"schema":{last},"payload":{{"data":"BEGIN 2","commit_time":5}}}}"#);
        let fields = [None, None, Some(time), None, None];
        assert_eq!(opened(&value), Ok(Opened::Line("BEGIN 2".to_owned(), fields, 0)), "{value}");
    }
}

#[test]
fn the_last_of_equal_keys_shows_a_system() {
    let line = |value: &str| assert!(matches!(opened(value), Ok(Opened::Line(..))), "{value}");
    line(r#"{"change":[1],"change":null,"data":"BEGIN 2"}"#);
    line(r#"{"action":"I","action":"x","data":"BEGIN 2"}"#);
    line(r#"{"op":"c","op":"x","ts_ms":1,"data":"BEGIN 2"}"#);
    line(r#"{"source":{},"source":1,"before":1,"data":"BEGIN 2"}"#);
    line(r#"{"__op":"c","__op":null,"data":"BEGIN 2"}"#);
    line(r#"{"specversion":"1.0","specversion":null,"data":"BEGIN 2"}"#);
    // What shows a system is not undone by another key without a value.
    assert_eq!(opened(r#"{"__lsn":5,"__op":"c","__op":null,"data":"BEGIN 2"}"#), Err(Reject::DebeziumFlattened));
    assert_eq!(opened(r#"{"__lsn":5,"__op":null,"data":"BEGIN 2"}"#), Err(Reject::DebeziumFlattened));
    let values = ["null", "5", r#""c""#, r#""I""#, "{}", "[]"];
    let others = ["", r#""ts_ms":1,"#, r#""before":null,"#, r#""op":"c","#, r#""source":{},"#, r#""__lsn":5,"#];
    for (key, first, last) in keys_with(&values) {
        for other in others {
            for data in ["", r#","data":"BEGIN 2""#] {
                let object = format!(r#"{{"{key}":{first},{other}"{key}":{last}{data}}}"#);
                check("t", Some(object.as_bytes()));
                check("t", Some(format!(r#"{{"payload":{object}}}"#).as_bytes()));
            }
        }
    }
}

/// A printed struct has no equal names, but a text in it may look like them: what shows the most counts.
#[test]
fn equal_names_of_a_printed_struct_show_what_any_of_them_does() {
    assert_eq!(opened("Struct{op=x,op=c,ts_ms=1,data=BEGIN 2}"), Err(Reject::Debezium));
    let values = ["null", "5", "c", "I", "{}", "[]"];
    for (key, first, last) in keys_with(&values) {
        for other in ["", "ts_ms=1,", "before=null,", "op=c,", "source={},"] {
            for value in [
                format!("Struct{{{key}={first},{other}{key}={last},data=BEGIN 2}}"),
                format!("Struct{{{key}={first},{other}data=BEGIN 2,{key}={last}}}"),
            ] {
                check("t", Some(value.as_bytes()));
            }
        }
    }
}
