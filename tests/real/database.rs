//! A database of the real PostgreSQL, with a test_decoding slot and triggers that count each change independently.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::captured::lsn;
use crate::lines::Line;
use crate::truth::Counts;
use crate::{environment, psql};

/// A database with `truth.sql` in it and a slot of the same name, from which nothing was read yet.
pub(crate) struct Database {
    server: String,
    /// Its name, and that of its slot.
    pub(crate) name: String,
}

impl Database {
    /// Creates it on the server of `./test`.
    pub(crate) fn create(name: &str) -> Database {
        let database = Database::bare(&environment::postgres(), name);
        database.script(include_str!("truth.sql"));
        database.make_slot(&database.name, "'test_decoding'");
        database
    }

    /// Creates it on a server that will crash: the counted changes are in logged tables, so that they survive, and slots
    /// decode them too. `tables` is run before the slot is created.
    pub(crate) fn create_to_survive(server: &str, name: &str, tables: &str) -> Database {
        let database = Database::bare(server, name);
        database.script(&include_str!("truth.sql").replace("create unlogged table", "create table"));
        database.script(tables);
        database.script("truncate truth.changes");
        database.make_slot(&database.name, "'test_decoding'");
        database
    }

    /// An empty database without a slot.
    pub(crate) fn bare(server: &str, name: &str) -> Database {
        let database = Database { server: server.to_owned(), name: environment::unique(name) };
        psql::script(&format!("{server}/postgres"), &format!("create database {}", database.name));
        database
    }

    /// Creates another slot; `arguments` are those of PostgreSQL's function after the name.
    pub(crate) fn make_slot(&self, slot: &str, arguments: &str) {
        self.script(&format!("select pg_create_logical_replication_slot('{slot}', {arguments})"));
    }

    /// Runs `awkward.sql`. The ids of its prepared transactions are those of this database: databases of a server share them.
    pub(crate) fn awkward(&self) {
        let script =
            include_str!("awkward.sql").replace("'gid ''quoted'': kept'", &format!("'gid ''{}'': kept'", self.name));
        self.script(&script.replace("'undone'", &format!("'undone in {}'", self.name)));
    }

    /// Runs SQL and returns its output, unaligned.
    pub(crate) fn script(&self, sql: &str) -> String {
        psql::script(&self.url(), sql)
    }

    /// Fills the tables of pgbench and runs its transactions.
    pub(crate) fn pgbench(&self, scale: u32, transactions: u32) {
        self.pgbench_tables(scale);
        self.pgbench_transactions(transactions);
    }

    /// Fills the tables of pgbench.
    pub(crate) fn pgbench_tables(&self, scale: u32) {
        let program = environment::postgres_program("pgbench");
        let scale = scale.to_string();
        psql::run(Command::new(&program).args(["-q", "-i", "-s", &scale]).arg(self.url()), "");
    }

    /// Runs transactions of pgbench, `transactions` by each of two clients, with four changes in each.
    pub(crate) fn pgbench_transactions(&self, transactions: u32) {
        let program = environment::postgres_program("pgbench");
        let transactions = transactions.to_string();
        psql::run(Command::new(&program).args(["-n", "-c", "2", "-j", "1", "-t", &transactions]).arg(self.url()), "");
    }

    /// Counts later changes under another phase, numbered from 1.
    pub(crate) fn open_phase(&self, phase: usize) {
        self.script(&format!("update truth.phase set phase = {phase}"));
    }

    /// Consumes everything in the slot by SQL, some thousand changes per call, as a Connect JDBC source does; `settings` are
    /// those of the session, `options` those of the plugin.
    pub(crate) fn drain(&self, settings: &str, options: &str) -> Vec<Line> {
        let mut lines = Vec::new();
        loop {
            let more = self.take("3000", settings, options);
            if more.is_empty() {
                return lines;
            }
            lines.extend(more);
        }
    }

    /// One call: whole transactions until there are `limit` changes, or all for `null`.
    pub(crate) fn take(&self, limit: &str, settings: &str, options: &str) -> Vec<Line> {
        let sql = format!(
            "select json_build_object('lsn', lsn::text, 'xid', xid::text::bigint, 'data', data)
             from pg_logical_slot_get_changes('{}', null, {limit}{options})",
            self.name
        );
        let printed = psql::run(psql::command(&self.url()).env("PGOPTIONS", settings).args(["-c", &sql]), "");
        printed.lines().map(|row| Line::from_json(&parse(row))).collect()
    }

    /// The counts of the triggers, with the days of the phases.
    pub(crate) fn truth(&self, days: &[&str]) -> Counts {
        let mut counts = Counts::default();
        let printed = self.script(
            "select json_build_array(phase, schema_name, table_name, op, count(*)) from truth.changes
             group by phase, schema_name, table_name, op;",
        );
        for row in printed.lines().map(parse) {
            let phase =
                row[0].as_u64().and_then(|phase| usize::try_from(phase).ok()).expect("phases are counted from 1");
            let text = |column: usize| row[column].as_str().expect("a name");
            counts.add(days[phase - 1], text(1), text(2), text(3), row[4].as_i64().expect("a count"));
        }
        counts
    }

    /// The counts of the triggers on `day`, with their own inserts into a table that slots decode.
    pub(crate) fn surviving_truth(&self, day: &str) -> Counts {
        let mut counts = self.truth(&[day]);
        counts.add(day, "truth", "changes", "INSERT", counts.total());
        counts
    }

    /// The LSN up to which a slot is confirmed.
    pub(crate) fn confirmed(&self, slot: &str) -> u64 {
        let printed =
            self.script(&format!("select confirmed_flush_lsn from pg_replication_slots where slot_name = '{slot}'"));
        lsn(printed.trim()).unwrap_or_else(|| panic!("slot {slot} is confirmed to {printed:?}"))
    }

    /// The server process that reads a slot, if any.
    pub(crate) fn holder(&self, slot: &str) -> Option<u32> {
        let printed = self.script(&format!("select active_pid from pg_replication_slots where slot_name = '{slot}'"));
        printed.trim().parse().ok()
    }

    /// The end of the WAL.
    pub(crate) fn end(&self) -> u64 {
        lsn(self.script("select pg_current_wal_insert_lsn()").trim()).expect("the server prints LSNs")
    }

    /// The counts of the server's statistics for the tables of a schema, where nothing was rolled back.
    pub(crate) fn statistics(&self, schema: &str, day: &str) -> Counts {
        let mut counts = Counts::default();
        let printed = self.script(&format!(
            "select json_build_array(relname, n_tup_ins, n_tup_upd, n_tup_del) from pg_stat_user_tables where schemaname = '{schema}';"
        ));
        for row in printed.lines().map(parse) {
            for (column, op) in [(1, "INSERT"), (2, "UPDATE"), (3, "DELETE")] {
                let number = row[column].as_i64().expect("a count");
                counts.add(day, schema, row[0].as_str().expect("a name"), op, number);
            }
        }
        counts
    }

    /// Its connection URL.
    pub(crate) fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A slot retains the WAL of all databases. A failure here would hide the test's own.
        let sql = "select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and active;
                   select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()";
        for _ in 0..20 {
            let dropped = psql::command(&self.url())
                .args(["-v", "ON_ERROR_STOP=1", "-c", sql])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            // A walsender needs a moment to end after its client; a stopped server has no slots.
            if dropped.is_ok_and(|status| status.code() != Some(1)) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn parse(row: &str) -> Value {
    serde_json::from_str(row).unwrap_or_else(|error| panic!("not JSON: {error}: {row}"))
}
