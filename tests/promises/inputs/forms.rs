//! Files as people have them: what psql prints, JSON over several lines, other encodings and archives. They are read where there is
//! one meaning; else the run ends with code 2, says what the file is and what would help, and touches no book.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::world::{World, terminate, until, wait};
use crate::parse::properties::change;

const UNALIGNED: &str = include_str!("../../data/inputs/psql_unaligned.txt");
const TAB: &str = include_str!("../../data/inputs/psql_tab.txt");
const CSV: &str = include_str!("../../data/inputs/psql_csv.txt");
const ALIGNED: &str = include_str!("../../data/inputs/psql_aligned.txt");
const DATA: &str = include_str!("../../data/inputs/psql_data.txt");

/// A run of these bytes from a file, and one from standard input; both books are verified.
fn books_of(bytes: &[u8]) -> [World; 2] {
    let (file, piped) = (World::new(""), World::new(""));
    fs::write(file.input(), bytes).expect("a file can be written");
    file.run(&[]).expect(0, &[]);
    piped.pipe(bytes).expect(0, &[]);
    for world in [&file, &piped] {
        world.verify();
    }
    [file, piped]
}

fn truth() -> BTreeMap<String, u64> {
    [("DELETE", 1), ("INSERT", 3), ("TRUNCATE", 1), ("UPDATE", 1)]
        .map(|(op, count)| (format!("public.ev {op}"), count))
        .into()
}

#[test]
fn what_psql_prints_is_read_with_lsn_and_transaction() {
    let with_frame = format!("lsn|xid|data\n{UNALIGNED}(8 rows)\n");
    let quoted = CSV.replace(",138168,", ",\"138168\",");
    for text in
        [UNALIGNED, TAB, CSV, &with_frame, &CSV["lsn,xid,data\n".len()..], &UNALIGNED.replace('\n', "\r\n"), &quoted]
    {
        for world in books_of(text.as_bytes()) {
            assert_eq!((world.counts(), world.rejects()), (truth(), vec![]), "{text}");
            let events = world.events();
            let lines: Vec<_> = events.iter().map(|event| event.data.replace("\r\n", "\n")).collect();
            for line in &lines {
                assert!(DATA.contains(line.as_str()), "{line}");
            }
            assert!(events.iter().all(|event| event.xid == Some(138_168) && event.commit_time.is_some()), "{events:?}");
            let lsns: Vec<i64> = events.iter().filter_map(|event| event.lsn).collect();
            assert_eq!(lsns, [0xE1B_0B48, 0xE1B_0B78, 0xE1B_0C60, 0xE1B_0CE8, 0xE1B_0D70, 0xE1B_0DB8]);
        }
    }
    // The lines alone, with psql's frame or as CSV of one column.
    let column: String =
        DATA.replace("l1\nl2", "l1\u{0}l2")
            .lines()
            .map(|line| line.replace('\u{0}', "\n"))
            .map(|line| {
                if line.contains(['"', ',', '\n']) {
                    format!("\"{}\"\n", line.replace('"', "\"\""))
                } else {
                    line + "\n"
                }
            })
            .collect();
    for text in [format!("data\n{DATA}(8 rows)\n"), format!("data\n{column}"), column] {
        for world in books_of(text.as_bytes()) {
            assert_eq!((world.counts(), world.rejects()), (truth(), vec![]), "{text}");
            assert!(world.events().iter().all(|event| DATA.contains(&event.data)), "{:?}", world.events());
        }
    }
    // Changes alone, as a condition of the query leaves them.
    let changes: String = UNALIGNED.split_inclusive('\n').filter(|line| line.contains("DELETE")).collect();
    let [world, _] = books_of(changes.as_bytes());
    let event = &world.events()[0];
    assert_eq!((event.lsn, event.xid, event.commit_time), (Some(0xE1B_0DB8), Some(138_168), None));
}

#[test]
fn rows_of_psql_are_continued_wherever_a_file_was_cut() {
    let cuts = |text: &str| {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        breaks.chain([5, 40, text.len() - 60]).collect::<Vec<_>>()
    };
    for text in [UNALIGNED, CSV] {
        for cut in cuts(text) {
            let world = World::new(&text[..cut]);
            world.run(&[]).expect(0, &[]);
            world.append(&text[cut..]);
            world.run(&[]).expect(0, &[]);
            assert_eq!((world.counts(), world.rejects()), (truth(), vec![]), "cut at {cut}: {text}");
            world.verify();
        }
    }
}

