//! Real answers against the description at `/api/openapi.json`: no field is unknown, and none is missing.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::Value;
use walbook::book::log::entry::SourceKind;
use walbook::change::End;
use walbook::query::Event;
use walbook::server::Access;

use super::client::{ask, get, watch};
use super::played::{Played, await_status, up_to};
use super::serve;
use super::viewed_book::{ALL, BY_OP, Book, DAILY};
use crate::readers::loop_of_rows::{folder, open};
use crate::readers::random::{Rows, day};
use crate::support::book_builder::{BookBuilder, Contents, rewrite_log};

/// The description of a server.
pub(super) struct Description(Value);

impl Description {
    pub(super) fn of(address: SocketAddr) -> Description {
        Description(get(address, "/api/openapi.json").json())
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(pointer) => {
                let found = self.0.pointer(pointer.trim_start_matches('#'));
                self.resolved(found.unwrap_or_else(|| panic!("{pointer} does not exist")))
            }
            None => value,
        }
    }

    /// The responses of a path with one status.
    fn response(&self, path: &str, status: u16) -> &Value {
        let response = &self.0["paths"][path]["get"]["responses"][status.to_string()];
        assert!(!response.is_null(), "{path} does not describe {status}");
        self.resolved(response)
    }

    /// Requests a path, and compares status, content type and body with their description.
    #[track_caller]
    pub(super) fn check(&self, address: SocketAddr, path_and_query: &str, headers: &[(&str, &str)]) -> Value {
        let answer = ask(address, "GET", path_and_query, headers);
        let path = path_and_query.split('?').next().expect("a path");
        let content = &self.response(path, answer.status)["content"];
        let content_type = answer.header("content-type").expect("a content type");
        let content_type = content_type.split(';').next().unwrap_or_default();
        let schema = &content[content_type]["schema"];
        assert!(!schema.is_null(), "{path_and_query}: {content_type} is not in {content:#}");
        if content_type != "application/json" {
            return Value::Null;
        }
        let body = answer.json();
        if path != "/api/openapi.json" {
            self.compare(schema, &body, path_and_query);
        }
        body
    }

    #[track_caller]
    fn compare(&self, schema: &Value, value: &Value, what: &str) {
        self.closed(schema, value).unwrap_or_else(|error| panic!("{what}: {error}\n{value:#}"));
    }

    /// Checks a value; fields that the schema does not name are an error.
    fn closed(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let known = self.open(schema, value)?;
        let fields = value.as_object().into_iter().flatten();
        let unknown: Vec<&String> = fields.map(|(name, _)| name).filter(|name| !known.contains(*name)).collect();
        if unknown.is_empty() { Ok(()) } else { Err(format!("unknown fields {unknown:?}")) }
    }

    /// Checks a value; returns the fields that the schema names.
    fn open(&self, schema: &Value, value: &Value) -> Result<BTreeSet<String>, String> {
        let schema = self.resolved(schema);
        let mut known = BTreeSet::new();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            known.extend(self.open(part, value)?);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let results: Vec<_> = choices.iter().map(|choice| self.open(choice, value)).collect();
            let mut matching = results.iter().filter_map(|result| result.as_ref().ok());
            match (matching.next(), matching.next()) {
                (Some(names), None) => known.extend(names.iter().cloned()),
                _ => return Err(format!("not one of the choices: {results:?}")),
            }
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one.as_str()],
            several => several.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
        };
        if !types.is_empty() && !types.iter().any(|name| is_of_type(value, name)) {
            return Err(format!("{value} is not of type {types:?}"));
        }
        if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
            return Err(format!("{value} is not one of {}", schema["enum"]));
        }
        if let (Some(text), Some(format)) = (value.as_str(), schema["format"].as_str()) {
            let is_date = |text: &str| chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
            let is_valid = match format {
                "date" => is_date(text),
                "date-time" => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
                other => return Err(format!("no check of format {other}")),
            };
            if !is_valid {
                return Err(format!("{text} is no {format}"));
            }
        }
        if value.as_i64().zip(schema["minimum"].as_i64()).is_some_and(|(number, least)| number < least) {
            return Err(format!("{value} is below {}", schema["minimum"]));
        }
        if let Some(items) = value.as_array() {
            let count = items.len() as u64;
            if schema["minItems"].as_u64().is_some_and(|least| count < least)
                || schema["maxItems"].as_u64().is_some_and(|most| count > most)
            {
                return Err(format!("{count} items"));
            }
            items.iter().try_for_each(|item| self.closed(&schema["items"], item))?;
        }
        if let Some(fields) = value.as_object() {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                known.insert(name.clone());
                if let Some(field) = fields.get(name) {
                    self.closed(property, field).map_err(|error| format!("{name}: {error}"))?;
                }
            }
            if schema["additionalProperties"].is_object() {
                known.extend(fields.keys().cloned());
                let mut values = fields.values();
                values.try_for_each(|field| self.closed(&schema["additionalProperties"], field))?;
            }
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let missing: Vec<&str> = required.filter(|name| !fields.contains_key(*name)).collect();
            if !missing.is_empty() {
                return Err(format!("missing fields {missing:?}"));
            }
        }
        Ok(known)
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type {other}"),
    }
}

