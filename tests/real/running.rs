//! Processes of the binary: waited for, killed or stopped, and what they have said and used.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long it may take to say something.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A process of the binary; dropped, it is killed.
pub(crate) struct Running {
    child: Child,
    what: String,
    outputs: TempDir,
}

impl Running {
    /// Starts `walbook`; its outputs go to files, so that it never waits for a reader.
    pub(crate) fn start(mut walbook: Command, folder: &Path) -> Running {
        let outputs = tempfile::Builder::new().prefix("outputs-").tempdir_in(folder).expect("folders can be made");
        let what = format!("{walbook:?}");
        let file = |name| File::create(outputs.path().join(name)).expect("files can be made");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WALBOOK_")) {
            // The tests' own variables are none of its settings.
            walbook.env_remove(name);
        }
        walbook.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        let child = walbook.spawn().unwrap_or_else(|error| panic!("could not start {what}: {error}"));
        Running { child, what, outputs }
    }

    /// Waits for its end, and kills it after `limit`.
    #[track_caller]
    pub(crate) fn wait(mut self, limit: Duration) -> Ended {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return self.ended(status, began.elapsed());
            }
            assert!(began.elapsed() < limit, "{} does not end within {limit:?}:\n{}", self.what, self.stderr());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn ended(&mut self, status: ExitStatus, took: Duration) -> Ended {
        let stdout = fs::read(self.outputs.path().join("stdout")).expect("the file is ours");
        Ended {
            what: self.what.clone(),
            status,
            took,
            stdout: String::from_utf8(stdout).expect("answers are UTF-8"),
            stderr: self.stderr(),
        }
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().expect("kill is there");
        assert!(status.success(), "could not send SIG{name} to {}:\n{}", self.what, self.stderr());
    }

    /// Fails when it has ended.
    #[track_caller]
    pub(crate) fn expect_alive(&mut self) {
        let status = self.child.try_wait().expect("a child can be waited for");
        assert!(status.is_none(), "{} ended, {status:?}:\n{}", self.what, self.stderr());
    }

    /// Where its page is; waits until it says so.
    #[track_caller]
    pub(crate) fn page(&self) -> SocketAddr {
        let began = Instant::now();
        loop {
            let said = self.stderr();
            let address = said.split_once("the page is at http://").and_then(|(_, rest)| rest.split_once('/'));
            if let Some((address, _)) = address {
                return address.parse().expect("an address");
            }
            assert!(began.elapsed() < TIMEOUT, "it does not print where its page is:\n{said}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until its messages contain `words`.
    #[track_caller]
    pub(crate) fn await_said(&mut self, words: &str) {
        let began = Instant::now();
        while !self.stderr().contains(words) {
            self.expect_alive();
            assert!(began.elapsed() < TIMEOUT, "{} does not log {words:?}:\n{}", self.what, self.stderr());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// What it has said so far.
    pub(crate) fn stderr(&self) -> String {
        let stderr = fs::read(self.outputs.path().join("stderr")).expect("the file is ours");
        String::from_utf8_lossy(&stderr).into_owned()
    }

    /// The processor time it has used, and the most memory it has had at once in bytes; none when it has ended.
    pub(crate) fn usage(&self) -> Option<(Duration, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number of kB");
        // Behind the name in parentheses: state, ten more, then the ticks of 10 ms for itself and in the kernel.
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        let ticks = stat.rsplit(')').next()?.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.map(|number| number.parse::<u64>().expect("a number of ticks")).sum();
        Some((Duration::from_millis(ticks * 10), kilobytes * 1024))
    }

    /// Ends the process that it supervises, as a power cut would.
    #[track_caller]
    pub(crate) fn kill_supervised(&mut self) {
        let began = Instant::now();
        loop {
            let listed = Command::new("pgrep").args(["-P", &self.id().to_string()]).output().expect("pgrep is there");
            let child = String::from_utf8_lossy(&listed.stdout).trim().to_owned();
            if !child.is_empty()
                && Command::new("kill").args(["-s", "KILL", &child]).status().is_ok_and(|sent| sent.success())
            {
                return;
            }
            self.expect_alive();
            assert!(began.elapsed() < TIMEOUT, "{} starts nothing:\n{}", self.what, self.stderr());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its process number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that has ended.
pub(crate) struct Ended {
    what: String,
    status: ExitStatus,
    /// How long it was waited for.
    pub(crate) took: Duration,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Its exit code; `None` after a signal.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Fails unless it exited with `code`.
    #[track_caller]
    pub(crate) fn expect_code(&self, code: i32) {
        assert_eq!(self.status.code(), Some(code), "{}: {}\n{}", self.what, self.status, self.stderr);
    }

    /// Fails unless its messages contain each of `words`.
    #[track_caller]
    pub(crate) fn expect_said(&self, words: &[&str]) {
        for word in words {
            assert!(self.stderr.contains(word), "{} does not say {word:?}:\n{}", self.what, self.stderr);
        }
    }
}
