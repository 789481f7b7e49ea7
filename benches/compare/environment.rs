//! What `./test bench` passes: where the servers are, and folders that it removes in the end.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Outcome;

/// How long the broker may take to delete the topics of the row before, and the time between two looks at the disk.
const FREED_TIMEOUT: Duration = Duration::from_secs(20);
const FREED_PAUSE: Duration = Duration::from_millis(250);

/// The servers and places of this benchmark.
pub(crate) struct Environment {
    pub(crate) brokers: String,
    /// The URL of the PostgreSQL server, without a database.
    pub(crate) postgres: String,
    /// The folder of PostgreSQL's programs.
    postgres_bin: PathBuf,
    scratch: PathBuf,
}

impl Environment {
    /// What is set; an error names what is not.
    pub(crate) fn from_variables() -> Outcome<Environment> {
        let variable = |name: &str| {
            env::var(name)
                .map_err(|_| format!("{name} is not set: this needs a Kafka and a PostgreSQL, run it by ./test bench"))
        };
        Ok(Environment {
            brokers: variable("WALBOOK_TEST_BROKERS")?,
            postgres: variable("WALBOOK_TEST_POSTGRES")?,
            postgres_bin: variable("WALBOOK_TEST_POSTGRES_BIN")?.into(),
            scratch: variable("WALBOOK_TEST_FOLDER")?.into(),
        })
    }

    /// A new folder, gone with the value.
    pub(crate) fn folder(&self, name: &str) -> Outcome<TempDir> {
        Ok(tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(&self.scratch)?)
    }

    /// Refuses what does not fit on the disk, before it is begun: a full one would end the servers too.
    ///
    /// # Errors
    /// When that much is not free, even after the broker has had time to delete what is deleted.
    pub(crate) fn require_disk(&self, bytes: u64) -> Outcome<()> {
        let began = Instant::now();
        loop {
            let disk = rustix::fs::statvfs(&self.scratch)?;
            let free = disk.f_bavail * disk.f_frsize;
            if free >= bytes {
                return Ok(());
            }
            if began.elapsed() > FREED_TIMEOUT {
                let [needed, free] = [bytes, free].map(|bytes| bytes as f64 / 1e9);
                let place = self.scratch.display();
                let advice = "use fewer --records, or another TMPDIR";
                return Err(
                    format!("needs {needed:.1} GB of disk, and {free:.1} GB are free at {place}: {advice}").into()
                );
            }
            thread::sleep(FREED_PAUSE);
        }
    }

    /// walbook, built as this program is, without settings from the environment.
    pub(crate) fn walbook(&self) -> Command {
        without_settings(Command::new(env!("CARGO_BIN_EXE_walbook")))
    }

    /// This program again.
    pub(crate) fn this_program(&self) -> Command {
        without_settings(Command::new("/proc/self/exe"))
    }

    /// A program of PostgreSQL.
    pub(crate) fn postgres_program(&self, name: &str) -> Command {
        Command::new(self.postgres_bin.join(name))
    }

    /// Where peers are installed, to stay there.
    pub(crate) fn peers_cache(&self) -> PathBuf {
        let home = || PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache");
        env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("walbook-test/peers")
    }
}

/// The test's own variables are no settings of walbook.
fn without_settings(mut command: Command) -> Command {
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WALBOOK_")) {
        command.env_remove(name);
    }
    command
}
