//! The rows of the report: what is compared on what. Each is measured alone, and a failure is a failure of its row.

mod axes;
mod capture;
mod competition;
mod delays;
mod engines;
mod growth;
mod order;
mod time;

use std::time::Duration;

use crate::Outcome;
use crate::arguments::Arguments;
use crate::environment::Environment;
use crate::report::{LeftOut, Row};

/// What all rows have at hand.
pub(crate) struct Bench<'b> {
    pub(crate) arguments: &'b Arguments,
    pub(crate) environment: &'b Environment,
}

type Measure = fn(&Bench<'_>, &mut Row, &mut Vec<LeftOut>) -> Outcome<()>;

/// A row before it is measured.
pub(crate) struct Planned {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Whether the short form has it.
    is_short: bool,
    pub(crate) measure: Measure,
}

const SHORT: bool = true;
const FULL: bool = false;

/// All rows, in the order of the report.
const ROWS: &[Planned] = &[
    row("workers", "Workers and processes, and the bare drain", SHORT, engines::workers),
    row("time", "Where the processor time goes", SHORT, time::by_thread),
    row("peers", "Peers", SHORT, engines::peers),
    row("tenfold", "A topic and one of ten times its size", SHORT, axes::tenfold),
    row("latency", "Delays under load", SHORT, delays::latency),
    row("capture", "Changes from a slot of PostgreSQL", SHORT, capture::capture),
    row("growth", "A book of a year", SHORT, growth::year),
    row("verify", "Verification of 7 M events", SHORT, growth::verification),
    row("size", "Bytes of a record", FULL, axes::sizes),
    row("tables", "Tables", FULL, axes::tables),
    row("days", "Days, in random order", FULL, axes::days),
    row("partitions", "Partitions", FULL, axes::partitions),
    row("compression", "Compression of the topic", FULL, axes::compression),
    row("shapes", "Shapes of records", FULL, axes::shapes),
    row("rejects", "Records that cannot be read", FULL, axes::rejects),
    row("commits", "Time between commits", FULL, axes::commits),
    row("views", "Views", FULL, axes::views),
];

const fn row(name: &'static str, title: &'static str, is_short: bool, measure: Measure) -> Planned {
    Planned { name, title, is_short, measure }
}

/// The rows that were asked for.
pub(crate) fn planned(arguments: &Arguments) -> impl Iterator<Item = &'static Planned> {
    let (full, only) = (arguments.full, arguments.only.clone());
    ROWS.iter().filter(
        move |row| if only.is_empty() { full || row.is_short } else { only.iter().any(|name| name == row.name) },
    )
}

/// Refuses names of rows that do not exist.
pub(crate) fn check_names(only: &[String]) -> Result<(), String> {
    match only.iter().find(|name| ROWS.iter().all(|row| row.name != **name)) {
        None => Ok(()),
        Some(unknown) => {
            let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
            Err(format!("there is no row {unknown}; the rows are {}", names.join(", ")))
        }
    }
}

/// A row without results.
pub(crate) fn blank(name: &str, title: &str) -> Row {
    Row {
        name: name.to_owned(),
        title: title.to_owned(),
        input: String::new(),
        standings: Vec::new(),
        summaries: Vec::new(),
        measurements: Vec::new(),
        failed: None,
        took: Duration::ZERO,
    }
}
