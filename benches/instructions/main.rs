//! How many instructions does a record cost, from its bytes to a book and back to an answer?
//!
//! Each case runs at two sizes, in processes of their own under Valgrind, which counts the instructions of all threads; the cost is
//! the slope, in which start-up and preparation cancel out. Costs are compared with `expected.toml`: one that grew or fell by
//! more than 2 % fails (5 % where threads race; 8 % where large buffers are searched; 10 % where the compiler, the C library or the processor is another one than there), so that a slower
//! path is noticed and the file stays true. Instructions repeat from run to run, unlike wall time; they are not time.
//!
//! Data: pgbench's records, fixed seeds, one worker.
//!
//!     ./test instructions    # WALBOOK_UPDATE_INSTRUCTIONS=1 writes the file
//!
//! `profile.toml` says how it is built; with its command, `-- table run` measures the cases whose names contain one of the words.
//!
//! *Why not gungraun (iai-callgrind)*: it counts what one function does on its thread, where a run has several; its baselines
//! lie in `target/`, not in the repository; and it needs a second program of exactly its version, built from source.

mod books;
mod case;
mod expected;
mod records;
mod runs;
#[path = "../shapes/mod.rs"]
mod shapes;
#[path = "../../tests/support/mod.rs"]
mod support;
mod valgrind;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use case::Case;
use expected::Costs;
use valgrind::{Valgrind, measured_with};

/// The argument that runs one case at one size: what is measured.
const RUN: &str = "--run";

fn cases() -> Vec<Case> {
    [
        records::parsing(),
        records::splitting(),
        books::rows(),
        books::counting(),
        books::committing(),
        runs::runs(),
        books::reading(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        [RUN, case, size] => run_one(case, size),
        // `cargo test --benches` asks whether it works at all.
        ref arguments if !arguments.contains(&"--bench") || arguments.contains(&"--test") => run_each_once(),
        ref arguments => {
            let words: Vec<&str> = arguments.iter().copied().filter(|argument| !argument.starts_with("--")).collect();
            measure_and_compare(&words)
        }
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run_one(case: &str, size: &str) -> Result<ExitCode, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
    let (cases, case, size) = (cases(), number(case)?, number(size)?);
    let case = cases.get(case as usize).ok_or_else(|| format!("there is no case {case}"))?;
    case.run(size);
    Ok(ExitCode::SUCCESS)
}

fn run_each_once() -> Result<ExitCode, String> {
    for case in cases() {
        case.run(case.sizes[0]);
        println!("{}: works", case.name);
    }
    Ok(ExitCode::SUCCESS)
}

fn measure_and_compare(words: &[&str]) -> Result<ExitCode, String> {
    if env::var_os("WALBOOK_INSTRUCTIONS_PROFILE").is_none() {
        return Err("costs can only be compared in one kind of build: run ./test instructions".to_owned());
    }
    let is_wanted = |case: &str| words.is_empty() || words.iter().any(|word| case.contains(word));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/expected.toml");
    let measured = Costs { measured_with: measured_with(), instructions: measure(&is_wanted)? };
    if measured.instructions.is_empty() {
        return Err(format!("no case has a name with {}", words.join(" or ")));
    }
    for (case, instructions) in &measured.instructions {
        println!("{case:<44} {instructions:>12.1}");
    }
    if env::var_os("WALBOOK_UPDATE_INSTRUCTIONS").is_some() {
        if !words.is_empty() {
            return Err("WALBOOK_UPDATE_INSTRUCTIONS writes all costs: measure all cases".to_owned());
        }
        fs::write(&path, measured.to_text()).map_err(|error| format!("could not write {}: {error}", path.display()))?;
        println!("written to {}", path.display());
        return Ok(ExitCode::SUCCESS);
    }
    let text = fs::read_to_string(&path).map_err(|error| format!("could not read {}: {error}", path.display()))?;
    let mut expected = Costs::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    expected.instructions.retain(|case, _| is_wanted(case));
    if expected.measured_with != measured.measured_with {
        println!(
            "the costs were measured with {}\n                     and now with {}",
            expected.measured_with, measured.measured_with
        );
    }
    let differences = expected.differences(&measured);
    for difference in &differences {
        eprintln!("{difference}");
    }
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Instructions per unit, by case. Valgrind runs one thread at a time, so cases share the cores.
fn measure(is_wanted: &dyn Fn(&str) -> bool) -> Result<BTreeMap<String, f64>, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("could not make a temporary folder: {error}"))?;
    let valgrind = Valgrind::find(folder.path())?;
    let all: Vec<(usize, String, [u64; 2])> =
        cases().into_iter().enumerate().map(|(number, case)| (number, case.name, case.sizes)).collect();
    let wanted: Vec<_> = all.into_iter().filter(|(_, name, _)| is_wanted(name)).collect();
    let (next, costs) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let measure_next = || -> Result<(), String> {
        while let Some((number, name, sizes)) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
            let count = |size| valgrind.instructions(*number, size).map_err(|error| format!("{name}: {error}"));
            let [few, many] = *sizes;
            let slope = (count(many)? as f64 - count(few)? as f64) / (many - few) as f64;
            costs.lock().expect("no thread panics with it").insert(name.clone(), slope);
        }
        Ok(())
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(measure_next)).collect();
        running.into_iter().try_for_each(|thread| thread.join().expect("measuring does not panic"))
    })?;
    Ok(costs.into_inner().expect("no thread panics with it"))
}
