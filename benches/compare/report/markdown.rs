//! The report for people.

use std::fmt::Write;

use super::figures::Spread;
use super::results::{Report, Row};

/// The whole report; `plots` are the names of pictures that lie beside it.
pub(crate) fn markdown(report: &Report, plots: &[String]) -> String {
    let mut text = String::new();
    head(report, &mut text);
    musts(report, &mut text);
    for row in &report.rows {
        standings(row, &mut text);
    }
    if !report.left_out.is_empty() {
        text.push_str("\n## Left out\n\n");
        report.left_out.iter().for_each(|left| line(&mut text, format_args!("- {}: {}", left.what, left.why)));
    }
    if !plots.is_empty() {
        text.push_str("\n## Pictures\n\n");
        plots.iter().for_each(|plot| line(&mut text, format_args!("![{}]({plot})\n", plot.trim_end_matches(".svg"))));
    }
    text
}

fn head(report: &Report, text: &mut String) {
    let machine = &report.machine;
    line(text, format_args!("# walbook beside others\n"));
    line(
        text,
        format_args!(
            "Made by `{}` on {}, in {:.0} s; seed {}.\n",
            report.command, report.began, report.seconds, report.seed
        ),
    );
    line(
        text,
        format_args!(
            "{} cores of {}, {:.0} GB of memory, Linux {}; the load of the minute before was {:.1}. Servers and contestants share the machine.\n",
            machine.cores,
            machine.processor,
            machine.memory_bytes as f64 / 1e9,
            machine.kernel,
            machine.load_before
        ),
    );
    let versions: Vec<String> =
        report.versions.iter().map(|(program, version)| format!("{program}: {version}")).collect();
    line(text, format_args!("{}.\n", versions.join("; ")));
    line(
        text,
        format_args!(
            "Each round runs every contestant once, in an order that the seed chooses anew for each round; a run begins when the machine is idle, or after 3 s. Figures are median (least–most) over the rounds; ratios are computed \
             in each round, to the first contestant of a table, or of those with the same label where there are several. *Stream* is from the first record until everything is durable, *whole* from the start of the process to its end. CPU is user and \
             system time of all its processes. Peak memory is that of the process; of several the largest sum at one time, sampled, in which memory that they share counts \
             once (PSS). *Right* means: the counts by day, schema, table and operation are those of the records that were produced, of walbook also \
             the number of rejects, and `walbook verify` passes; of a peer with files of events also their rows. The drain, which counts nothing else, has read as many \
             records and bytes as were produced. Of a slot the counts have no days: walbook's are those of its book, `pg_recvlogical`'s are counted in the lines that it has \
             written, Debezium's in the records of its topic.",
        ),
    );
    if !report.is_full {
        line(
            text,
            format_args!(
                "\nThis is the short form: fewer rounds where a row says so, and not all rows. `./test bench --full` has all."
            ),
        );
    }
}

fn musts(report: &Report, text: &mut String) {
    text.push_str("\n## What must be reached\n\n| | must | measured | |\n|---|---|---|---|\n");
    for verdict in &report.musts {
        let bound = if verdict.is_least { "≥" } else { "≤" };
        let measured = verdict.measured.map_or_else(|| "–".to_owned(), |spread| with_range(spread, significant));
        let (what, must, unit) = (verdict.what, significant(verdict.must), verdict.unit);
        let compared = verdict.compared.as_ref().map_or_else(String::new, |compared| format!(": {compared}"));
        line(text, format_args!("| {what}{compared} | {bound} {must} {unit} | {measured} | {} |", verdict.words()));
    }
}

fn standings(row: &Row, text: &mut String) {
    line(text, format_args!("\n## {}\n", row.title));
    line(text, format_args!("`--only {}`; {}; {:.0} s.", row.name, row.input, row.took.as_secs_f64()));
    if let Some(reason) = &row.failed {
        line(text, format_args!("\n**Not measured**: {reason}"));
    }
    if !row.summaries.is_empty() {
        text.push_str(
            "\n| | rounds | records/s, stream | records/s, whole | CPU-s of a million | peak MB | rate of the first ÷ this | CPU of this ÷ the first | counts |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
    }
    for summary in &row.summaries {
        let cell = |spread: Option<Spread>, print: fn(f64) -> String| {
            spread.map_or_else(|| "–".to_owned(), |spread| with_range(spread, print))
        };
        let times = |ratio: f64| format!("{} ×", significant(ratio));
        line(
            text,
            format_args!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                summary.contestant,
                summary.rounds,
                cell(summary.stream_rate, rate),
                cell(summary.whole_rate, rate),
                cell(summary.cpu_per_million, significant),
                cell(summary.peak_bytes, |bytes| format!("{:.0}", bytes / 1e6)),
                cell(summary.rate_of_first, times),
                cell(summary.cpu_to_first, times),
                one_cell(&summary.correctness)
            ),
        );
    }
    let (busy, all) = row.busy_begins();
    if busy > 0 {
        line(text, format_args!("\nThe machine was still busy when {busy} of {all} runs began."));
    }
    remarks(row, text);
    if !row.measurements.is_empty() {
        text.push_str("\n| | | rounds | counts |\n|---|---|---|---|\n");
    }
    for measurement in &row.measurements {
        let figures = Spread::of(measurement.figures.iter().copied());
        let figures = figures.map_or_else(|| "–".to_owned(), |spread| with_range(spread, significant));
        let counts = measurement
            .wrong
            .as_ref()
            .map_or_else(|| "right".to_owned(), |wrong| format!("**wrong**: {}", one_cell(wrong)));
        let (what, unit, rounds) = (&measurement.what, measurement.unit, measurement.figures.len());
        line(text, format_args!("| {what} | {figures} {unit} | {rounds} | {counts} |"));
    }
}

/// Versions of contestants, and what they say of themselves.
fn remarks(row: &Row, text: &mut String) {
    let mut remarks = Vec::new();
    for standing in &row.standings {
        if let Some(run) = standing.runs.iter().find(|run| run.remark.is_some()) {
            let version = run.version.as_deref().unwrap_or_default();
            remarks.push(format!(
                "- {} is {version}: {}",
                standing.contestant,
                run.remark.as_deref().unwrap_or_default()
            ));
        }
    }
    if !remarks.is_empty() {
        line(text, format_args!("\n{}", remarks.join("\n")));
    }
}

/// A median with the least and the most.
fn with_range(spread: Spread, print: impl Fn(f64) -> String) -> String {
    let (median, min, max) = (print(spread.median), print(spread.min), print(spread.max));
    if min == max { median } else { format!("{median} ({min}–{max})") }
}

/// A rate: 64 k, 1.72 M.
pub(crate) fn rate(records: f64) -> String {
    match records {
        million if million >= 1e6 => format!("{:.2} M", million / 1e6),
        large if large >= 1e5 => format!("{:.0} k", large / 1e3),
        thousand if thousand >= 1e3 => format!("{:.1} k", thousand / 1e3),
        few => format!("{few:.0}"),
    }
}

/// A number with about three digits.
pub(crate) fn significant(number: f64) -> String {
    match number.abs() {
        large if large >= 100.0 => format!("{number:.0}"),
        middle if middle >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// Text that stays within a cell of a table.
fn one_cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}
