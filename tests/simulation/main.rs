//! Histories of whole runs, each a function of its seed: the real start, dataflow, committer and recovery on a disk that
//! forgets, with a clock, a topic and an order of work that the seed decides.
//!
//! `WALBOOK_SEED=7 cargo test --test simulation` repeats the history of seed 7; with `WALBOOK_TRACE=1` it prints what happens.
//! `WALBOOK_LONG=1` plays 100 000, and `WALBOOK_HISTORIES=500` so many from seed 1, or from `WALBOOK_SEED`, on. docs/reliability.md describes model, faults and checks.

mod checker;
mod driver;
mod host;
mod plan;
mod rows;
mod run;
mod source;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod worker;
mod world;
mod wrong_rows;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use driver::{History, play};
use plan::{Fault, Mutation};

/// Histories in a plain run.
const HISTORIES: u64 = 1_000;
/// Histories with `WALBOOK_LONG=1`.
const MANY_HISTORIES: u64 = 100_000;
/// Histories that one process plays: what the workers of a killed run hold is never freed, about half a megabyte a history.
const HISTORIES_OF_A_PROCESS: u64 = 2_500;
/// Histories a minute that must be played: two processors do six times as many, but other work may share them.
const FEWEST_A_MINUTE: f64 = 200.0;
/// Within how many seeds a mutation must be found.
const SEEDS_OF_A_MUTATION: u64 = 300;

fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable}={value} is no number")))
}

fn repeat(seed: u64) -> String {
    format!("repeat it with: WALBOOK_SEED={seed} WALBOOK_TRACE=1 cargo test --test simulation histories -- --nocapture")
}

/// Plays seeds in as many threads as there are processors, and returns what they found, by seed.
fn play_all(seeds: std::ops::Range<u64>) -> Vec<(u64, Result<History, String>)> {
    let (next, played) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let history = play(seed, None);
                    played.lock().expect("no panic").push((seed, history));
                }
            });
        }
    });
    played.into_inner().expect("no panic")
}

/// Plays seeds in one process after another, each of which judges its own.
fn play_in_processes(seeds: std::ops::Range<u64>) {
    let mut wrong = Vec::new();
    for first in seeds.clone().step_by(HISTORIES_OF_A_PROCESS as usize) {
        let count = HISTORIES_OF_A_PROCESS.min(seeds.end - first);
        let status = Command::new(std::env::current_exe().expect("this test's own file"))
            .args(["--exact", "histories_lose_nothing_repeat_nothing_and_are_never_silent", "--nocapture"])
            .env("WALBOOK_SEED", first.to_string())
            .env("WALBOOK_HISTORIES", count.to_string())
            .status()
            .expect("a process of this test");
        if !status.success() {
            wrong.push(first);
        }
    }
    assert!(
        wrong.is_empty(),
        "histories are wrong among the {HISTORIES_OF_A_PROCESS} from each of the seeds {wrong:?}: see above"
    );
}

#[test]
fn histories_lose_nothing_repeat_nothing_and_are_never_silent() {
    let first = number("WALBOOK_SEED");
    let count = match (number("WALBOOK_HISTORIES"), first, std::env::var_os("WALBOOK_LONG")) {
        (Some(count), ..) => count,
        (None, Some(_), _) => 1,
        (None, None, Some(_)) => MANY_HISTORIES,
        (None, None, None) => HISTORIES,
    };
    let first = first.unwrap_or(1);
    if count > HISTORIES_OF_A_PROCESS {
        return play_in_processes(first..first + count);
    }
    let begin = Instant::now();
    let (mut hits, mut ends) = (BTreeMap::<Fault, u64>::new(), BTreeMap::<&str, u64>::new());
    let (mut runs, mut operations, mut wrong) = (0, 0, Vec::new());
    for (seed, played) in play_all(first..first + count) {
        match played {
            Ok(history) => {
                history.hits.into_iter().for_each(|(fault, n)| *hits.entry(fault).or_default() += n);
                history.ends.into_iter().for_each(|(end, n)| *ends.entry(end).or_default() += n);
                runs += history.runs;
                operations += history.operations;
            }
            Err(error) => wrong.push((seed, error)),
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let a_minute = count as f64 / seconds * 60.0;
    println!("{count} histories in {seconds:.1} s, {a_minute:.0} a minute: {runs} runs, {operations} operations");
    println!("faults: {hits:?}\nends of runs: {ends:?}");
    if let Some((seed, error)) = wrong.first() {
        panic!("{} of {count} histories are wrong; the one of seed {seed}: {error}\n{}", wrong.len(), repeat(*seed));
    }
    if count >= HISTORIES {
        let missing: Vec<Fault> = Fault::ALL.into_iter().filter(|fault| !hits.contains_key(fault)).collect();
        assert!(missing.is_empty(), "faults that never happened: {missing:?}");
        assert!(
            a_minute >= FEWEST_A_MINUTE,
            "{a_minute:.0} histories a minute are too few to find rare orders of work"
        );
    }
}

#[test]
fn a_seed_repeats_its_history_exactly() {
    for seed in 1..=40 {
        assert_eq!(play(seed, None), play(seed, None), "{}", repeat(seed));
    }
}

#[test]
fn each_mutation_is_found() {
    let mut missed = Vec::new();
    for mutation in Mutation::ALL {
        let found =
            (1..=SEEDS_OF_A_MUTATION).find_map(|seed| play(seed, Some(mutation)).err().map(|error| (seed, error)));
        match found {
            Some((seed, error)) => {
                println!("{mutation:?} is found by seed {seed}: {}", error.lines().next().unwrap_or_default());
            }
            None => missed.push(mutation),
        }
    }
    assert!(missed.is_empty(), "not found within {SEEDS_OF_A_MUTATION} seeds: {missed:?}");
}