#[test]
fn rows_of_psql_are_the_lines_of_the_slot() {
    let mut runner = TestRunner::deterministic();
    let mut texts = [String::new(), String::new(), String::new(), String::new()];
    for number in 0..300_u64 {
        let (line, _) = change().new_tree(&mut runner).expect("a line").current();
        // A server never prints NUL.
        let line = line.replace('\0', "");
        let (begin, commit) = (format!("BEGIN {number}"), format!("COMMIT {number}"));
        let content = ["", "abc", "a\n0/9|9|COMMIT 9\nb", "'\n\""][number as usize % 4];
        let message = format!("message: transactional: 1 prefix: p, sz: {} content:{content}", content.len());
        let messages = vec![&message; number as usize % 3];
        for line in [&begin].into_iter().chain(messages).chain([&line, &message, &commit]) {
            let csv = if line.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", line.replace('"', "\"\""))
            } else {
                line.clone()
            };
            writeln!(texts[0], "{line}").expect("memory");
            writeln!(texts[1], "0/{number:X}|{number}|{line}").expect("memory");
            writeln!(texts[2], "0/{number:X}\t{number}\t{line}").expect("memory");
            writeln!(texts[3], "0/{number:X},{number},{csv}").expect("memory");
        }
    }
    let books = texts.map(|text| {
        let world = World::new(&text);
        world.run(&[]).expect(0, &[]);
        let events = world.events();
        let rows: Vec<_> =
            events.into_iter().map(|event| (event.xid, event.schema, event.table, event.op, event.data)).collect();
        (rows, world.rejects())
    });
    assert!(books[0].0.len() >= 300 && books[0].1.is_empty(), "{:?}", books[0].1);
    for book in &books[1..] {
        assert_eq!(book, &books[0]);
    }
}

/// Rows as COPY writes them.
fn copied(rows: &[&str]) -> String {
    let escaped =
        |line: &str| line.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r");
    rows.iter().enumerate().map(|(number, line)| format!("0/{number:X}\t7\t{}\n", escaped(line))).collect()
}

#[test]
fn rows_of_copy_are_read_with_their_escapes() {
    let rows = [
        "BEGIN 7",
        "table a.b: INSERT: v[text]:'C:\\new\n\tx''y'",
        "table a.b: INSERT: b[bytea]:'\\x00ff' v[text]:'a\r\nCOMMIT 7'",
        "message: transactional: 1 prefix: p, sz: 5 content:a\n\\\tb",
        "table a.\"x\ny\": DELETE: v[text]:'\\\\'",
        "COMMIT 7",
    ];
    let text = copied(&rows);
    for text in [text.clone(), format!("lsn\txid\tdata\n{text}\\.\n"), text.replace('\n', "\r\n")] {
        for world in books_of(text.as_bytes()) {
            let events = world.events();
            let lines: Vec<&str> = events.iter().map(|event| event.data.as_str()).collect();
            assert_eq!((lines, world.rejects()), (vec![rows[1], rows[2], rows[4]], vec![]), "{text}");
            assert_eq!(events[2].table, "x\ny");
            assert!(events.iter().all(|event| event.xid == Some(7)));
            assert_eq!(events.iter().filter_map(|event| event.lsn).collect::<Vec<_>>(), [1, 2, 4]);
        }
    }
    // Continued behind each of its rows.
    for (cut, _) in text.match_indices('\n') {
        let world = World::new(&text[..=cut]);
        let is_known = text[..=cut].contains("bytea") || !text[..=cut].contains('\\');
        if !is_known {
            world.run(&[]).expect(2, &["psql and COPY write differently"]);
            assert!(!world.book().exists());
            continue;
        }
        world.run(&[]).expect(0, &[]);
        world.append(&text[cut + 1..]);
        world.run(&[]).expect(0, &[]);
        assert_eq!((world.total(), world.rejects()), (3, vec![]), "cut at {cut}");
        world.verify();
    }
}

