//! Other engines that do the same job, by the programs in `benches/compare/peers/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Contestant, TIMEOUT};
use crate::Outcome;
use crate::environment::Environment;
use crate::load::{Counts, Topic};
use crate::measure::{Measured, measure};
use crate::report::Run;

/// How long an installation may take.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(1_200);
/// The exit code of a peer that cannot be installed here.
const NOT_INSTALLED: i32 = 3;

/// The program of a peer, installed.
#[derive(Clone)]
pub(crate) struct PeerProgram {
    name: String,
}

/// A peer that reads a topic.
pub(crate) struct Peer {
    pub(crate) program: PeerProgram,
    pub(crate) workers: usize,
}

/// What a program writes at its end.
#[derive(Deserialize)]
struct PeerResult {
    version: String,
    records: u64,
    stream_seconds: f64,
    guarantee: String,
    leaves_out: String,
}

/// What its check writes besides the counts.
#[derive(Deserialize)]
struct Checked {
    events_rows: Option<u64>,
}

/// A run that has ended, and what its check has found.
pub(crate) struct PeerRun {
    measured: Measured,
    result: PeerResult,
    pub(crate) counts: Counts,
    /// Rows of its files of events, if it writes any.
    pub(crate) events_rows: Option<u64>,
}

impl PeerProgram {
    /// The names of those that read a topic.
    pub(crate) fn readers(environment: &Environment) -> Outcome<Vec<String>> {
        let folder = environment.folder("peers")?;
        let mut list = program()?;
        list.arg("--list");
        let listed = measure(vec![list], folder.path(), INSTALL_TIMEOUT)?;
        listed.check()?;
        Ok(listed.stdout[0].split_whitespace().map(str::to_owned).collect())
    }

    /// Installs it, where it is missing and that is allowed; an error says why it is not there.
    pub(crate) fn install(environment: &Environment, name: &str, may_install: bool) -> Outcome<PeerProgram> {
        let folder = environment.folder("peer")?;
        let mut prepare = program()?;
        prepare.args([name, "--prepare", "--cache"]).arg(environment.peers_cache());
        if !may_install {
            prepare.arg("--no-install");
        }
        let prepared = measure(vec![prepare], folder.path(), INSTALL_TIMEOUT)?;
        if prepared.codes == [Some(NOT_INSTALLED)] {
            let reason = prepared.stderr[0].lines().last().unwrap_or("no reason was given");
            return Err(reason.into());
        }
        prepared.check()?;
        Ok(PeerProgram { name: name.to_owned() })
    }

    /// Runs it, and then lets it read what it has written; only the run is measured.
    pub(crate) fn run(&self, environment: &Environment, options: &[(&str, &str)]) -> Outcome<PeerRun> {
        let folder = environment.folder("peer")?;
        let out = folder.path().join("out");
        fs::create_dir(&out)?;
        let command = || -> Outcome<Command> {
            let mut command = program()?;
            // It was installed before anything was measured.
            command.args([&self.name, "--no-install", "--cache"]).arg(environment.peers_cache());
            command.arg("--out").arg(&out);
            for (option, value) in options {
                command.arg(format!("--{option}")).arg(value);
            }
            Ok(command)
        };
        let measured = measure(vec![command()?], folder.path(), TIMEOUT)?;
        measured.check()?;
        let mut check = command()?;
        check.arg("--check");
        measure(vec![check], folder.path(), TIMEOUT)?.check()?;
        let result = json(&out.join("result.json"))?;
        let checked: Checked = json(&out.join("checked.json"))?;
        let counts = Counts::from_csv(&fs::read_to_string(out.join("counts.csv"))?)?;
        Ok(PeerRun { measured, result, counts, events_rows: checked.events_rows })
    }
}

impl PeerRun {
    /// The run as the report has it.
    pub(crate) fn into_run(self, records: u64, wrong: Option<String>) -> Run {
        let result = self.result;
        let mut remark = format!("{} Leaves out: {}", result.guarantee, result.leaves_out);
        if result.records != records {
            remark.push_str(&format!(" Says that it read {} records.", result.records));
        }
        Run {
            stream_seconds: Some(result.stream_seconds),
            version: Some(result.version),
            remark: Some(remark),
            ..Run::of(records, &self.measured, wrong)
        }
    }
}

impl Contestant for Peer {
    fn name(&self) -> String {
        format!("{}, {} worker{}", self.program.name, self.workers, if self.workers == 1 { "" } else { "s" })
    }

    fn run(&self, environment: &Environment, topic: &Topic) -> Outcome<Run> {
        let workers = self.workers.to_string();
        let options = [("brokers", &*topic.brokers), ("topic", &topic.name), ("workers", &workers)];
        let run = self.program.run(environment, &options)?;
        let wrong = run.counts.difference(&topic.truth).or_else(|| {
            let rows = run.events_rows?;
            (rows != topic.truth.total()).then(|| format!("{rows} rows of events instead of {}", topic.truth.total()))
        });
        Ok(run.into_run(topic.records, wrong))
    }
}

fn program() -> Outcome<Command> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/compare/peers/run.py");
    if !script.is_file() {
        return Err(format!("{} is missing", script.display()).into());
    }
    let mut program = Command::new("python3");
    program.arg(script);
    Ok(program)
}

fn json<T: DeserializeOwned>(path: &Path) -> Outcome<T> {
    Ok(serde_json::from_str(&fs::read_to_string(path)?)?)
}
