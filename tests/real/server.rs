//! A PostgreSQL cluster of a test's own: with its own settings, restarted in the middle of things, followed by a standby.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::{environment, psql};

const TIMEOUT: Duration = Duration::from_secs(60);

/// What every cluster here has; a test's own settings come later and win. Immediate stops lose no page that the
/// operating system holds, so nothing needs to be synced.
const SETTINGS: [&str; 9] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "wal_level=logical",
    "fsync=off",
    "full_page_writes=off",
    "autovacuum=off",
    "max_prepared_transactions=10",
    "shared_buffers=32MB",
    "log_min_messages=log",
];

/// A cluster; dropped, it is stopped and gone.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    process: Option<Child>,
}

impl Server {
    /// Makes a cluster and starts it.
    pub(crate) fn start(name: &str, settings: &[&str]) -> Server {
        let mut server = Server::nowhere(name, settings);
        let made = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        psql::run(server.program("initdb").arg("-D").arg(server.data()).args(made), "");
        server.launch();
        server
    }

    /// A copy of this cluster that follows it.
    pub(crate) fn standby(&self, name: &str, settings: &[&str]) -> Server {
        let source = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.port);
        let mut standby = Server::nowhere(name, settings);
        standby.settings.push(format!("primary_conninfo={source}"));
        let taken = ["-d", &source, "-X", "stream", "-c", "fast", "--no-sync"];
        psql::run(standby.program("pg_basebackup").arg("-D").arg(standby.data()).args(taken), "");
        File::create(standby.data().join("standby.signal")).expect("the folder can be written");
        standby.launch();
        standby
    }

    /// A place and a port for a cluster that does not exist yet.
    fn nowhere(name: &str, settings: &[&str]) -> Server {
        let folder = environment::folder(name);
        if let Some((user, group)) = environment::postgres_owner() {
            chown(folder.path(), Some(user), Some(group)).expect("root may give folders away");
        }
        let settings = SETTINGS.iter().chain(settings).map(|&setting| setting.to_owned()).collect();
        Server { folder, port: environment::free_port(), settings, process: None }
    }

    /// Its URL, without a database.
    pub(crate) fn url(&self) -> String {
        self.url_as("postgres")
    }

    /// Its URL for a user, who may bring a password: `user:password`.
    pub(crate) fn url_as(&self, user: &str) -> String {
        format!("postgresql://{user}@127.0.0.1:{}", self.port)
    }

    /// The URL of the database that every cluster has.
    pub(crate) fn maintenance(&self) -> String {
        format!("{}/postgres", self.url())
    }

    /// Runs SQL there and returns what it prints.
    #[track_caller]
    pub(crate) fn script(&self, sql: &str) -> String {
        psql::script(&self.maintenance(), sql)
    }

    /// Its version as a number, 15 for 15.4.
    pub(crate) fn version(&self) -> u32 {
        let number = self.script("show server_version_num");
        number.trim().parse::<u32>().expect("a version") / 10_000
    }

    /// Puts lines before all others that say who may connect how.
    pub(crate) fn admit(&self, lines: &str) {
        let path = self.data().join("pg_hba.conf");
        let others = fs::read_to_string(&path).expect("the file is there");
        fs::write(&path, format!("{lines}\n{others}")).expect("the file can be written");
        self.script("select pg_reload_conf()");
    }

    /// Makes it the primary of a new timeline.
    pub(crate) fn promote(&self) {
        psql::run(self.program("pg_ctl").args(["promote", "-w", "-D"]).arg(self.data()), "");
    }

    /// Stops it as a crash would and starts it again.
    pub(crate) fn restart_immediate(&mut self) {
        self.stop("immediate");
        self.launch();
    }

    /// Stops it in a mode of `pg_ctl`.
    pub(crate) fn stop(&mut self, mode: &str) {
        psql::run(self.program("pg_ctl").args(["stop", "-w", "-m", mode, "-D"]).arg(self.data()), "");
        let mut process = self.process.take().expect("it runs");
        process.wait().expect("a child can be waited for");
    }

    /// Starts it where it stands.
    pub(crate) fn launch(&mut self) {
        let log = File::options().create(true).append(true).open(self.log()).expect("the folder can be written");
        let mut postgres = self.program("postgres");
        postgres.arg("-D").arg(self.data()).args(["-c", &format!("port={}", self.port)]);
        for setting in &self.settings {
            postgres.args(["-c", setting]);
        }
        let errors = log.try_clone().expect("a file can be shared");
        let process = postgres.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().expect("PostgreSQL is there");
        self.process = Some(process);
        self.await_answer();
    }

    /// A copy of the stopped cluster, as a snapshot of its disk would be.
    pub(crate) fn snapshot(&self) -> TempDir {
        assert!(self.process.is_none(), "only a stopped cluster is copied");
        let copy = environment::folder("snapshot");
        copy_folder(&self.data(), &copy.path().join("data"));
        copy
    }

    /// Sets the stopped cluster back to a snapshot.
    pub(crate) fn restore(&self, snapshot: &TempDir) {
        assert!(self.process.is_none(), "only a stopped cluster is set back");
        fs::remove_dir_all(self.data()).expect("a stopped cluster can be removed");
        copy_folder(&snapshot.path().join("data"), &self.data());
    }

    fn await_answer(&mut self) {
        let began = Instant::now();
        let program = environment::postgres_program("pg_isready");
        let port = self.port.to_string();
        while !Command::new(&program)
            .args(["-q", "-h", "127.0.0.1", "-U", "postgres", "-p", &port])
            .status()
            .is_ok_and(|status| status.success())
        {
            let process = self.process.as_mut().expect("it was started");
            let has_ended = process.try_wait().expect("a child can be waited for").is_some();
            assert!(!has_ended && began.elapsed() < TIMEOUT, "PostgreSQL does not start:\n{}", self.said());
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn said(&self) -> String {
        fs::read(self.log()).map(|said| String::from_utf8_lossy(&said).into_owned()).unwrap_or_default()
    }

    /// A program of the server, as its owner and in its folder.
    fn program(&self, name: &str) -> Command {
        let mut program = owned(name, self.folder.path());
        program.stdin(Stdio::null());
        program
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // An immediate stop: its children end with it. A failure here would hide the test's own.
        let _ = Command::new("kill").args(["-s", "QUIT", &process.id().to_string()]).status();
        let began = Instant::now();
        while matches!(process.try_wait(), Ok(None)) {
            if began.elapsed() > Duration::from_secs(10) {
                let _ = process.kill();
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Copies a folder with its owners.
fn copy_folder(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp is there");
    assert!(copied.success(), "could not copy {}", from.display());
}

/// A program of the PostgreSQL server, run by the user that owns clusters.
fn owned(name: &str, folder: &Path) -> Command {
    let mut program = Command::new(environment::postgres_program(name));
    program.current_dir(folder);
    if let Some((user, group)) = environment::postgres_owner() {
        program.uid(user).gid(group);
    }
    program
}
