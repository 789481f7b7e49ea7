//! A database of the real PostgreSQL, with a slot of test_decoding and triggers that tell the truth.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::environment;
use crate::lines::Line;
use crate::truth::Counts;

/// A database with `truth.sql` in it and a slot of its name, which has seen nothing yet.
pub(crate) struct Database {
    name: String,
}

impl Database {
    /// Makes it.
    pub(crate) fn create(name: &str) -> Database {
        let database = Database { name: environment::unique(name) };
        run(psql(&environment::postgres()).args(["-c", &format!("create database {}", database.name)]), "");
        database.script(include_str!("truth.sql"));
        database.script(&format!("select pg_create_logical_replication_slot('{}', 'test_decoding')", database.name));
        database
    }

    /// Runs SQL and returns what it prints, unaligned.
    pub(crate) fn script(&self, sql: &str) -> String {
        run(psql(&self.url()).args(["-f", "-"]), sql)
    }

    /// Fills the tables of pgbench and runs its transactions.
    pub(crate) fn pgbench(&self, scale: u32, transactions: u32) {
        let program = environment::postgres_program("pgbench");
        let scale = scale.to_string();
        run(Command::new(&program).args(["-q", "-i", "-s", &scale]).arg(self.url()), "");
        let transactions = transactions.to_string();
        run(Command::new(&program).args(["-n", "-c", "2", "-j", "1", "-t", &transactions]).arg(self.url()), "");
    }

    /// What is changed from here on is counted under another phase, numbered from 1.
    pub(crate) fn open_phase(&self, phase: usize) {
        self.script(&format!("update truth.phase set phase = {phase}"));
    }

    /// Takes everything from the slot by SQL, some thousand changes a call, as a Connect JDBC source does; `settings` are
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
        let printed = run(psql(&self.url()).env("PGOPTIONS", settings).args(["-c", &sql]), "");
        printed.lines().map(|row| Line::from_json(&parse(row))).collect()
    }

    /// What the triggers counted, with the days of the phases.
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

    /// What the server's own statistics say of the tables of a schema, where nothing was rolled back.
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

    /// Where clients find it.
    pub(crate) fn url(&self) -> String {
        format!("{}/{}", environment::postgres(), self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A slot keeps the log for all databases. A failure here would hide the test's own.
        let sql = format!("select pg_drop_replication_slot('{}')", self.name);
        let _ = psql(&self.url()).args(["-c", &sql]).stdin(Stdio::null()).output();
    }
}

fn psql(url: &str) -> Command {
    let mut psql = Command::new(environment::postgres_program("psql"));
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url]).env("PGCLIENTENCODING", "UTF8");
    psql
}

/// Runs a client with `input`, and fails with what it says.
fn run(command: &mut Command, input: &str) -> String {
    // A file instead of a pipe: a client that writes much before it has read all would otherwise wait for us, and we for it.
    let mut file = tempfile::tempfile().expect("temporary files can be made");
    std::io::Write::write_all(&mut file, input.as_bytes()).expect("temporary files can be written");
    std::io::Seek::rewind(&mut file).expect("a file can be rewound");
    let output = command.stdin(file).output().unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
    assert!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the server speaks UTF-8")
}

fn parse(row: &str) -> Value {
    serde_json::from_str(row).unwrap_or_else(|error| panic!("no JSON: {error}: {row}"))
}