#[test]
fn rows_that_psql_and_copy_write_differently_are_refused_or_said() {
    let row = "0/5\t7\ttable a.b: INSERT: v[text]:'a\\nb'\n";
    let world = World::new(row);
    let words = ["psql and COPY write differently", "WITH (FORMAT csv)", "by |"];
    world.run(&[]).expect(2, &words);
    world.pipe(row.as_bytes()).expect(2, &words);
    assert!(!world.book().exists());
    // With the separator that helps, and where another row shows that psql wrote them.
    let bytea = "0/6\t7\ttable a.b: INSERT: v[bytea]:'\\x00'\n";
    for text in [row.replacen('\t', "|", 2), [row, bytea].concat()] {
        for world in books_of(text.as_bytes()) {
            assert_eq!(world.events()[0].data, "table a.b: INSERT: v[text]:'a\\nb'");
            assert_eq!(world.rejects(), []);
        }
    }
    // Behind what is looked at.
    let plain = "0/5\t7\ttable a.b: INSERT: v[text]:'a'\n";
    let text = plain.repeat(2000) + row + row;
    let world = World::new(&text);
    let ended = world.run(&[]);
    assert_eq!(ended.stderr_text.matches("a row with tabs has a backslash").count(), 1, "{}", ended.stderr_text);
    ended.expect(0, &[&format!("at byte {}", 2000 * plain.len())]);
    assert_eq!((world.total(), world.rejects()), (2002, vec![]));
}

#[test]
fn rows_that_only_copy_writes_are_refused_wherever_they_begin() {
    let plain = "0/5\t7\ttable a.b: INSERT: v[text]:'a'\n".repeat(2000);
    let insert = "0/8\t7\ttable a.b: INSERT: id[integer]:1\n";
    let path = "0/6\t7\ttable a.b: INSERT: v[text]:'C:\\new'\n";
    // Its content is longer here than its size says, which may then be sought in the rows behind it.
    let message = "0/7\t7\tmessage: transactional: 1 prefix: p, sz: 3 content:a\\nb\n";
    let other = message.replace("sz: 3", "sz: 2");
    let next = "0/9\t7\tmessage: transactional: 1 prefix: p, sz: 3 content:abc\n";
    let bytea = "0/7\t7\ttable a.b: INSERT: v[bytea]:'\\\\x00ff'\n";
    for (before, row) in [("", message), ("", &other), (path, message), ("", bytea), (path, bytea)] {
        for behind in [String::new(), [insert, next, insert].concat(), insert.repeat(2000) + next] {
            let text = [&plain, before, row, &behind].concat();
            let words = ["COPY's text form", &format!("at byte {} ", plain.len() + before.len()), "FORMAT csv"];
            let world = World::new(&text);
            world.run(&[]).expect(2, &words);
            World::new("").pipe(text.as_bytes()).expect(2, &words);
        }
    }
    // What psql prints: content with line breaks and backslashes, and rows that only psql writes.
    let printed = "0/7\t7\tmessage: transactional: 1 prefix: p, sz: 7 content:a\\nb\ncd\n";
    let json = "0/7\t7\ttable a.b: INSERT: v[json]:'\\\"'\n";
    for rows in [printed.to_owned(), [path, printed].concat(), [json, bytea].concat()] {
        let text = [&plain, &rows, insert, next].concat();
        for world in books_of(text.as_bytes()) {
            let inserts = text.matches("INSERT").count() as u64;
            assert_eq!((world.total(), world.rejects()), (inserts, vec![]), "{rows}");
        }
    }
}

#[test]
fn a_file_that_grew_by_rows_of_copy_is_refused_by_the_next_run_too() {
    let plain = "0/5\t7\ttable a.b: INSERT: v[text]:'a'\n";
    let path = "0/6\t7\ttable a.b: INSERT: v[text]:'C:\\new'\n";
    let message = "0/7\t7\tmessage: transactional: 1 prefix: p, sz: 3 content:a\\nb\n";
    let world = World::new(plain);
    world.run(&[]).expect(0, &[]);
    // Its first bytes are ambiguous now, which is no reason to refuse what follows.
    world.append(&[path, &plain.repeat(2000)].concat());
    world.run(&[]).expect(0, &["a row with tabs has a backslash"]);
    assert_eq!(world.total(), 2002);
    world.append(&[message, plain].concat());
    world.run(&[]).expect(2, &["COPY's text form"]);
    assert_eq!(world.total(), 2002);
}

