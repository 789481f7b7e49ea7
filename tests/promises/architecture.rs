//! Who may call whom: the table is the architecture.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room, in the order data passes them, with the rooms that it may name.
const ROOMS: [(&str, &[&str]); 19] = [
    // The vocabulary, and what a process knows of itself.
    ("change", &[]),
    ("process", &[]),
    ("store", &["change"]),
    // What speaks to PostgreSQL.
    ("postgres", &["change"]),
    ("slot", &["change", "parse", "postgres", "process"]),
    ("capture", &["change", "postgres", "process", "slot", "source"]),
    // The rooms that data passes. They meet in a dataflow, through the types of `change`; a room names another only for
    // the type that comes out of it.
    ("source", &["change", "process", "slot"]),
    ("table", &["change", "process", "store"]),
    ("parse", &["change", "table"]),
    ("book", &["change", "process", "store"]),
    ("dataflows", &["book", "change", "cluster", "parse", "process", "source", "table"]),
    ("cluster", &["book", "change", "dataflows", "process", "source", "table"]),
    // Readers.
    ("query", &["book", "change", "store"]),
    // Looking at all of it.
    ("doctor", &["book", "capture", "change", "postgres", "slot", "source", "store"]),
    // The edge.
    ("settings", &["capture", "change", "cluster", "doctor", "parse", "postgres", "query", "slot", "source"]),
    (
        "commands",
        &[
            "book", "capture", "change", "cluster", "demo", "doctor", "parse", "postgres", "process", "query",
            "settings", "slot", "source", "store", "table",
        ],
    ),
    // What is not part of a run.
    ("demo", &["change"]),
    ("testing", &["book", "change", "cluster", "demo", "parse", "process", "query", "source", "store", "table"]),
    ("main.rs", &[]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files of a room.
fn files(room: &str) -> Vec<PathBuf> {
    let start = if room == "dataflows" { root().join(room) } else { root().join("src").join(room) };
    let (mut found, mut open) = (Vec::new(), vec![start]);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder of the repository");
            open.extend(entries.map(|entry| entry.expect("an entry of the repository").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The rooms that a file names, outside its unit tests and its documentation.
fn named(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).expect("a file of the repository");
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut rooms = BTreeSet::new();
    for line in lines {
        for after in line.split("crate::").skip(1) {
            rooms.insert(after.chars().take_while(|letter| letter.is_ascii_lowercase() || *letter == '_').collect());
        }
    }
    rooms
}

#[test]
fn each_room_names_only_the_rooms_it_may() {
    let mut wrong = Vec::new();
    for (room, allowed) in ROOMS {
        let files = files(room);
        assert!(!files.is_empty(), "there is no room {room}");
        for path in files {
            let foreign = named(&path);
            let foreign = foreign.iter().filter(|name| **name != room && !allowed.contains(&name.as_str()));
            wrong.extend(foreign.map(|name| format!("{} names {name}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "against the direction:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_names_every_room() {
    let entries = fs::read_dir(root().join("src")).expect("the crate's sources");
    for entry in entries {
        let name = entry.expect("an entry of the repository").file_name().into_string().expect("a plain name");
        assert!(name == "lib.rs" || ROOMS.iter().any(|(room, _)| *room == name), "{name} is not in the table");
    }
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    for (room, _) in ROOMS {
        for path in files(room) {
            let text = fs::read_to_string(&path).expect("a file of the repository");
            assert!(text.starts_with("//!"), "{} does not", path.display());
        }
    }
}

#[test]
fn unsafe_stands_only_where_librdkafka_is_called() {
    let allowed = ["src/source/kafka/batch.rs", "src/source/kafka/uuid.rs", "src/source/kafka/mod.rs"];
    for (room, _) in ROOMS {
        for path in files(room) {
            let inside = path.strip_prefix(root()).expect("a file of the repository").to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("a file of the repository");
            let blocks = text.matches("unsafe {").count();
            let reasons = text.matches("// SAFETY:").count();
            assert!(blocks == 0 || allowed.contains(&inside.as_str()), "{inside} has unsafe code");
            assert!(reasons >= blocks, "{inside}: {blocks} unsafe blocks, {reasons} reasons");
        }
    }
}
