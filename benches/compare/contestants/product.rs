//! walbook as a user runs it: `walbook run --until-end`, then `query` and `verify`, which are not part of its time.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use chrono::DateTime;
use serde_json::Value;

use super::{Contestant, TIMEOUT};
use crate::Outcome;
use crate::environment::Environment;
use crate::load::{Counts, Topic};
use crate::measure::{Measured, measure};
use crate::report::Run;

/// The file of a cluster's addresses.
const HOSTS: &str = "hosts";

/// One way to run it.
#[derive(Clone, Debug)]
pub(crate) struct Walbook {
    pub(crate) workers: usize,
    pub(crate) processes: usize,
    /// Further arguments of `run`.
    pub(crate) arguments: Vec<String>,
    /// How many views the book has.
    pub(crate) views: usize,
}

impl Walbook {
    /// One process with default settings.
    pub(crate) fn workers(workers: usize) -> Walbook {
        Walbook { workers, processes: 1, arguments: Vec::new(), views: 0 }
    }

    /// Runs once over a topic into a book that does not exist yet.
    pub(crate) fn run_into(&self, environment: &Environment, topic: &Topic, folder: &Path) -> Outcome<Measured> {
        if self.views > 0 {
            self.declare_views(environment, topic, folder)?;
        }
        if self.processes > 1 {
            fs::write(folder.join(HOSTS), free_addresses(self.processes)?)?;
        }
        let commands = (0..self.processes).map(|process| self.command(environment, topic, folder, process));
        let measured = measure(commands.collect(), folder, TIMEOUT)?;
        measured.check()?;
        Ok(measured)
    }

    /// How one of its processes is started.
    pub(crate) fn command(&self, environment: &Environment, topic: &Topic, folder: &Path, process: usize) -> Command {
        let mut run = environment.walbook();
        run.args(["--log-format", "json", "run"]).arg(folder.join("book"));
        run.args(["--brokers", &topic.brokers, "--topic", &topic.name]);
        run.args(["--until-end", "-w", &self.workers.to_string()]).args(&self.arguments);
        if self.processes > 1 {
            run.args(["-n", &self.processes.to_string(), "-p", &process.to_string(), "--hosts"]);
            run.arg(folder.join(HOSTS));
        }
        run
    }

    /// Makes a book that has read nothing, since only a book can have views, and declares them.
    fn declare_views(&self, environment: &Environment, topic: &Topic, folder: &Path) -> Outcome<()> {
        let nothing = Topic::create(&topic.brokers, "nothing", 1)?;
        Walbook::workers(1).run_into(environment, &nothing, folder)?;
        for view in 0..self.views {
            let mut create = environment.walbook();
            create.args(["view", "create"]).arg(folder.join("book")).arg(view_declaration(view));
            measure(vec![create], folder, TIMEOUT)?.check()?;
        }
        Ok(())
    }
}

impl Contestant for Walbook {
    fn name(&self) -> String {
        let mut name = match self.processes {
            1 => format!("walbook -w {}", self.workers),
            processes => format!("walbook, {processes} processes, -w {} each", self.workers),
        };
        if !self.arguments.is_empty() {
            name.push(' ');
            name.push_str(&self.arguments.join(" "));
        }
        match self.views {
            0 => {}
            1 => name.push_str(", 1 view"),
            views => name.push_str(&format!(", {views} views")),
        }
        name
    }

    fn run(&self, environment: &Environment, topic: &Topic) -> Outcome<Run> {
        let folder = environment.folder("book")?;
        let measured = self.run_into(environment, topic, folder.path())?;
        let stream_seconds = Some(stream_seconds(&measured.stderr)?);
        let wrong = wrong(environment, &folder.path().join("book"), topic, folder.path())?;
        Ok(Run { stream_seconds, ..Run::of(topic.records, &measured, wrong) })
    }
}

/// What is wrong with a book: its counts against the truth, or its own verification.
pub(crate) fn wrong(environment: &Environment, book: &Path, topic: &Topic, folder: &Path) -> Outcome<Option<String>> {
    if let Some(difference) = counts(environment, book, folder)?.difference(&topic.truth) {
        return Ok(Some(difference));
    }
    let rejects = rejects(environment, book, folder)?;
    if rejects != topic.rejects() {
        return Ok(Some(format!("{rejects} rejects instead of {}", topic.rejects())));
    }
    verified(environment, book, folder)
}

/// The counts that `walbook query` answers.
pub(crate) fn counts(environment: &Environment, book: &Path, folder: &Path) -> Outcome<Counts> {
    let asked = measure(vec![query(environment, book)], folder, TIMEOUT)?;
    asked.check()?;
    Ok(Counts::from_csv(&asked.stdout[0])?)
}

/// How many records of a book could not be read.
fn rejects(environment: &Environment, book: &Path, folder: &Path) -> Outcome<u64> {
    let mut query = environment.walbook();
    query.arg("query").arg(book).args(["--by", "op", "--format", "json"]);
    let asked = measure(vec![query], folder, TIMEOUT)?;
    asked.check()?;
    let answer: Value = serde_json::from_str(&asked.stdout[0])?;
    Ok(answer["rejects"]["total"].as_u64().ok_or("the answer has no number of rejects")?)
}

/// What `walbook verify` finds, if anything.
pub(crate) fn verified(environment: &Environment, book: &Path, folder: &Path) -> Outcome<Option<String>> {
    let verified = measure(vec![verify(environment, book)], folder, TIMEOUT)?;
    Ok(verified.check().err().map(|error| format!("walbook verify: {error}")))
}

/// `walbook query` for all counts of a book.
pub(crate) fn query(environment: &Environment, book: &Path) -> Command {
    let mut query = environment.walbook();
    query.arg("query").arg(book).args(["--format", "csv"]);
    query
}

/// `walbook verify`.
pub(crate) fn verify(environment: &Environment, book: &Path) -> Command {
    let mut verify = environment.walbook();
    verify.arg("verify").arg(book);
    verify
}

/// The time from where a run begins to read until all of it is committed, by the times of its own log.
pub(crate) fn stream_seconds(logs: &[String]) -> Outcome<f64> {
    let (mut first, mut last) = (None, None);
    for line in logs.iter().flat_map(|log| log.lines()) {
        let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
        let message = entry["fields"]["message"].as_str().unwrap_or_default();
        let time = || DateTime::parse_from_rfc3339(entry["timestamp"].as_str().unwrap_or_default());
        if message.starts_with("reading ") {
            first = Some(time()?);
        } else if message.starts_with("done: ") {
            last = last.max(Some(time()?));
        }
    }
    let (first, last) = first.zip(last).ok_or("the log of the run does not say when it read")?;
    Ok((last - first).num_microseconds().ok_or("the log of the run is years long")? as f64 / 1e6)
}

/// Views of different groups and aggregates over the values of pgbench's rows.
fn view_declaration(number: usize) -> String {
    let group = ["schema, \"table\"", "op", "day, op", "\"table\", op", "day"][number % 5];
    let aggregate = [
        "count(*) AS changes",
        "count(*) AS changes, max(lsn) AS last",
        "sum(new.bid::bigint) AS total",
        "min(new.aid::bigint) AS low",
    ][number / 5 % 4];
    format!("CREATE VIEW v{number} AS SELECT {group}, {aggregate} FROM changes GROUP BY {group}")
}

/// Free addresses of the loopback, one a line.
fn free_addresses(count: usize) -> Outcome<String> {
    let listeners = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
    let mut lines = String::new();
    for listener in &listeners {
        lines.push_str(&format!("{}\n", listener.local_addr()?));
    }
    Ok(lines)
}
