//! Readers of a PostgreSQL slot: `walbook capture` into a topic, `walbook run` into a book, and `pg_recvlogical` into a file; Debezium
//! has a file of its own.
//!
//! Each reads the same WAL from a slot of its own, a copy of one that was made before the changes: so the server has two slots at a
//! time, however many rounds there are.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::{TIMEOUT, product};
use crate::Outcome;
use crate::environment::Environment;
use crate::load::{Counts, Topic};
use crate::measure::measure;
use crate::report::Run;

/// The publication of all tables, for readers that need one.
pub(super) const PUBLICATION: &str = "compared";
/// How long a slot may stay active whose reader has ended, and the time between two looks at it.
const SLOT_TIMEOUT: Duration = Duration::from_secs(20);
const SLOT_PAUSE: Duration = Duration::from_millis(50);
/// Slots at a time: the origin and the reader's.
const SLOTS: i64 = 2;
/// More than the bytes that a transaction of pgbench leaves in the WAL, and that one reader makes of it.
const WAL_OF_TRANSACTION: u64 = 4_096;
const OUTPUT_OF_TRANSACTION: u64 = 8_192;
/// The slot that has all changes and is never read.
const ORIGIN: &str = "origin";

/// How the server decodes the WAL for a reader.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plugin {
    TestDecoding,
    PgOutput,
}

/// A database with pgbench's tables; dropped, its slots are gone.
pub(crate) struct Database<'e> {
    pub(super) environment: &'e Environment,
    name: String,
    /// The right counts of all changes since the slots, without days.
    pub(crate) truth: Counts,
    /// The end of the WAL that is read.
    end: String,
}