#[test]
fn json_over_several_lines_and_arrays_are_read_value_by_value() {
    let values = [
        "{\"xid\":7,\"data\":\"table a.b: INSERT: v[text]:']}\\\"'\"}",
        "{\"xid\":7,\"data\":\"table a.b: DELETE: id[integer]:1\"}",
        "{\"schema\":{\"type\":\"string\"},\"payload\":\"table a.b: UPDATE: id[integer]:1\"}",
    ];
    let pretty: Vec<String> = values
        .iter()
        .map(|value| {
            let value: serde_json::Value = serde_json::from_str(value).expect("JSON");
            serde_json::to_string_pretty(&value).expect("JSON")
        })
        .collect();
    let lines = ["\"table a.b: INSERT: id[integer]:1\"", "\"table a.b: DELETE:\"", "\"table a.b: UPDATE:\""];
    for text in [
        format!("[{}]", values.join(",")),
        format!("[\n  {}\n]\n", values.join(",\n  ")),
        format!("[\n{}\n]\n", pretty.join(",\n")),
        format!("{}\n", pretty.join("\n")),
        pretty.join("\n"),
        format!("\u{feff}[{}]\n", lines.join(", ")),
    ] {
        for world in books_of(text.as_bytes()) {
            assert_eq!((world.total(), world.rejects()), (3, vec![]), "{text}");
            assert_eq!(world.position().0, text.len() as i64, "{text}");
        }
        // Grown behind any of its values.
        let cut = text.rfind("UPDATE").expect("the last value");
        let world = World::new(&text[..cut]);
        world.run(&[]).expect(0, &[]);
        assert_eq!(world.total(), 2, "{text}");
        world.append(&text[cut..]);
        world.run(&[]).expect(0, &[]);
        assert_eq!((world.total(), world.rejects()), (3, vec![]), "{text}");
        world.verify();
    }
}

