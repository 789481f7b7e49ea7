//! Other engines that do the same job, by the programs in `benches/compare/peers/`.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use super::{Contestant, TIMEOUT};
use crate::Outcome;
use crate::environment::Environment;
use crate::load::{Counts, Topic};
use crate::measure::measure;
use crate::report::Run;

/// How long an installation may take.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(1_200);
/// The exit code of a peer that cannot be installed here.
const NOT_INSTALLED: i32 = 3;

/// One of them, installed.
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) workers: usize,
}

/// What its program writes at its end.
#[derive(Deserialize)]
struct PeerResult {
    version: String,
    records: u64,
    stream_seconds: f64,
    events_rows: Option<u64>,
    guarantee: String,
    leaves_out: String,
}

impl Peer {
    /// The names of all peers.
    pub(crate) fn list(environment: &Environment) -> Outcome<Vec<String>> {
        let folder = environment.folder("peers")?;
        let mut list = program()?;
        list.arg("--list");
        let listed = measure(vec![list], folder.path(), INSTALL_TIMEOUT)?;
        listed.check()?;
        Ok(listed.stdout[0].split_whitespace().map(str::to_owned).collect())
    }

    /// Installs it; an error says why that cannot be.
    pub(crate) fn install(environment: &Environment, name: &str, workers: usize) -> Outcome<Peer> {
        if env::var_os("WALBOOK_BENCH_NO_INSTALL").is_some() {
            return Err("nothing is installed, because of --no-install".into());
        }
        let folder = environment.folder("peer")?;
        let mut prepare = program()?;
        prepare.args([name, "--prepare", "--cache"]).arg(environment.peers_cache());
        let prepared = measure(vec![prepare], folder.path(), INSTALL_TIMEOUT)?;
        if prepared.codes == [Some(NOT_INSTALLED)] {
            let reason = prepared.stderr[0].lines().last().unwrap_or("no reason was given");
            return Err(format!("could not be installed: {reason}").into());
        }
        prepared.check()?;
        Ok(Peer { name: name.to_owned(), workers })
    }
}

impl Contestant for Peer {
    fn name(&self) -> String {
        format!("{}, {} worker{}", self.name, self.workers, if self.workers == 1 { "" } else { "s" })
    }

    fn run(&self, environment: &Environment, topic: &Topic) -> Outcome<Run> {
        let folder = environment.folder("peer")?;
        let out = folder.path().join("out");
        fs::create_dir(&out)?;
        let mut run = program()?;
        run.args([&self.name, "--brokers", &topic.brokers, "--topic", &topic.name]);
        run.args(["--workers", &self.workers.to_string(), "--out"])
            .arg(&out)
            .arg("--cache")
            .arg(environment.peers_cache());
        let measured = measure(vec![run], folder.path(), TIMEOUT)?;
        measured.check()?;
        let result: PeerResult = serde_json::from_str(&fs::read_to_string(out.join("result.json"))?)?;
        let counts = Counts::from_csv(&fs::read_to_string(out.join("counts.csv"))?)?;
        let wrong = counts.difference(&topic.truth).or_else(|| {
            let rows = result.events_rows?;
            (rows != topic.truth.total()).then(|| format!("{rows} rows of events instead of {}", topic.truth.total()))
        });
        let mut run = Run::of(topic.records, &measured, wrong);
        run.stream_seconds = Some(result.stream_seconds);
        run.version = Some(result.version);
        run.remark = Some(format!("{} Leaves out: {}", result.guarantee, result.leaves_out));
        if result.records != topic.records {
            run.remark = run.remark.map(|remark| format!("{remark} Says that it read {} records.", result.records));
        }
        Ok(run)
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
