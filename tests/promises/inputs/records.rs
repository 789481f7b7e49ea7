//! What a record is, and to which transaction it belongs.

use std::collections::BTreeMap;

use walbook::parse::{Statement, read_line};

use super::world::World;

/// The truth of both samples: counts by name and operation, written by hand beside the SQL before it ran.
fn truth() -> BTreeMap<String, u64> {
    let text = include_str!("../../data/connect_a_plain.truth.csv").replace("\"new\nline\"", "\"new\\nline\"");
    let count = |record: &str| {
        let (rest, count) = record.rsplit_once(',').expect("three fields");
        let (table, operation) = rest.rsplit_once(',').expect("three fields");
        let table = table.strip_prefix('"').and_then(|table| table.strip_suffix('"')).unwrap_or(table);
        let line = format!("table {}: INSERT:", table.replace("\"\"", "\"").replace("\\n", "\n"));
        let Ok(Statement::Change { table, .. }) = read_line(&line) else { panic!("{line}") };
        (format!("{}.{} {operation}", table.schema(), table.table()), count.parse().expect("a number"))
    };
    text.lines().skip(1).map(count).collect()
}

#[test]
fn the_lines_of_a_slot_count_as_their_truth() {
    let text = include_str!("../../data/recvlogical_test_decoding.txt");
    let world = World::new(text);
    world.run(&[]).expect(0, &["without a commit time"]);
    assert_eq!(world.counts(), truth());
    assert_eq!(world.rejects(), []);
    world.verify();
    for event in world.events() {
        let offset = usize::try_from(event.offset).expect("not negative");
        assert!(text[offset..].starts_with(&event.data), "{event:?}");
        assert!(event.xid.is_some(), "{event:?}");
    }
    let piped = World::new("");
    piped.pipe(text.as_bytes()).expect(0, &["when this run began"]);
    assert_eq!(piped.counts(), truth());
    piped.verify();
}

#[test]
fn a_topic_of_connect_counts_as_its_truth() {
    let world = World::new(include_str!("../../data/connect_a_plain.ndjson"));
    world.run(&["-w", "3"]).expect(0, &["when the file was modified last"]);
    assert_eq!(world.counts(), truth());
    world.verify();
}

#[test]
fn text_inside_a_value_is_not_a_record() {
    let evil = "x\nCOMMIT 5\ntable public.z: DELETE: id[integer]:1\nBEGIN 9\n{\"data\":\"table public.z: DELETE:\"}\n";
    let lines = [
        "BEGIN 5\n".to_owned(),
        format!("table public.t: INSERT: v[text]:'{evil}' w[text]:'it''s \"\n'\n"),
        format!("table public.\"a\n'b\": UPDATE: \"'\nCOMMIT 5\n\"[text]:'{evil}'\n"),
        "table public.t, public.\"o, \n\": TRUNCATE: (no-flags)\n".to_owned(),
        format!("message: transactional: 1 prefix: p, sz: {} content:{evil}\n", evil.len()),
        "COMMIT 5 (at 2016-11-22 23:30:00.25-02)\n".to_owned(),
        "{\"commit_time\":\"2016-11-20T00:00:00Z\",\"xid\":8,\"data\":\"table public.t: INSERT: v[text]:'\\n'\"}\n"
            .to_owned(),
        "\n".to_owned(),
        "Struct{data=table public.t: DELETE: v[text]:'}\nx'}\n".to_owned(),
    ];
    let world = World::new(&lines.concat());
    world.run(&[]).expect(0, &[]);
    world.verify();
    let expected = [
        ("public.a\n'b UPDATE", 1),
        ("public.o, \n TRUNCATE", 1),
        ("public.t DELETE", 1),
        ("public.t INSERT", 2),
        ("public.t TRUNCATE", 1),
    ];
    assert_eq!(world.counts(), expected.map(|(name, count)| (name.to_owned(), count)).into());
    assert_eq!(world.rejects(), []);
    let events = world.events();
    let micros = |text: &str| chrono::DateTime::parse_from_rfc3339(text).expect("a time").timestamp_micros();
    let commit = Some(micros("2016-11-23T01:30:00.25Z"));
    for event in &events[..4] {
        assert_eq!((event.xid, event.commit_time, event.kafka_time), (Some(5), commit, None), "{event:?}");
    }
    assert_eq!((events[2].ordinal, events[3].ordinal, events[2].offset), (0, 1, events[3].offset));
    assert_eq!((events[4].xid, events[4].commit_time), (Some(8), Some(micros("2016-11-20T00:00:00Z"))));
    assert_eq!((events[5].xid, events[5].commit_time), (None, None));
    let days = world.days();
    for day in [("2016-11-20".to_owned(), 1), ("2016-11-23".to_owned(), 4)] {
        assert!(days.contains(&day), "{days:?}");
    }
}