#[test]
fn a_byte_order_mark_is_no_record() {
    for text in [DATA, CSV, "{\"data\":\"BEGIN 5\"}\n"] {
        for world in books_of(format!("\u{feff}{text}").as_bytes()) {
            assert_eq!(world.rejects(), [], "{text}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_named_before_a_book_is_made() {
    let utf16: Vec<u8> = DATA.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin1 = DATA
        .replace("l1", "café")
        .replace("'z'", "'père'")
        .chars()
        .map(|character| character as u8)
        .collect::<Vec<_>>()
        .repeat(3);
    for (bytes, words) in [
        (ALIGNED.as_bytes().to_vec(), ["aligned", "psql --csv"]),
        (ALIGNED.lines().skip(2).collect::<Vec<_>>().join("\n").into_bytes(), ["aligned", "psql --csv"]),
        (b"BZh91AY&SY\0".to_vec(), ["bzip2", "bzcat"]),
        (b"\xFD7zXZ\0\0\x04".to_vec(), ["xz", "xzcat"]),
        (b"\x04\x22\x4D\x18\x64\x40".to_vec(), ["lz4", "lz4cat"]),
        (b"PK\x03\x04\x14\0".to_vec(), ["zip archive", "unzip -p"]),
        ([b"\xFF\xFE", &utf16[..]].concat(), ["UTF-16", "iconv"]),
        (utf16, ["UTF-16", "iconv"]),
        (latin1, ["UTF-8", "iconv"]),
        (b"PGDMP\x01\x0E\0".to_vec(), ["pg_dump", "pg_recvlogical"]),
    ] {
        let world = World::new("");
        fs::write(world.input(), &bytes).expect("a file can be written");
        world.run(&[]).expect(2, &words);
        assert!(!world.book().exists(), "{words:?}");
        world.pipe(&bytes).expect(2, &words);
        assert!(!world.book().exists(), "{words:?}");
        // The book is still free for the right file.
        world.pipe(DATA.as_bytes()).expect(0, &[]);
        assert_eq!(world.counts(), truth());
    }
}

#[test]
fn small_transactions_with_a_message_each_are_read_by_one_run() {
    for head in ["", "0/5|7|"] {
        let transaction: String = [
            "BEGIN 7",
            "message: transactional: 0 prefix: p, sz: 3 content:abc",
            "table a.b: INSERT: id[integer]:1",
            "COMMIT 7",
        ]
        .map(|line| format!("{head}{line}\n"))
        .concat();
        // Two messages at the end are followed by too little to be sure.
        let message = format!("{head}message: transactional: 0 prefix: p, sz: 1 content:x\n");
        let text = transaction.repeat(4) + &message.repeat(3);
        for world in books_of(text.as_bytes()) {
            assert_eq!((world.total(), world.rejects()), (4, vec![]), "{text}");
            assert_eq!(world.position().0, text.len() as i64, "{text}");
        }
    }
}

#[test]
fn what_stands_in_values_is_no_form_of_the_file() {
    for value in ["Title\n-----\ntext", "x\n| a | data |", "x | 0/16B3748 | data "] {
        let change = format!("table public.posts: INSERT: id[integer]:1 body[text]:'{value}'\n");
        let rows = format!("0/1|5|BEGIN 5\n0/2|5|{change}0/3|5|COMMIT 5\n");
        for text in [format!("BEGIN 5\n{change}COMMIT 5\n"), rows.clone(), format!("lsn|xid|data\n{rows}")] {
            for world in books_of(text.as_bytes()) {
                assert_eq!((world.total(), world.rejects()), (1, vec![]), "{text}");
            }
        }
    }
}

#[test]
fn a_followed_file_is_looked_at_when_something_is_there() {
    let pause = || std::thread::sleep(std::time::Duration::from_millis(350));
    // Empty at first, then a fragment of what it is.
    for (pieces, count) in [
        (["{\n  \"da", "ta\": \"table a.b: DELETE:\"\n}\n", "{\n\"data\": \"table a.b: INSERT:\"\n}\n"], 2),
        (["[", "{\"data\":\n\"table a.b: DELETE:\"},\n", "{\"data\":\"table a.b: INSERT:\"}]\n"], 2),
        (["\u{feff}", "table a.b: DELETE:\n", "table a.b: INSERT:\n"], 2),
        (["da", "ta\n\"table a.b: INSERT: v[text]:'C:\\new, x'\"\n", "table a.b: DELETE:\n"], 2),
    ] {
        let world = World::new("");
        let run = world.start(&["--commit-interval", "100ms"]);
        pause();
        for piece in pieces {
            world.append(piece);
            pause();
        }
        until("all is read", || world.total() == count);
        terminate(&run);
        wait(run).expect(0, &[]);
        assert_eq!(world.rejects(), vec![], "{pieces:?}");
        world.verify();
    }
    for (text, words) in [(ALIGNED, ["aligned", "psql --csv"]), ("BZh91AY&SY", ["bzip2", "bzcat"])] {
        let world = World::new("");
        let run = world.start(&["--commit-interval", "100ms"]);
        pause();
        world.append(text);
        wait(run).expect(2, &words);
    }
}

#[test]
fn a_json_value_that_is_cut_is_named_and_never_split_into_lines() {
    let whole = "{\n  \"data\": \"table a.b: DELETE:\"\n}\n";
    let text = format!("{whole}{{\n  \"data\": \"table a.b: INSERT:\",\n  \"xid\":");
    let world = World::new(&text);
    let words = format!("the JSON value that begins at byte {} is not closed", whole.len());
    for _ in 0..2 {
        world.run(&[]).expect(0, &[&words]);
        assert_eq!((world.total(), world.rejects()), (1, vec![]));
    }
    world.append(" 7\n}\n");
    world.run(&[]).expect(0, &[]);
    assert_eq!((world.total(), world.rejects()), (2, vec![]));
    // A stream does not grow: what is left is one record.
    let piped = World::new("");
    piped.pipe(text.as_bytes()).expect(0, &["1 of 2 records could not be read"]);
    assert_eq!((piped.total(), piped.rejects().len()), (1, 1));
}

#[test]
fn a_file_that_is_followed_is_read_in_its_form() {
    let world = World::new("lsn,xid,data\n");
    let run = world.start(&["--commit-interval", "100ms"]);
    for line in CSV.split_inclusive('\n').skip(1) {
        world.append(line);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    until("all is read", || world.total() == 6);
    terminate(&run);
    wait(run).expect(0, &[]);
    assert_eq!((world.counts(), world.rejects()), (truth(), vec![]));
    world.verify();
}
