//! A record that costs more instructions than it did is noticed, and so is one that costs fewer.

#[path = "../../benches/instructions/expected.rs"]
mod expected;

use expected::{Costs, UPDATE};

fn costs(measured_with: &str, instructions: &[(&str, f64)]) -> Costs {
    let instructions = instructions.iter().map(|(case, cost)| ((*case).to_owned(), *cost)).collect();
    Costs { measured_with: measured_with.to_owned(), instructions }
}

/// The costs of a case that were 1 000, among those given, that differ too much when measured with a compiler.
fn differing(case: &str, compiler: &str, costs_now: [f64; 4]) -> Vec<f64> {
    let before = costs("rustc 1", &[(case, 1_000.0)]);
    let differs = |now: &f64| !before.differences(&costs(compiler, &[(case, *now)])).is_empty();
    costs_now.into_iter().filter(differs).collect()
}

#[test]
fn a_cost_may_differ_by_two_percent_in_either_direction() {
    assert_eq!(differing("parse: line", "rustc 1", [1_019.0, 981.0, 1_021.0, 979.0]), [1_021.0, 979.0]);
    assert!(differing("parse: line", "rustc 1", [1_000.0; 4]).is_empty());
}

#[test]
fn cases_whose_threads_race_have_five_percent() {
    for case in ["run: a record", "verify: a row"] {
        assert_eq!(differing(case, "rustc 1", [1_049.0, 951.0, 1_051.0, 949.0]), [1_051.0, 949.0]);
    }
}

#[test]
fn another_compiler_has_ten_percent() {
    for case in ["parse: line", "run: a record"] {
        assert_eq!(differing(case, "rustc 2", [1_090.0, 910.0, 1_110.0, 890.0]), [1_110.0, 890.0]);
    }
}

#[test]
fn a_difference_names_case_costs_percent_and_what_to_do() {
    let before = costs("rustc 1", &[("parse: line", 1_000.0), ("seal: a row", 500.0), ("gone", 7.0)]);
    let now = costs("rustc 1", &[("parse: line", 1_100.0), ("seal: a row", 400.0), ("new", 9.0)]);
    let differences = before.differences(&now);
    let words: [&[&str]; 4] = [
        &["new", "9.0", "no cost is expected"],
        &["parse: line", "1000.0", "1100.0", "+10.0 %", "slower"],
        &["seal: a row", "500.0", "400.0", "-20.0 %", "cheaper"],
        &["gone", "there is no such case"],
    ];
    assert_eq!(differences.len(), words.len(), "{differences:?}");
    for (difference, words) in differences.iter().zip(words) {
        assert!(words.iter().chain([&UPDATE]).all(|word| difference.contains(word)), "{difference}");
    }
}

#[test]
fn a_cost_that_is_no_number_differs() {
    let before = costs("rustc 1", &[("parse: line", 0.0)]);
    assert_eq!(before.differences(&costs("rustc 1", &[("parse: line", 0.0)])).len(), 1);
}

#[test]
fn costs_are_read_as_they_were_written() {
    let written = costs("rustc \"1\", glibc 2", &[("parse: connect, lsn \"x\"", 1_234.5), ("run", 3_000.0)]);
    assert_eq!(Costs::parse(&written.to_text()), Ok(written));
    assert!(Costs::parse("measured_with = 7").is_err());
}

#[test]
fn the_file_in_the_repository_has_costs() {
    let file = Costs::parse(include_str!("../../benches/instructions/expected.toml")).expect("a file of costs");
    assert!(file.instructions.len() > 20 && file.instructions.values().all(|cost| *cost > 0.0), "{file:?}");
    assert_eq!(file.to_text(), include_str!("../../benches/instructions/expected.toml"), "it is written by {UPDATE}");
}