#[test]
fn logical_messages_never_count_and_never_split() {
    let ghosts = "x\nBEGIN 9\ntable public.ghost: INSERT: id[integer]:1\nCOMMIT 9\n\
        message: transactional: 0 prefix: q, sz: 1 content:y\n{\"data\":\"table public.ghost: DELETE:\"}\n";
    let message = |transactional: u8, prefix: &[u8], content: &[u8]| {
        let head = format!("message: transactional: {transactional} prefix: ");
        let size = format!(", sz: {} content:", content.len());
        [head.as_bytes(), prefix, size.as_bytes(), content, b"\n"].concat()
    };
    let any_bytes: Vec<u8> = (0..=255).collect();
    let text = [
        message(0, b"p", ghosts.as_bytes()),
        message(0, ghosts.as_bytes(), b""),
        b"BEGIN 5\ntable public.t: INSERT: v[text]:'a'\n".to_vec(),
        message(1, b"p", &any_bytes),
        message(1, &any_bytes[1..], ghosts.as_bytes()),
        message(1, b"p, sz: 1 content:x\ntable public.ghost: INSERT: id[integer]:1", b"y"),
        message(1, b"p", b", sz: 2 content:ab\ntable public.ghost: UPDATE: id[integer]:1"),
        b"table public.t: INSERT: v[text]:'b'\nCOMMIT 5 (at 2026-11-22 00:00:00+00)\n".to_vec(),
        message(0, b"last", b"\xff\n\n"),
    ]
    .concat();
    let world = World::new("");
    std::fs::write(world.input(), &text).expect("a file can be written");
    world.run(&[]).expect(0, &[]);
    let piped = World::new("");
    piped.pipe(&text).expect(0, &[]);
    for world in [world, piped] {
        assert_eq!(world.counts(), [("public.t INSERT".to_owned(), 2)].into());
        assert_eq!((world.rejects(), world.position().0), (vec![], text.len() as i64));
        assert!(world.events().iter().all(|event| event.xid == Some(5) && event.commit_time.is_some()));
        world.verify();
    }
}

#[test]
fn bytes_that_are_no_text_are_a_reject_and_no_failure() {
    let world = World::new("");
    let text =
        b"BEGIN 5\ntable public.t: INSERT: v[text]:'\xff'\ntable public.t: INSERT: v[text]:'b'\n\xfe\nCOMMIT 5\n";
    std::fs::write(world.input(), text).expect("a file can be written");
    world.run(&[]).expect(0, &[]);
    let rejects = world.rejects();
    assert!(rejects.len() == 1 && rejects[0].1 == 2 && rejects[0].0.contains("not UTF-8"), "{rejects:?}");
    assert_eq!(world.total(), 1);
    world.verify();
}

