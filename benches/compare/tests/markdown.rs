//! The report says what was measured, what was wrong and what failed.

use std::time::Duration;

use crate::report::markdown::markdown;
use crate::report::musts::verdicts;
use crate::report::{LeftOut, Machine, Report, Row, Run, Standing};

fn run(seconds: f64) -> Run {
    let stream_seconds = Some(seconds);
    Run { records: 1_000_000, wall_seconds: seconds * 2.0, stream_seconds, cpu_seconds: seconds, ..Run::default() }
}

fn report(standings: Vec<Standing>) -> Report {
    let mut row = Row {
        name: "peers".to_owned(),
        title: "Peers".to_owned(),
        input: "1 M records".to_owned(),
        standings,
        summaries: Vec::new(),
        measurements: Vec::new(),
        failed: None,
        took: Duration::from_secs(9),
    };
    row.summarize();
    let machine = Machine {
        cores: 2,
        processor: "a processor".to_owned(),
        memory_bytes: 1 << 34,
        kernel: "6.1".to_owned(),
        load_before: 0.1,
    };
    let mut report = Report {
        command: "./test bench".to_owned(),
        is_full: false,
        began: "2026-11-22 12:00 UTC".to_owned(),
        seconds: 10.0,
        seed: 1,
        machine,
        versions: vec![("walbook".to_owned(), "0.1.0".to_owned())],
        rows: vec![row],
        left_out: vec![LeftOut { what: "flink".to_owned(), why: "no network".to_owned() }],
        musts: Vec::new(),
    };
    report.musts = verdicts(&report);
    report
}

fn standing(contestant: &str, runs: Vec<Run>) -> Standing {
    Standing { contestant: contestant.to_owned(), runs }
}

#[test]
fn a_table_has_medians_of_right_runs_and_what_is_wrong() {
    let wrong = Run { wrong: Some("1 of 4 | counts differ".to_owned()), ..run(40.0) };
    let report = report(vec![
        standing("walbook -w 2", vec![run(1.0), run(4.0), run(2.0)]),
        standing("spark, 2 workers", vec![run(60.0), wrong, run(80.0)]),
    ]);
    assert!(!report.rows[0].is_right());
    let text = markdown(&report, &["peers-rate.svg".to_owned()]);
    for line in [
        "| walbook -w 2 | 3 | 500 k (250 k–1.00 M) | 250 k (125 k–500 k) | 2.00 (1.00–4.00) | 0 | 1.00 × | 1.00 × | right |",
        "| spark, 2 workers | 3 | 14.6 k (12.5 k–16.7 k) | 7.3 k (6.2 k–8.3 k) | 70.0 (60.0–80.0) | 0 | 50.0 × (40.0 ×–60.0 ×) | 50.0 × (40.0 ×–60.0 ×) | **wrong**: 1 of 4 \\| counts differ |",
        // By rounds 60 and 40 times, whatever the medians are; the round with wrong counts has no part.
        "| records/s against Spark, stream phase: walbook -w 2 on 1.00 M records against spark, 2 workers on 1.00 M records | ≥ 27.0 × | 50.0 (40.0–60.0) | reached |",
        "| records/s against Flink, stream phase | ≥ 17.0 × | – | not measured |",
        "- flink: no network",
        "![peers-rate](peers-rate.svg)",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn rates_are_compared_on_the_largest_topic_that_each_has_read() {
    let fourfold = |seconds| Run { records: 4_000_000, ..run(seconds) };
    let mut standings = vec![
        standing("walbook -w 2", vec![run(1.0), run(1.0)]),
        standing("spark, 2 workers", vec![run(60.0), run(80.0)]),
        standing("4×: walbook -w 2", vec![fourfold(2.0), fourfold(2.0)]),
        standing("flink, 2 workers", vec![run(20.0), run(40.0)]),
        standing("4×: flink, 2 workers", vec![Run::failed("no space".to_owned()), fourfold(80.0)]),
    ];
    let text = markdown(&report(standings.clone()), &[]);
    for line in [
        "| spark, 2 workers | 2 | 14.6 k (12.5 k–16.7 k) | 7.3 k (6.2 k–8.3 k) | 70.0 (60.0–80.0) | 0 | 70.0 × (60.0 ×–80.0 ×) |",
        // Those that have read the larger topic are compared with each other.
        "| 4×: walbook -w 2 | 2 | 2.00 M | 1.00 M | 0.50 | 0 | 1.00 × | 1.00 × | right |",
        "| 4×: flink, 2 workers | 2 | 50.0 k | 25.0 k | 20.0 | 0 | 40.0 × | 40.0 × | **failed** in 1 of 2 runs: no space |",
        "Spark, stream phase: 4×: walbook -w 2 on 4.00 M records against spark, 2 workers on 1.00 M records | ≥ 27.0 × | 140 (120–160) | reached |",
        "Flink, stream phase: 4×: walbook -w 2 on 4.00 M records against 4×: flink, 2 workers on 4.00 M records | ≥ 17.0 × | 40.0 | reached |",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    // Without a figure of the larger topic it is that of the smaller one.
    standings[2].runs = vec![Run::failed("no space".to_owned()), Run::failed("no space".to_owned())];
    let text = markdown(&report(standings), &[]);
    let line = "Spark, stream phase: walbook -w 2 on 1.00 M records against spark, 2 workers on 1.00 M records | ≥ 27.0 × | 70.0 (60.0–80.0) | reached |";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_run_that_failed_has_no_part_in_medians_and_is_named() {
    let report =
        report(vec![standing("walbook -w 2", vec![run(1.0), Run::failed("exit code 1: no space".to_owned())])]);
    assert!(!report.rows[0].is_right());
    let text = markdown(&report, &[]);
    let line = "| walbook -w 2 | 2 | 1.00 M | 500 k | 1.00 | 0 | 1.00 × | 1.00 × | **failed** in 1 of 2 runs: exit code 1: no space |";
    assert!(text.contains(line), "{text}");
    assert_eq!(report.rows[0].summaries[0].rounds, 2);
    let json = serde_json::to_value(&report).expect("a report is JSON");
    assert_eq!(json["rows"][0]["standings"][0]["runs"][1]["failed"], "exit code 1: no space");
}
