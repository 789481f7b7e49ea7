//! Who may call whom: the table is the architecture.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each room, in the order data passes them, with the rooms that it may name.
const ROOMS: [(&str, &[&str]); 25] = [
    // The vocabulary; how work is stopped, paced and observed; files.
    ("change", &[]),
    ("control", &["change"]),
    ("store", &["change"]),
    ("sql", &["change"]),
    // From PostgreSQL.
    ("postgres", &["change"]),
    ("replication", &["change", "control", "parse", "postgres", "store"]),
    ("capture", &["change", "control", "replication", "source", "store"]),
    // The rooms that data passes. They meet in a dataflow, through the types of `change`; a room names another only for
    // the type that comes out of it.
    ("source", &["change", "control", "replication", "store"]),
    ("table", &["change", "control", "store"]),
    ("parse", &["change", "sql", "table"]),
    ("views", &["change", "control", "parse", "sql", "store"]),
    ("book", &["change", "control", "sql", "store", "table", "views"]),
    ("delta", &["book", "change", "control", "store"]),
    ("leader", &["change", "control"]),
    ("cluster", &["change", "control"]),
    ("dataflows", &["book", "change", "control", "leader", "parse", "source", "table", "views"]),
    // Readers.
    ("query", &["book", "change", "parse", "sql", "store", "views"]),
    ("server", &["book", "change", "cluster", "control", "parse", "query", "sql", "store"]),
    // How a run is put together, with the server beside it.
    (
        "run",
        &[
            "book",
            "change",
            "cluster",
            "control",
            "dataflows",
            "delta",
            "leader",
            "parse",
            "postgres",
            "query",
            "replication",
            "server",
            "source",
            "store",
            "table",
        ],
    ),
    ("supervise", &["change", "control"]),
    // Looking at all of it.
    ("doctor", &["book", "capture", "change", "delta", "postgres", "query", "replication", "source", "store"]),
    // The edge.
    (
        "settings",
        &[
            "capture",
            "change",
            "cluster",
            "doctor",
            "parse",
            "postgres",
            "query",
            "replication",
            "run",
            "source",
            "store",
        ],
    ),
    (
        "commands",
        &[
            "book",
            "capture",
            "change",
            "cluster",
            "control",
            "delta",
            "demo",
            "doctor",
            "postgres",
            "query",
            "replication",
            "run",
            "server",
            "settings",
            "source",
            "sql",
            "store",
            "supervise",
        ],
    ),
    // What is not part of a run.
    ("demo", &["change"]),
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

/// Processes send each other these types in a form without names: a field that is left out would shift all that follow.
#[test]
fn no_type_that_travels_between_processes_leaves_a_field_out() {
    for path in files("change") {
        let text = fs::read_to_string(&path).expect("a file of the repository");
        assert!(!text.contains("skip_serializing"), "{} leaves a field out", path.display());
    }
}

#[test]
fn unsafe_stands_only_where_c_is_called() {
    let allowed = ["batch.rs", "logger.rs", "partition_list.rs", "uuid.rs", "mod.rs"];
    let allowed = allowed.map(|file| format!("src/source/kafka/{file}"));
    // Two calls of the system's allocator.
    let allocator = "src/control/allocator.rs";
    for (room, _) in ROOMS {
        for path in files(room) {
            let inside = path.strip_prefix(root()).expect("a file of the repository").to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("a file of the repository");
            let blocks = text.matches("unsafe {").count();
            let reasons = text.matches("// SAFETY:").count();
            assert!(blocks == 0 || inside == allocator || allowed.contains(&inside), "{inside} has unsafe code");
            assert!(reasons >= blocks, "{inside}: {blocks} unsafe blocks, {reasons} reasons");
        }
    }
}

/// How many entries (files and folders) one folder of the sources may list.
const MOST_ENTRIES: usize = 14;

#[test]
fn no_folder_lists_more_than_a_reader_can_hold() {
    let mut open = vec![root().join("src"), root().join("dataflows")];
    let mut wrong = Vec::new();
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(&folder).expect("a folder of the repository");
        let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry of the repository").path()).collect();
        // The page's own files are no Rust, and `src` lists the rooms.
        let is_exempt = folder == root().join("src") || folder.ends_with("assets");
        let listed = paths.iter().filter(|path| !path.ends_with("mod.rs")).count();
        if listed > MOST_ENTRIES && !is_exempt {
            wrong.push(format!("{} lists {listed}", folder.display()));
        }
        open.extend(paths.into_iter().filter(|path| path.is_dir()));
    }
    assert!(wrong.is_empty(), "more than {MOST_ENTRIES} at one level:\n{}", wrong.join("\n"));
}

/// The files of the crate by module path, without `crate`: `["book", "error"]`.
struct Modules(BTreeMap<Vec<String>, PathBuf>);

impl Modules {
    fn of_crate() -> Modules {
        let mut modules = BTreeMap::new();
        for (room, _) in ROOMS.iter().filter(|(room, _)| !room.ends_with(".rs")) {
            for path in files(room) {
                let base = if *room == "dataflows" { root().to_owned() } else { root().join("src") };
                let inside = path.strip_prefix(base).expect("a file of the room").with_extension("");
                let mut parts: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
                if parts.last().is_some_and(|last| last == "mod") {
                    parts.pop();
                }
                modules.insert(parts, path);
            }
        }
        Modules(modules)
    }

