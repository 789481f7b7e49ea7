//! How fast is walbook beside the bare consumers below it and beside its peers, on this machine, and is each of them right?
//!
//! Data: records made from a seed, on a real Kafka and in a real PostgreSQL; their counts are known. Everything that is compared runs
//! in the same rounds, one after another, in an order that is shuffled by the seed.
//!
//!     ./test bench              # a quarter of an hour
//!     ./test bench --full       # all rows

mod arguments;
mod contestants;
mod environment;
mod load;
mod measure;
mod report;
mod rows;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use chrono::Utc;
use clap::Parser;

use arguments::Arguments;
use environment::Environment;
use report::{Machine, Report, version};

/// A result whose error is only reported.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(topic) = &arguments.drain {
        let brokers = arguments.brokers.as_deref().unwrap_or_default();
        return exit_code(contestants::drain::drain(brokers, topic, arguments.workers));
    }
    let environment = match Environment::from_variables() {
        Ok(environment) => environment,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = rows::check_names(&arguments.only) {
        eprintln!("{error}");
        return ExitCode::from(2);
    }
    exit_code(compare(&arguments, &environment))
}

fn exit_code(outcome: Outcome<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures all rows that were asked for, and writes the report after each: what was measured survives an interruption.
fn compare(arguments: &Arguments, environment: &Environment) -> Outcome<()> {
    fs::create_dir_all(&arguments.out)?;
    let began = Instant::now();
    let mut report = Report {
        command: arguments.command(),
        is_full: arguments.full,
        began: Utc::now().format("%Y-%m-%d %H:%M UTC").to_string(),
        seconds: 0.0,
        seed: arguments.seed,
        machine: Machine::this(),
        versions: versions(environment),
        rows: Vec::new(),
        left_out: Vec::new(),
        musts: Vec::new(),
    };
    let bench = rows::Bench { arguments, environment };
    for planned in rows::planned(arguments) {
        eprintln!("--- {}", planned.name);
        let row_began = Instant::now();
        let mut row = rows::blank(planned.name, planned.title);
        if let Err(error) = (planned.measure)(&bench, &mut row, &mut report.left_out) {
            eprintln!("{}: {error}", planned.name);
            row.failed = Some(error.to_string());
        }
        row.summarize();
        row.took = row_began.elapsed();
        report.rows.push(row);
        report.seconds = began.elapsed().as_secs_f64();
        report.musts = report::musts::verdicts(&report);
        write(&report, &arguments.out)?;
    }
    let wrong = report.rows.iter().filter(|row| !row.is_right()).map(|row| row.name.as_str()).collect::<Vec<_>>();
    eprintln!("the report is {}", arguments.out.join("report.md").display());
    if wrong.is_empty() { Ok(()) } else { Err(format!("failed or wrong: {}", wrong.join(", ")).into()) }
}

fn write(report: &Report, folder: &Path) -> Outcome<()> {
    fs::write(folder.join("report.json"), serde_json::to_string_pretty(report)?)?;
    let plots = report::plots::draw(report, folder)?;
    fs::write(folder.join("report.md"), report::markdown::markdown(report, &plots))?;
    Ok(())
}

fn versions(environment: &Environment) -> Vec<(String, String)> {
    let mut walbook = environment.walbook();
    walbook.arg("--version");
    let mut postgres = environment.postgres_program("postgres");
    postgres.arg("--version");
    let mut commit = Command::new("git");
    commit.args(["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"]);
    let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
    let kafka = std::env::var("WALBOOK_TEST_KAFKA_JARS").unwrap_or_default();
    let kafka =
        Path::new(&kafka).file_name().map_or_else(|| "unknown".to_owned(), |name| name.to_string_lossy().into_owned());
    vec![
        ("walbook".to_owned(), version(walbook)),
        ("its commit".to_owned(), version(commit)),
        ("PostgreSQL".to_owned(), version(postgres)),
        ("Kafka".to_owned(), kafka),
        ("librdkafka".to_owned(), librdkafka),
    ]
}