#[test]
fn every_answer_about_a_book_is_as_described() {
    let folder = folder();
    let root = folder.path();
    let mut rows = Rows::new(17);
    let mut book = open(root);
    book.commit(rows.commit(200, 6)).expect("a commit");
    let event = |offset, op: &str, data: &str| Event {
        topic: "shop".to_owned(),
        offset,
        commit_time: Some(1_700_000_000_000_000),
        commit_lsn: Some(23_817_216),
        schema: "public".to_owned(),
        table: "t".to_owned(),
        op: op.to_owned(),
        data: data.to_owned(),
        ..Event::default()
    };
    let update = "table public.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 note[text]:null \
        large[text]:unchanged-toast-datum";
    let columns = tempfile::tempdir().expect("a directory");
    let mut of_columns = BookBuilder::open(columns.path(), "UTC", &[("shop", 1)]).expect("a book");
    let events = [(0, "UPDATE", update), (10, "TRUNCATE", "table public.t: TRUNCATE: restart_seqs")];
    let events = events.map(|(offset, op, data)| (day(0), event(offset, op, data)));
    of_columns.commit(Contents { events: events.into(), rejects: Vec::new() }).expect("a commit");
    drop(of_columns);
    rewrite_log(columns.path(), &mut |entry| {
        for read in entry.topics.values_mut().flat_map(|topic| topic.positions.values_mut()) {
            read.lost = std::mem::take(&mut read.tally.markers);
            read.records -= read.lost;
        }
    });

    let address = serve(root, Access::default());
    let description = Description::of(address);
    for path in ["counts", "counts?by=", "counts?by=table", "counts?by=op,day", "tables", "days", "status"] {
        description.check(address, &format!("/api/{path}"), &[]);
    }
    description.check(address, &format!("/api/status?day={}", day(1)), &[]);
    await_status(address, "read", |status| status["rejects"]["total"].as_u64() > Some(0));
    let status = description.check(address, "/api/status", &[]);
    assert!(!status["rejects"]["by_reason"][0]["newest"].is_null());
    for path in ["events", "rejects"] {
        let page = description.check(address, &format!("/api/{path}?limit=3"), &[]);
        let next = page["next"].as_str().expect("more than one page");
        assert!(description.check(address, &format!("/api/{path}?limit=3&cursor={next}"), &[])["previous"].is_string());
    }
    for format in ["csv", "arrow", "parquet"] {
        description.check(address, &format!("/api/counts?format={format}"), &[]);
    }
    for format in ["csv", "parquet"] {
        description.check(address, &format!("/api/events?format={format}"), &[]);
    }
    for path in ["/", "/metrics", "/healthz", "/readyz", "/api/openapi.json"] {
        description.check(address, path, &[]);
    }
    let watched = watch(address, "/api/live", &[]).next();
    let snapshot = &description.0["components"]["schemas"]["LiveSnapshot"];
    description.compare(snapshot, &watched.data, "a snapshot");

    let address = serve(columns.path(), Access::default());
    let page = description.check(address, "/api/events?order=oldest", &[]);
    assert_eq!(page["rows"][0]["columns"].as_array().map(Vec::len), Some(3), "{page:#}");
    assert_eq!(page["rows"][1]["options"], "restart_seqs");
    let page = description.check(address, "/api/events?where=new.id::bigint%20/%20new.note::bigint%20IS%20NULL", &[]);
    assert_eq!((page["rows"].as_array().map(Vec::len), &page["bad_values"]["count"]), (Some(2), &0.into()));
    let page = description.check(address, "/api/events?where=1%20/%20(new.id::bigint%20-%202)%20=%201", &[]);
    assert_eq!(page["bad_values"]["first"]["reason"], "division by zero");
    description.check(address, "/api/events?format=csv&where=op%20=%20'UPDATE'", &[]);
    let status = description.check(address, "/api/status", &[]);
    assert_eq!(status["lost"].as_array().map(Vec::len), Some(1));
}

