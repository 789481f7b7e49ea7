//! A run of walbook that stays, with its page.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Outcome;
use crate::environment::Environment;
use crate::load::Topic;

const START_TIMEOUT: Duration = Duration::from_secs(60);
const END_TIMEOUT: Duration = Duration::from_secs(60);

/// The run; dropped, it is killed.
pub(crate) struct ServedRun {
    child: Child,
    log: PathBuf,
    pub(crate) book: PathBuf,
    /// Where its page is.
    pub(crate) address: SocketAddr,
}

impl ServedRun {
    /// Starts it on the book in `folder`; returns when it serves.
    pub(crate) fn start(
        environment: &Environment,
        topic: &Topic,
        folder: &Path,
        arguments: &[&str],
    ) -> Outcome<ServedRun> {
        let (book, log) = (folder.join("book"), folder.join("served"));
        let mut run = environment.walbook();
        run.arg("run").arg(&book).args(["--brokers", &topic.brokers, "--topic", &topic.name]);
        run.args(["--serve", "127.0.0.1:0"]).args(arguments);
        let child = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?).spawn()?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut served = ServedRun { child, log, book, address };
        served.address = served.await_address()?;
        Ok(served)
    }

    /// Its process number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a user does; an error when it does not end well.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        let pid = Pid::from_raw(self.child.id() as i32).ok_or("a child has a number")?;
        kill_process(pid, Signal::TERM)?;
        let began = Instant::now();
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("the run ended with {status}: {}", self.said()).into()),
                None if began.elapsed() > END_TIMEOUT => return Err("the run did not end when it was asked to".into()),
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn await_address(&mut self) -> Outcome<SocketAddr> {
        let began = Instant::now();
        loop {
            let said = self.said();
            let address = said.split_once("the page is at http://").and_then(|(_, rest)| rest.split_once('/'));
            if let Some((address, _)) = address {
                return Ok(address.parse()?);
            }
            if self.child.try_wait()?.is_some() || began.elapsed() > START_TIMEOUT {
                return Err(format!("the run does not serve: {said}").into());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn said(&self) -> String {
        fs::read(&self.log).map(|said| String::from_utf8_lossy(&said).into_owned()).unwrap_or_default()
    }
}

impl Drop for ServedRun {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