impl<'e> Database<'e> {
    /// Makes it with a slot, and then that many transactions of pgbench with four changes each.
    ///
    /// # Errors
    /// Before anything is made, when the server's limits or the disk do not allow for them.
    pub(crate) fn with_backlog(environment: &'e Environment, transactions: u64) -> Outcome<Database<'e>> {
        const CLIENTS: u64 = 2;
        check_limits(environment, transactions)?;
        let name = format!("compare_{}", std::process::id());
        let server = format!("{}/postgres", environment.postgres);
        sql(environment, &server, &format!("create database {name}"))?;
        sql(environment, &server, &format!("alter database {name} set synchronous_commit = off"))?;
        let mut database = Database { environment, name, truth: Counts::default(), end: String::new() };
        let mut tables = environment.postgres_program("pgbench");
        succeed(tables.args(["-q", "-i", "-s", "5"]).arg(database.url()))?;
        // Decoding sees the publications that there were at the time of a change.
        database.sql(&format!("create publication {PUBLICATION} for all tables"))?;
        database
            .sql(&format!("select pg_create_logical_replication_slot('{}', 'test_decoding')", database.slot(ORIGIN)))?;
        let each = transactions / CLIENTS;
        let mut pgbench = environment.postgres_program("pgbench");
        succeed(
            pgbench
                .args(["-n", "-M", "prepared", "-c", &CLIENTS.to_string(), "-j", "1", "-t", &each.to_string()])
                .arg(database.url()),
        )?;
        database.end = database.sql("select pg_current_wal_insert_lsn()")?;
        for (table, op) in
            [("accounts", "UPDATE"), ("tellers", "UPDATE"), ("branches", "UPDATE"), ("history", "INSERT")]
        {
            let key = (String::new(), "public".to_owned(), format!("pgbench_{table}"), op.to_owned());
            database.truth.add(key, each * CLIENTS);
        }
        Ok(database)
    }

    /// Lets a reader read all changes from a slot of its own, which is dropped afterwards.
    pub(crate) fn with_slot(&self, reader: &str, plugin: Plugin, read: impl Fn(&str) -> Outcome<Run>) -> Outcome<Run> {
        let (origin, slot) = (self.slot(ORIGIN), self.slot(reader));
        let plugin = match plugin {
            Plugin::TestDecoding => "test_decoding",
            Plugin::PgOutput => "pgoutput",
        };
        self.sql(&format!("select pg_copy_logical_replication_slot('{origin}', '{slot}', false, '{plugin}')"))?;
        let run = read(&slot);
        let dropped = self.drop_slot(&slot);
        run.and_then(|run| dropped.map(|()| run))
    }

    /// Drops a slot as soon as the server has seen that its reader is gone.
    fn drop_slot(&self, slot: &str) -> Outcome<()> {
        let began = Instant::now();
        let active = format!("select active from pg_replication_slots where slot_name = '{slot}'");
        while self.sql(&active)? == "t" && began.elapsed() < SLOT_TIMEOUT {
            thread::sleep(SLOT_PAUSE);
        }
        self.sql(&format!("select pg_drop_replication_slot('{slot}')")).map(drop)
    }

    /// The name of a slot: slots are the server's, not the database's.
    fn slot(&self, reader: &str) -> String {
        format!("{}_{reader}", self.name)
    }

    pub(super) fn url(&self) -> String {
        format!("{}/{}", self.environment.postgres, self.name)
    }

    /// Runs SQL and returns what it prints.
    fn sql(&self, sql: &str) -> Outcome<String> {
        self::sql(self.environment, &self.url(), sql)
    }

    /// PostgreSQL's own client writes the lines of a slot to a file.
    pub(crate) fn receive(&self, slot: &str) -> Outcome<Run> {
        let folder = self.environment.folder("received")?;
        let file = folder.path().join("lines");
        let mut client = self.environment.postgres_program("pg_recvlogical");
        client.args(["-d", &self.url(), "--slot", slot, "--start", "--no-loop", "--endpos", &self.end]);
        client.args(["-o", "include-xids=1", "-o", "include-timestamp=1", "-f"]).arg(&file);
        let measured = measure(vec![client], folder.path(), TIMEOUT)?;
        measured.check()?;
        let lines = BufReader::new(File::open(&file)?).lines();
        let mut counts = Counts::default();
        for line in lines {
            counts.add_line(&line?)?;
        }
        Ok(Run::of(self.truth.total(), &measured, counts.difference(&self.truth)))
    }

    /// `walbook capture` writes them to a topic; a run on that topic counts what is there.
    pub(crate) fn capture(&self, slot: &str) -> Outcome<Run> {
        let topic = Topic::create(&self.environment.brokers, "captured", 4)?;
        let folder = self.environment.folder("capture")?;
        let mut capture = self.environment.walbook();
        capture.args(["capture", "--postgres", &self.url(), "--slot", slot]);
        capture.args(["--brokers", &topic.brokers, "--topic", &topic.name, "--once"]);
        let measured = measure(vec![capture], folder.path(), TIMEOUT)?;
        measured.check()?;
        product::Walbook::workers(2).run_into(self.environment, &topic, folder.path())?;
        let wrong = self.wrong(&folder)?;
        Ok(Run::of(self.truth.total(), &measured, wrong))
    }

    /// `walbook run` reads them into a book.
    pub(crate) fn run_direct(&self, slot: &str) -> Outcome<Run> {
        let folder = self.environment.folder("direct")?;
        let mut run = self.environment.walbook();
        run.args(["--log-format", "json", "run"]).arg(folder.path().join("book"));
        run.args(["--postgres", &self.url(), "--slot", slot, "--until-end", "-w", "2"]);
        let measured = measure(vec![run], folder.path(), TIMEOUT)?;
        measured.check()?;
        let stream_seconds = Some(product::stream_seconds(&measured.stderr)?);
        let wrong = self.wrong(&folder)?;
        Ok(Run { stream_seconds, ..Run::of(self.truth.total(), &measured, wrong) })
    }

    /// What is wrong with the book in a folder.
    fn wrong(&self, folder: &tempfile::TempDir) -> Outcome<Option<String>> {
        let book = folder.path().join("book");
        let counts = product::counts(self.environment, &book, folder.path())?.without_days();
        match counts.difference(&self.truth) {
            Some(difference) => Ok(Some(difference)),
            None => product::verified(self.environment, &book, folder.path()),
        }
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // Slots keep the WAL; the server is stopped soon in any case.
        let _ = self.sql(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database() and not active",
        );
    }
}

/// Refuses a backlog that the server would not keep, or for which it has no slots.
fn check_limits(environment: &Environment, transactions: u64) -> Outcome<()> {
    let server = format!("{}/postgres", environment.postgres);
    let number = |query: &str| -> Outcome<i64> { Ok(sql(environment, &server, query)?.parse()?) };
    let slots = number("select current_setting('max_replication_slots')::int - count(*) from pg_replication_slots")?;
    if slots < SLOTS {
        return Err(format!(
            "needs {SLOTS} replication slots, and the server has {slots} left (max_replication_slots)"
        )
        .into());
    }
    let wal = transactions * WAL_OF_TRANSACTION;
    // In MB; -1 is no limit.
    let kept = number("select setting from pg_settings where name = 'max_slot_wal_keep_size'")?;
    if u64::try_from(kept).is_ok_and(|kept| kept * 1_048_576 < wal) {
        return Err(format!(
            "needs {} MB of WAL to be kept, and the server keeps {kept} MB for a slot (max_slot_wal_keep_size)",
            wal / 1_048_576
        )
        .into());
    }
    environment.require_disk(wal + transactions * OUTPUT_OF_TRANSACTION)
}

fn sql(environment: &Environment, url: &str, sql: &str) -> Outcome<String> {
    let mut psql = environment.postgres_program("psql");
    succeed(psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url, "-c", sql]))
}

/// Runs a program that must succeed; returns what it prints.
fn succeed(program: &mut Command) -> Outcome<String> {
    let output = program.output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {}", program.get_program().to_string_lossy(), said.trim_end()).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}
