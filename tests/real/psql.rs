//! psql: whole scripts, and sessions that run statements one by one.

use std::io::{BufRead, BufReader, Seek, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::environment;

/// psql on a database, without the user's own settings; it prints bare values.
pub(crate) fn command(url: &str) -> Command {
    let mut psql = Command::new(environment::postgres_program("psql"));
    psql.args(["-X", "-q", "-A", "-t", url]).env("PGCLIENTENCODING", "UTF8");
    psql
}

/// Runs SQL that must succeed, and returns what it prints.
#[track_caller]
pub(crate) fn script(url: &str, sql: &str) -> String {
    run(command(url).args(["-v", "ON_ERROR_STOP=1", "-f", "-"]), sql)
}

/// Runs a client with `input`, and fails with its error output.
#[track_caller]
pub(crate) fn run(client: &mut Command, input: &str) -> String {
    // A file instead of a pipe: a client that writes much before it has read everything would deadlock with us.
    let mut file = tempfile::tempfile().expect("temporary files can be made");
    file.write_all(input.as_bytes()).expect("temporary files can be written");
    file.rewind().expect("a file can be rewound");
    let output = client.stdin(file).output().unwrap_or_else(|error| panic!("could not start {client:?}: {error}"));
    assert!(output.status.success(), "{client:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the server sends UTF-8")
}

/// One psql that stays connected; it ends with the server, but not with an error in a statement.
pub(crate) struct Session {
    psql: Child,
    input: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Session {
    /// Connects, with settings in the syntax of `PGOPTIONS`.
    pub(crate) fn open(url: &str, settings: &str) -> Session {
        let mut psql = command(url)
            .env("PGOPTIONS", settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("psql is installed");
        let input = psql.stdin.take().expect("it is piped");
        let answers = BufReader::new(psql.stdout.take().expect("it is piped"));
        Session { psql, input, answers }
    }

    /// Runs SQL and waits until it is done; returns whether the session is still alive.
    pub(crate) fn run(&mut self, sql: &str) -> bool {
        const DONE: &str = "this is done";
        if self.input.write_all(format!("{sql};\nselect '{DONE}';\n").as_bytes()).is_err() {
            return false;
        }
        let mut line = String::new();
        loop {
            line.clear();
            match self.answers.read_line(&mut line) {
                Ok(0) | Err(_) => return false,
                Ok(_) if line.trim_end() == DONE => return true,
                Ok(_) => {}
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended with its server.
        let _ = self.psql.kill();
        let _ = self.psql.wait();
    }
}