#[test]
fn invalid_text_is_rejected_without_harm_to_other_records() {
    let text = "BEGIN 6\ntable public.t: INSERT: v[text]:'cut off hereBEGIN 7\n\
        table public.t: INSERT: v[text]:'whole'\nCOMMIT 7 (at 2026-11-22 00:00:00+00)\n\
        table of contents: it's rubbish\n{\"data\":\n{\"action\":\"I\"}\nrubbish\n";
    let open = "table public.t: INSERT: v[text]:'never closed\n\
        message: transactional: 1 prefix: p, sz: 77 content:short\n";
    let world = World::new("");
    world.pipe([text, open].concat().as_bytes()).expect(0, &[]);
    world.verify();
    // The head of a line that is cut in a value is whole.
    assert_eq!(world.counts(), [("public.t INSERT".to_owned(), 3)].into());
    assert_eq!(world.rejects().iter().map(|(_, count)| count).sum::<u64>(), 4);
    // In a file, the quote may be closed by what comes.
    let world = World::new(&[text, open].concat());
    world.run(&[]).expect(0, &["not whole yet", &format!("from={}", text.len())]);
    assert_eq!((world.total(), world.position().0), (2, text.len() as i64));
    world.append("' w[text]:null\n");
    world.run(&[]).expect(0, &[]);
    assert_eq!(world.total(), 3);
    world.verify();
}

#[test]
fn an_unfinished_transaction_is_rejected_because_the_server_sends_it_again() {
    let world = World::new(
        "BEGIN 6\ntable public.t: INSERT: id[integer]:1\nBEGIN 6\ntable public.t: INSERT: id[integer]:1\n\
         table public.t: INSERT: id[integer]:2\nCOMMIT 6 (at 2026-11-22 00:00:00+00)\n",
    );
    world.run(&[]).expect(0, &["no COMMIT"]);
    world.verify();
    assert_eq!(world.counts(), [("public.t INSERT".to_owned(), 2)].into());
    let rejects = world.rejects();
    assert!(rejects.len() == 1 && rejects[0].1 == 1 && rejects[0].0.contains("without COMMIT"), "{rejects:?}");
}

#[test]
fn a_field_that_cannot_be_read_is_null_and_counted_unless_the_day_depends_on_it() {
    let text = "{\"commit_time\":\"yesterday\",\"lsn\":[],\"data\":\"table a.b: INSERT:\"}\n\
        {\"commit_time\":1763855999123,\"xid\":\"7\",\"lsn\":5,\"data\":\"table a.b: INSERT:\"}\n\
        {\"commit_time\":\"\",\"lsn\":\"\",\"data\":\"table a.b: INSERT:\"}\n";
    let world = World::new(text);
    world.run(&[]).expect(0, &[]);
    world.append("{\"xid\":-1,\"data\":\"BEGIN\"}\n");
    world.run(&[]).expect(0, &[]);
    assert_eq!((world.total(), world.rejects()), (3, vec![]));
    let places: Vec<_> =
        world.events().iter().map(|event| (event.lsn, event.xid, event.commit_time.is_some())).collect();
    assert_eq!(places[1], (Some(5), Some(7), true));
    assert!(places[0] == (None, None, false) && places[2] == places[0], "{places:?}");
    let report = world.verify();
    assert_eq!(report.unreadable_fields, 3);
    assert!(report.checks.iter().any(|check| check.seen.contains("3 fields")), "{report:?}");
    assert_eq!(world.unreadable_fields(), 3);

    let world = World::new(text);
    world.run(&["--day-from", "commit"]).expect(0, &[]);
    assert_eq!(world.total(), 1);
    let rejects = world.rejects();
    assert_eq!(rejects.iter().map(|(_, count)| count).sum::<u64>(), 2);
    assert!(rejects.iter().any(|(reason, _)| reason.contains("is not a time like")), "{rejects:?}");
    world.verify();
}

#[test]
fn the_day_rule_decides_for_a_file_too() {
    let text = "BEGIN 5\ntable a.b: INSERT:\nCOMMIT 5 (at 2026-11-22 00:00:00+00)\ntable a.b: DELETE:\n";
    for (rule, counts, rejects) in [("commit", 1, 1), ("auto", 2, 0)] {
        let world = World::new(text);
        world.run(&["--day-from", rule]).expect(0, &[]);
        world.verify();
        let rejected: u64 = world.rejects().iter().map(|(_, count)| count).sum();
        assert_eq!((world.total(), rejected), (counts, rejects), "{rule}");
    }
    // No record of a file has a timestamp of Kafka's: all would be rejects.
    World::new(text).run(&["--day-from", "kafka"]).expect(2, &["--day-from kafka"]);
}
