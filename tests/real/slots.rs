//! `walbook slot`: what it creates, prints and refuses.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::book::{Ended, Running};
use crate::database::Database;
use crate::environment;
use crate::server::Server;

const TIMEOUT: Duration = Duration::from_secs(60);

fn slot(action: &str, url: &str, arguments: &[&str]) -> Ended {
    let folder = environment::folder("slot");
    let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
    walbook.args(["slot", action, "--postgres", url]).args(arguments);
    Running::start(walbook, folder.path()).wait(TIMEOUT)
}

/// What `status --format json` prints about one slot.
#[track_caller]
fn status(url: &str, name: &str) -> Value {
    let ended = slot("status", url, &["--slot", name, "--format", "json"]);
    ended.expect_code(0);
    let printed: Value = serde_json::from_str(&ended.stdout).expect("status prints JSON");
    assert_eq!(printed["slots"].as_array().map(Vec::len), Some(1), "{printed}");
    printed["slots"][0].clone()
}

#[test]
fn a_slot_is_created_shown_and_dropped() {
    let database = Database::bare(&environment::postgres(), "slots");
    let (url, name) = (database.url(), database.name.clone());
    let named = ["--slot", name.as_str()];

    slot("status", &url, &named).expect_code(2);
    slot("drop", &url, &["--yes"]).expect_code(2);
    let made = slot("create", &url, &named);
    made.expect_code(0);
    assert!(made.stdout.contains("test_decoding"), "{}", made.stdout);
    let again = slot("create", &url, &named);
    again.expect_code(2);
    again.expect_said(&["already", "walbook slot status"]);

    database.script("create table t (id int primary key); insert into t select generate_series(1, 10000)");
    let seen = status(&url, &name);
    assert_eq!((&seen["plugin"], &seen["database"]), (&"test_decoding".into(), &name.as_str().into()));
    assert_eq!((&seen["active"], &seen["state"]), (&false.into(), &"ok".into()));
    assert!(seen["lag_bytes"].as_i64().is_some_and(|bytes| bytes > 500_000), "{seen}");
    assert!(seen["retained_bytes"].as_i64() >= seen["lag_bytes"].as_i64(), "{seen}");
    assert!(slot("status", &url, &[]).stdout.contains(&name), "all slots are shown");

    let reader = Reader::start(&url, &name);
    let pid = reader.pid(&url, &name);
    let refused = slot("drop", &url, &["--slot", &name, "--yes"]);
    refused.expect_code(2);
    refused.expect_said(&[&format!("pid {pid}")]);
    drop(reader);
    let began = Instant::now();
    while status(&url, &name)["active"] == true {
        assert!(began.elapsed() < TIMEOUT, "the slot stays active");
        thread::sleep(Duration::from_millis(50));
    }

    let unsure = slot("drop", &url, &named);
    unsure.expect_code(2);
    unsure.expect_said(&["--yes"]);
    slot("drop", &url, &["--slot", &name, "--yes"]).expect_code(0);
    let gone = slot("status", &url, &named);
    gone.expect_code(2);
    gone.expect_said(&["there is no slot"]);
}

#[test]
fn a_slot_is_not_created_where_it_would_not_work() {
    let server = Server::start("slots", &["wal_level=replica"]);
    let refused = slot("create", &server.maintenance(), &["--slot", "s"]);
    refused.expect_code(2);
    refused.expect_said(&["wal_level = replica", "ALTER SYSTEM SET wal_level = logical"]);

    let settings = ["max_replication_slots=1", "max_slot_wal_keep_size=1MB", "max_wal_size=32MB", "min_wal_size=32MB"];
    let server = Server::start("slots", &settings);
    let url = server.maintenance();
    server.script("create role plain login");
    let refused = slot("create", &format!("{}/postgres", server.url_as("plain")), &["--slot", "s"]);
    refused.expect_code(2);
    refused.expect_said(&["42501"]);
    slot("create", &url, &["--slot", "UPPER"]).expect_code(2);
    slot("create", &url, &["--slot", "s"]).expect_code(0);
    let refused = slot("create", &url, &["--slot", "another"]);
    refused.expect_code(2);
    refused.expect_said(&["max_replication_slots"]);

    // Two segments more than it may keep.
    server.script("create table t (id int)");
    for _ in 0..3 {
        server.script("insert into t values (1); select pg_switch_wal(); checkpoint");
    }
    let lost = status(&url, "s");
    assert_eq!((&lost["state"], &lost["wal_status"]), (&"problem".into(), &"lost".into()), "{lost}");
    assert!(lost["advice"].as_str().is_some_and(|advice| advice.contains("it is lost")), "{lost}");
    assert_eq!(lost["command"], "walbook slot drop --slot s");
}

#[test]
fn the_settings_file_and_the_environment_name_the_server_and_the_slot() {
    let database = Database::bare(&environment::postgres(), "slots");
    let folder = environment::folder("slot");
    let file = folder.path().join("walbook.toml");
    fs::write(&file, format!("postgres = \"{}\"\n[slot]\nformat = \"json\"\n", database.url()))
        .expect("it can be written");
    let status_of = |slot: &str| {
        let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
        walbook.arg("--config").arg(&file).args(["slot", "status", "--slot", slot]);
        Running::start(walbook, folder.path()).wait(TIMEOUT)
    };
    database.make_slot(&database.name, "'test_decoding'");
    let ended = status_of(&database.name);
    ended.expect_code(0);
    assert!(ended.stdout.starts_with('{'), "{}", ended.stdout);
    slot("drop", &database.url(), &["--slot", &database.name, "--yes"]).expect_code(0);
}

/// Another client that reads a slot.
struct Reader(Child);

impl Reader {
    fn start(url: &str, slot: &str) -> Reader {
        let mut program = Command::new(environment::postgres_program("pg_recvlogical"));
        program.args(["-d", url, "--slot", slot, "--start", "-f", "/dev/null"]);
        Reader(program.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("pg_recvlogical is installed"))
    }

    /// The server process that serves it.
    fn pid(&self, url: &str, slot: &str) -> i64 {
        let began = Instant::now();
        loop {
            let seen = status(url, slot);
            if let Some(pid) = seen["pid"].as_i64() {
                assert_eq!(seen["active"], true);
                return pid;
            }
            assert!(began.elapsed() < TIMEOUT, "the slot is not read");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It may have ended with the slot.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