    /// The module that defines what a path names: re-exports are followed. `None` for what is not of this crate.
    fn defining(&self, path: &[String]) -> Option<Vec<String>> {
        let length = (1..=path.len()).rev().find(|length| self.0.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        let name = rest.first();
        let text = fs::read_to_string(&self.0[module]).expect("a file of the repository");
        let exported = paths_used(&text, module, true).into_iter().find(|used| used.last() == name && name.is_some());
        match exported {
            Some(used) if used != path => self.defining(&used),
            _ => Some(module.to_vec()),
        }
    }
}

/// The paths that a file's `use` items name, without `crate`; of re-exports (`pub use`) only, or of all others.
fn paths_used(text: &str, module: &[String], reexports: bool) -> Vec<Vec<String>> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut paths = Vec::new();
    for item in code.split_inclusive(';') {
        let Some(start) = item.match_indices("use ").map(|(at, _)| at).find(|at| starts_line(item, *at)) else {
            continue;
        };
        let line = item[..start].rsplit('\n').next().unwrap_or_default();
        if line.trim_start().starts_with("pub") == reexports {
            let tree = item[start + "use ".len()..].trim_end_matches(';');
            expand(tree, &mut Vec::new(), &mut |path| paths.extend(absolute(path, module)));
        }
    }
    paths
}

/// Whether nothing but a visibility stands before this place in its line.
fn starts_line(item: &str, at: usize) -> bool {
    let before = item[..at].rsplit('\n').next().unwrap_or_default();
    before.is_empty() || (before.starts_with("pub") && !before.contains("//"))
}

/// Calls `found` with each path of a `use` tree.
fn expand(tree: &str, prefix: &mut Vec<String>, found: &mut dyn FnMut(&[String])) {
    let (head, group) = tree.split_once('{').map_or((tree, None), |(head, rest)| (head, rest.rsplit_once('}')));
    let length = prefix.len();
    let name = |part: &str| part.split(" as ").next().unwrap_or_default().trim().to_owned();
    prefix.extend(head.split("::").map(name).filter(|part| !part.is_empty() && part != "self"));
    match group {
        Some((inner, _)) => {
            let (mut depth, mut begin) = (0, 0);
            for (at, letter) in inner.char_indices().chain([(inner.len(), ',')]) {
                match letter {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        if !inner[begin..at].trim().is_empty() {
                            expand(inner[begin..at].trim(), prefix, found);
                        }
                        begin = at + 1;
                    }
                    _ => {}
                }
            }
        }
        None => found(prefix),
    }
    prefix.truncate(length);
}

/// A path from the crate's root; `None` for one of another crate.
fn absolute(path: &[String], module: &[String]) -> Option<Vec<String>> {
    let is_file = !module.is_empty();
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let base = module.get(..module.len().checked_sub(ups)?)?;
            Some([base, &path[ups..]].concat())
        }
        // In a `mod.rs`: a path of one of its own modules.
        _ if is_file => Some([module, path].concat()),
        _ => None,
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let modules = Modules::of_crate();
    let mut graph: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (module, path) in modules.0.iter().filter(|(_, path)| !path.ends_with("mod.rs")) {
        let text = fs::read_to_string(path).expect("a file of the repository");
        let used = paths_used(&text, module, false);
        let used = used.iter().filter_map(|used| modules.defining(used)).filter(|used| used != module);
        graph.insert(module.clone(), used.collect());
    }
    // Files that import nothing that is left, or that nothing left imports, are in no circle.
    loop {
        let before = graph.len();
        let left: BTreeSet<Vec<String>> = graph.keys().cloned().collect();
        graph.retain(|_, used| used.iter().any(|used| left.contains(used)));
        let imported: BTreeSet<Vec<String>> = graph.values().flatten().cloned().collect();
        graph.retain(|module, _| imported.contains(module));
        if graph.len() == before {
            break;
        }
    }
    let left: Vec<String> = graph
        .iter()
        .map(|(module, used)| {
            let used = used.iter().filter(|used| graph.contains_key(*used)).map(|used| used.join("::"));
            format!("{} imports {}", module.join("::"), used.collect::<Vec<_>>().join(", "))
        })
        .collect();
    assert!(left.is_empty(), "files in circles:\n{}", left.join("\n"));
}

#[test]
fn the_documents_name_files_that_exist() {
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "README.md"] {
        let text = fs::read_to_string(root().join(document)).expect("a document of the repository");
        let places = ["src/", "dataflows/", "tests/", "benches/", "fuzz/", "docs/"];
        let named = text.split(['`', '(', ')']).filter(|word| places.iter().any(|place| word.starts_with(place)));
        let named: Vec<&str> = named.filter(|word| !word.contains([' ', '*', '…', '\n'])).collect();
        assert!(!named.is_empty(), "{document} names no file");
        let missing: Vec<&&str> = named.iter().filter(|path| !root().join(path).exists()).collect();
        assert!(missing.is_empty(), "{document} names what is not there: {missing:?}");
    }
}
