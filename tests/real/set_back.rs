//! PostgreSQL is set back to a snapshot of its disk: what was captured after the snapshot never happened any more, and the
//! server uses the same LSNs and transaction numbers again, on the same timeline.

use std::time::Duration;

use tempfile::TempDir;

use crate::book::{Book, Ended, Running};
use crate::capture::{Capture, expect_range};
use crate::captured::Captured;
use crate::database::Database;
use crate::environment;
use crate::server::Server;
use crate::topic::Topic;

/// How long a run to the end may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What reads the slot.
enum Reader {
    Capture(Capture),
    Run(Book, String, String),
}

impl Reader {
    fn start(&self, arguments: &[&str]) -> Running {
        match self {
            Reader::Capture(capture) => capture.start(arguments),
            Reader::Run(book, url, slot) => {
                book.start("run", &[&["--postgres", url, "--slot", slot], arguments].concat())
            }
        }
    }

    /// Reads what the server has now.
    #[track_caller]
    fn read(&self, code: i32) -> Ended {
        let to_end = match self {
            Reader::Capture(_) => "--once",
            Reader::Run(..) => "--until-end",
        };
        let ended = self.start(&[to_end]).wait(TIMEOUT);
        ended.expect_code(code);
        ended
    }

    fn slot(&self) -> &str {
        match self {
            Reader::Capture(capture) => &capture.slot,
            Reader::Run(_, _, slot) => slot,
        }
    }

    /// How many changes were written.
    fn written(&self) -> usize {
        match self {
            Reader::Capture(capture) => Captured::read(&capture.topic).len(),
            Reader::Run(book, _, _) => usize::try_from(book.counts().total()).expect("a count"),
        }
    }
}

/// A server whose table has had 100 rows read, was copied then, and has had another 50 read.
struct World {
    server: Server,
    database: Database,
    reader: Reader,
    snapshot: TempDir,
    /// The end of the WAL at the snapshot, and what was read up to.
    at_snapshot: u64,
    read_to: u64,
}

impl World {
    fn start(name: &str, is_capture: bool) -> World {
        let mut server = Server::start(name, &[]);
        let database = Database::bare(&server.url(), name);
        database.script("create table public.t (id int)");
        let reader = if is_capture {
            Reader::Capture(Capture::new(&database, &Topic::nowhere(environment::brokers(), name, 1)))
        } else {
            Reader::Run(Book::new(name), database.url(), format!("{}_read", database.name))
        };
        let created = match &reader {
            Reader::Capture(capture) => capture.start(&["--create-slot", "--create-topic", "--once"]),
            Reader::Run(..) => reader.start(&["--create-slot", "--until-end"]),
        };
        created.wait(TIMEOUT).expect_code(0);
        insert(&database, 1, 100);
        reader.read(0);
        let at_snapshot = database.end();
        server.stop("fast");
        let snapshot = server.snapshot();
        server.launch();
        insert(&database, 101, 150);
        reader.read(0);
        assert_eq!(reader.written(), 150);
        let read_to = database.confirmed(reader.slot());
        World { server, database, reader, snapshot, at_snapshot, read_to }
    }

    fn set_back(&mut self) {
        self.server.stop("fast");
        self.server.restore(&self.snapshot);
        self.server.launch();
    }

    /// Fails unless the reader ends with the range that was undone and writes nothing, however often it is started.
    #[track_caller]
    fn expect_refused(&self, words: &[&str]) {
        for _ in 0..2 {
            let ended = self.reader.read(3);
            ended.expect_said(words);
            expect_range(&ended, self.at_snapshot - 1000, self.read_to);
            assert_eq!(self.reader.written(), 150, "something was written beside what was undone");
            assert!(self.database.confirmed(self.reader.slot()) <= self.at_snapshot, "the slot was confirmed");
        }
    }
}

/// Each row in a transaction of its own.
fn insert(database: &Database, from: u32, to: u32) {
    let rows: Vec<String> = (from..=to).map(|row| format!("insert into public.t values ({row});")).collect();
    database.script(&rows.join("\n"));
}

fn a_server_that_was_set_back_is_refused(name: &str, is_capture: bool) {
    let mut world = World::start(name, is_capture);
    world.set_back();
    // Not past what was read.
    world.expect_refused(&["older"]);

    // Past it, with other transactions; the same statements may give the same LSNs and numbers, but not the same times.
    for (from, to) in [(101, 150), (1001, 3000)] {
        insert(&world.database, from, to);
    }
    assert!(world.database.end() > world.read_to);
    world.expect_refused(&["set back", "older"]);
}

#[test]
fn a_capture_of_a_server_that_was_set_back_is_refused() {
    a_server_that_was_set_back_is_refused("set_back_capture", true);
}

#[test]
fn a_run_from_a_server_that_was_set_back_is_refused() {
    a_server_that_was_set_back_is_refused("set_back_run", false);
}

/// The server is set back while the reader runs and only loses its connection.
fn a_server_that_is_set_back_under_a_reader_ends_it(name: &str, is_capture: bool) {
    let mut world = World::start(name, is_capture);
    let mut running = world.reader.start(&[]);
    running.await_said(if is_capture { "capturing" } else { "reading the slot" });
    world.server.stop("immediate");
    world.server.restore(&world.snapshot);
    // Without the reader in between: it must see the server only when it has grown past what was read.
    running.signal("STOP");
    world.server.launch();
    insert(&world.database, 1001, 4000);
    running.signal("CONT");
    let ended = running.wait(TIMEOUT);
    ended.expect_code(3);
    ended.expect_said(&["set back"]);
    assert_eq!(world.reader.written(), 150);
}

#[test]
fn a_server_that_is_set_back_under_a_capture_ends_it() {
    a_server_that_is_set_back_under_a_reader_ends_it("set_back_live", true);
}

#[test]
fn a_server_that_is_set_back_under_a_run_ends_it() {
    a_server_that_is_set_back_under_a_reader_ends_it("set_back_live_run", false);
}

/// The server crashes before it has written down what was confirmed: the same transactions come again.
fn a_server_that_repeats_after_a_crash_is_continued(name: &str, is_capture: bool) {
    let mut world = World::start(name, is_capture);
    // A checkpoint would write the slot down.
    insert(&world.database, 151, 200);
    world.reader.read(0);
    let confirmed = world.database.confirmed(world.reader.slot());
    world.server.restart_immediate();
    let after = world.database.confirmed(world.reader.slot());
    assert!(after < confirmed, "the slot repeats nothing: {after:X}");
    insert(&world.database, 201, 210);
    world.reader.read(0);
    assert_eq!(world.reader.written(), 210);
    assert!(world.database.confirmed(world.reader.slot()) > confirmed);
    world.reader.read(0);
    assert_eq!(world.reader.written(), 210);
}

#[test]
fn a_capture_of_a_server_that_repeats_after_a_crash_continues() {
    a_server_that_repeats_after_a_crash_is_continued("repeats_capture", true);
}

#[test]
fn a_run_from_a_server_that_repeats_after_a_crash_continues() {
    a_server_that_repeats_after_a_crash_is_continued("repeats_run", false);
}