#[test]
fn every_answer_beside_a_run_is_as_described() {
    for source in [SourceKind::Kafka, SourceKind::Slot, SourceKind::File] {
        let folder = tempfile::tempdir().expect("a directory");
        let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
        book.commit(up_to(99)).expect("a commit");
        let run = Played::serve(folder.path(), source, End { readable: 120, written: 120 });
        let description = Description::of(run.address);
        let mut watching = watch(run.address, "/api/live", &[]);
        watching.next();
        run.read(1, 100, 110);
        let delta = watching.next();
        assert_eq!(delta.kind, "delta");
        description.compare(&description.0["components"]["schemas"]["LiveDelta"], &delta.data, "a delta");
        await_status(run.address, "asked", |status| {
            status["topics"][0]["partitions"][0]["end_offset"].is_i64()
                && status["slot"].is_object() == (source == SourceKind::Slot)
        });
        let status = description.check(run.address, "/api/status", &[]);
        assert_eq!((&status["mode"], &status["complete_to"]["level"]), (&"run".into(), &"live".into()));
        for path in ["/api/counts", "/api/tables", "/api/days", "/metrics", "/healthz"] {
            description.check(run.address, path, &[]);
        }
    }
}

#[test]
fn every_answer_about_views_is_as_described() {
    let mut book = Book::new(30, 1, &[DAILY, ALL]);
    book.declare(BY_OP);
    let address = serve(book.root(), Access::default());
    let description = Description::of(address);
    description.check(address, "/api/views", &[]);
    let of_view = |address, query: &str| {
        let answer = ask(address, "GET", &format!("/api/views/{query}"), &[]);
        let content_type = answer.header("content-type").expect("a content type");
        let content_type = content_type.split(';').next().unwrap_or_default();
        let schema = &description.response("/api/views/{name}", answer.status)["content"][content_type]["schema"];
        assert!(!schema.is_null(), "{query}: {content_type} is not described");
        if content_type == "application/json" {
            description.compare(schema, &answer.json(), query);
        }
        answer.status
    };
    for (query, status) in [
        ("daily", 200),
        ("daily?where=n/(n-1)%3E0", 200),
        ("everything", 200),
        ("daily?format=csv", 200),
        ("daily?format=arrow", 200),
        ("daily?order=x", 400),
        ("other", 404),
        ("by_op", 409),
    ] {
        assert_eq!(of_view(address, query), status, "{query}");
    }
    let compare = |event: &super::client::Event, schema: &str| {
        description.compare(&description.0["components"]["schemas"][schema], &event.data, schema);
    };
    let mut watching = watch(address, "/api/live?view=daily", &[]);
    compare(&watching.next(), "LiveViewSnapshot");
    book.grow(50);
    let delta = watching.next();
    assert_eq!(delta.kind, "delta");
    compare(&delta, "LiveViewDelta");
    let (begun, address) = book.begin();
    assert_eq!(of_view(address, "daily"), 200);
    assert_eq!(of_view(address, "daily?level=durable"), 200);
    compare(&watch(address, "/api/live?view=daily", &[]).next(), "LiveViewSnapshot");
    begun.read().expect("an undisturbed run");
}

/// A path, headers, and the status of the answer.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u16);

#[test]
fn every_error_is_as_described() {
    let folder = folder();
    drop(open(folder.path()));
    let file = folder.path().join("token");
    std::fs::write(&file, "a token of many characters").expect("a file");
    let token = walbook::server::Token::read(&file).expect("a token");
    let address = serve(folder.path(), Access { token: Some(token), names: Vec::new() });
    let permitted = ("Authorization", "Bearer a token of many characters");
    let described = ask(address, "GET", "/api/openapi.json", &[permitted]).json();
    let description = Description(described);
    let long = format!("/api/counts?table={}", "x".repeat(9_000));
    let other = [permitted, ("Host", "other.example")];
    let body = [permitted, ("Content-Length", "1")];
    let cases: [Case<'_>; 6] = [
        ("/api/counts?day=x", &[permitted], 400),
        ("/api/counts", &[], 401),
        ("/api/counts", &other, 403),
        ("/assets/nothing.js", &[], 404),
        ("/api/counts", &body, 413),
        (&long, &[permitted], 414),
    ];
    for (path, headers, status) in cases {
        let answer = ask(address, "GET", path, headers);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let path =
            if path.starts_with("/assets/") { "/assets/{name}" } else { path.split('?').next().expect("a path") };
        let schema = &description.response(path, status)["content"]["application/json"]["schema"];
        description.compare(schema, &answer.json(), path);
    }
    // An unknown parameter is refused with the list of the known ones.
    for (path, operations) in description.0["paths"].as_object().expect("paths") {
        let parameters = operations["get"]["parameters"].as_array().into_iter().flatten();
        let in_query = parameters.filter(|parameter| parameter["in"] == "query");
        let names: Vec<&str> = in_query.filter_map(|parameter| parameter["name"].as_str()).collect();
        if path.starts_with("/api/") && path != "/api/openapi.json" {
            let answer = ask(address, "GET", &format!("{path}?unknown=1"), &[permitted]);
            let message = answer.json()["error"]["message"].clone();
            assert!(message.as_str().is_some_and(|text| text.ends_with(&names.join(", "))), "{path}: {message}");
        }
    }
}
