//! Each file of a book missing in turn, for every reader: the answer is the right one, or an error that names the file. It is
//! never a shorter answer.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use walbook::server::{Access, ServerSettings, listen_on};

use crate::server::client::{Response, ask};
use crate::server::serve;

/// Log entries of the continued golden book whose absence is tried: around its checkpoint, the first, and the newest.
const ENTRIES: [u64; 7] = [0, 1, 40, 63, 64, 71, 73];

/// What is asked of a server.
const REQUESTS: [&str; 9] = [
    "/api/counts",
    "/api/counts?format=arrow",
    "/api/events?limit=1000",
    "/api/events?format=csv&limit=1000",
    "/api/events?format=parquet&limit=1000",
    "/api/rejects?limit=1000",
    "/api/tables",
    "/api/days?from=2026-11-19&to=2026-11-23",
    "/api/status",
];

/// The commands that read a book, each with what it needs besides the book.
const COMMANDS: [(&str, &[&str]); 6] = [
    ("query", &["--format", "csv"]),
    ("events", &["--format", "csv", "--limit", "1000"]),
    ("verify", &["--format", "json"]),
    ("doctor", &["--format", "json"]),
    ("run", &["--input", "changes.ndjson", "--until-end"]),
    ("run", &["--input", "changes.ndjson", "--until-end", "--serve", "127.0.0.1:0"]),
];

/// A copy of a folder with the golden book and its inputs.
fn copy(from: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(folder.path()).status();
    assert!(copied.expect("cp starts").success());
    folder
}

fn golden() -> TempDir {
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden-format-1"))
}

/// The golden book after a run of this version: all files in place, and a checkpoint that says which there are.
fn continued() -> TempDir {
    let folder = golden();
    let changes = folder.path().join("changes.ndjson");
    let more = r#"{"data":"table public.orders: INSERT: id[integer]:9","commit_time":"2026-11-22T20:00:00Z"}"#;
    let lines = format!("{}{more}\nno change\n", fs::read_to_string(&changes).expect("the input"));
    fs::write(&changes, lines).expect("a writable file");
    let ended = walbook(folder.path(), "run", &["--input", "changes.ndjson", "--until-end"]);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    folder
}

fn walbook(folder: &Path, command: &str, arguments: &[&str]) -> Output {
    let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
    walbook.current_dir(folder).args([command, "book"]).args(arguments).output().expect("the binary is built")
}

/// All files below a folder of a book, by their paths in it.
fn files(book: &Path, folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(book.join(folder)).into_iter().flatten().flatten() {
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() { found.extend(files(book, &path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Whether a text names a file, or its folder: a log whose newest entry is gone has "lost its end".
fn names(text: &str, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    // A staged file is named by its place.
    let place = name.trim_end_matches(".inprogress").rsplit('.').nth(1).map(|name| format!("{name}.parquet"));
    text.contains(path)
        || place.is_some_and(|place| name.ends_with(".inprogress") && text.contains(&place))
        || (path.starts_with("_walbook/log/") && text.contains("lost its end"))
        || (!path.contains('.') && text.contains(&format!("{path}/")))
}

/// What a run leaves behind, as its readers see it: what each prints, or its error.
fn contents(folder: &Path) -> Vec<Result<String, String>> {
    let texts = COMMANDS[..2].iter().map(|(command, arguments)| {
        let ended = walbook(folder, command, arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if ended.status.success() { Ok(text(&ended.stdout)) } else { Err(text(&ended.stderr)) }
    });
    texts.collect()
}

/// A whole book, and what commands say of it.
struct Whole {
    folder: TempDir,
    /// By command: its answer.
    answers: Vec<Vec<u8>>,
    /// What is read after a run.
    after_run: Vec<Result<String, String>>,
}

impl Whole {
    fn new(folder: TempDir) -> Whole {
        let copied = copy(folder.path());
        let answers =
            COMMANDS[..4].iter().map(|(command, arguments)| walbook(copied.path(), command, arguments).stdout);
        let answers = answers.collect();
        let (command, arguments) = COMMANDS[4];
        assert!(walbook(copied.path(), command, arguments).status.success());
        Whole { folder, answers, after_run: contents(copied.path()) }
    }

    fn files(&self, folder: &str) -> Vec<String> {
        files(&self.folder.path().join("book"), folder)
    }
}

/// Runs every command with a file missing.
#[track_caller]
fn check_commands(whole: &Whole, remove: &dyn Fn(&Path), path: &str) {
    for (number, (command, arguments)) in COMMANDS.iter().enumerate() {
        let lacking = copy(whole.folder.path());
        remove(&lacking.path().join("book"));
        let ended = walbook(lacking.path(), command, arguments);
        let text = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        let what = format!("{command} {number} without {path}: {:?}\n{text}", ended.status.code());
        match ended.status.code() {
            Some(0) if *command == "run" => {
                for (read, right) in contents(lacking.path()).iter().zip(&whole.after_run) {
                    let is_named = read.as_ref().is_err_and(|error| names(error, path));
                    assert!(read == right || is_named, "a shorter answer: {what}\n{read:?}");
                }
            }
            Some(0) if ["verify", "doctor"].contains(command) => {
                assert!(path.starts_with("_walbook/checkpoint"), "nothing is wrong? {what}");
            }
            Some(0) => assert!(ended.stdout == whole.answers[number], "a shorter answer: {what}"),
            // Rows that are gone are missing data; what can be made again, and a report on the book, are not.
            Some(code @ (1 | 3)) => {
                assert!(names(&text, path), "not named: {what}");
                let is_of_rows = ["events", "rejects"].iter().any(|table| path.contains(table));
                let is_report = ["verify", "doctor"].contains(command);
                assert_eq!(code == 3, is_of_rows && !is_report, "{what}");
                assert!(code == 1 || text.contains(" rows are lost, which are of the records of "), "no range: {what}");
            }
            _ => panic!("{what}"),
        }
    }
}

/// Whether an answer is right, or an error that names the file.
#[track_caller]
fn check_answer(request: &str, answer: &Response, expected: &Response, path: &str) {
    let what = format!("{request} without {path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    if answer.status != 200 {
        assert!(answer.status == 500 && names(answer.text(), path), "{what}");
    } else if request == "/api/status" {
        let rejects = |answer: &Response| answer.json()["rejects"].clone();
        let unread = rejects(answer)["unread"].clone();
        let is_right = Value::is_null(&unread) && rejects(answer) == rejects(expected);
        assert!(is_right || unread.as_str().is_some_and(|unread| names(unread, path)), "{what}");
    } else {
        assert!(answer.body == expected.body, "a shorter answer: {what}");
    }
}

/// Serves a book while a file goes missing, and another server that starts without it.
fn check_servers(whole: &Path, paths: &[String]) {
    let folder = copy(whole);
    let book = folder.path().join("book");
    let address = serve(&book, Access::default());
    let is_summed = || ask(address, "GET", "/api/status", &[]).json()["rejects"]["unread"].is_null();
    while !is_summed() {
        std::thread::yield_now();
    }
    let expected: Vec<Response> = REQUESTS.iter().map(|request| ask(address, "GET", request, &[])).collect();
    for path in paths {
        let place = book.join(path);
        let aside = folder.path().join("aside");
        fs::rename(&place, &aside).expect("it is there");
        for (request, expected) in REQUESTS.iter().zip(&expected) {
            check_answer(request, &ask(address, "GET", request, &[]), expected, path);
        }
        let server = listen_on("127.0.0.1:0".parse().expect("an address")).expect("a port is free");
        let restarted = server.address();
        match server.serve_book(ServerSettings { book: (&book).into(), access: Access::default() }) {
            Err(error) => assert!(names(&error.to_string(), path), "serve without {path}: {error}"),
            Ok(()) => {
                for (request, expected) in REQUESTS.iter().zip(&expected) {
                    let mut answer = ask(restarted, "GET", request, &[]);
                    while *request == "/api/status" && answer.text().contains("not all files of rejects are read yet") {
                        answer = ask(restarted, "GET", request, &[]);
                    }
                    check_answer(request, &answer, expected, path);
                }
            }
        }
        fs::rename(&aside, &place).expect("it is ours");
    }
}

fn remove_file(path: &str) -> impl Fn(&Path) {
    let path = path.to_owned();
    move |book: &Path| fs::remove_file(book.join(&path)).expect("it is there")
}

#[test]
fn no_command_passes_over_a_missing_file() {
    let whole = Whole::new(continued());
    for folder in ["events", "rejects", "counts", "_walbook/checkpoint"] {
        for path in whole.files(folder) {
            check_commands(&whole, &remove_file(&path), &path);
        }
    }
    for folder in ["events/day=2026-11-21", "rejects/day=1970-01-01", "counts/day=2026-11-20", "events", "rejects"] {
        let remove = |book: &Path| fs::remove_dir_all(book.join(folder)).expect("it is there");
        check_commands(&whole, &remove, folder);
    }
}

#[test]
fn no_command_passes_over_a_missing_log_entry() {
    let whole = Whole::new(continued());
    let log = whole.files("_walbook/log");
    assert_eq!(log.len() as u64, ENTRIES[ENTRIES.len() - 1] + 1, "the newest entry is among those that are tried");
    for number in ENTRIES {
        let path = &log[number as usize];
        check_commands(&whole, &remove_file(path), path);
    }
}

/// A book of an earlier version, whose newest file is still in staging.
#[test]
fn no_command_passes_over_what_an_earlier_version_left() {
    let whole = Whole::new(golden());
    for folder in ["events", "rejects", "counts", "_walbook/checkpoint", "_walbook/staging"] {
        for path in whole.files(folder) {
            check_commands(&whole, &remove_file(&path), &path);
        }
    }
}

#[test]
fn no_server_passes_over_a_missing_file() {
    for whole in [golden(), continued()] {
        let book = whole.path().join("book");
        let mut paths: Vec<String> = ["events", "rejects", "counts", "_walbook/checkpoint", "_walbook/staging"]
            .iter()
            .flat_map(|folder| files(&book, folder))
            .collect();
        let log = files(&book, "_walbook/log");
        paths.extend([&log[0], &log[40], &log[64]].map(String::clone));
        check_servers(whole.path(), &paths);
    }
}
