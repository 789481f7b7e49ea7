//! `walbook verify`: recounts a book.

use super::answers::print;
use super::terminal::progress_line::ProgressLine;
use crate::book;
use crate::book::Check;
#[cfg(feature = "delta")]
use crate::book::Snapshot;
use crate::change::Failure;
use crate::settings::args::{ReportFormat, VerifyArgs};
use crate::store::BookStore;
#[cfg(not(feature = "delta"))]
use crate::store::Store;
#[cfg(not(feature = "delta"))]
use crate::store::layout::{DELTA_LOG, Table};

/// Prints the result of each check; an error when one of them failed.
pub(super) fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let (line, show) = ProgressLine::start_text();
    let store = args.store.of(&args.book)?;
    let mut report = book::verify(&store, &mut |progress| {
        show(format!("{} of {} entries, {} rows", progress.entries, progress.of, progress.rows));
    })?;
    drop(line);
    if let Some(check) = verify_delta(&store)? {
        report.ok &= check.ok;
        report.checks.push(check);
    }
    print(|out| match args.format {
        ReportFormat::Table => report.print_table(out),
        ReportFormat::Json => report.print_json(out),
    })?;
    if !report.ok {
        let book = &args.book;
        return Err(Failure::new(format!("{book} failed its verification: see the checks that failed")));
    }
    Ok(())
}

#[cfg(feature = "delta")]
fn verify_delta(store: &BookStore) -> Result<Option<Check>, Failure> {
    Ok(crate::delta::verify(store, Snapshot::take(store)?.state()))
}

/// Says that there are tables which this program cannot check.
#[cfg(not(feature = "delta"))]
fn verify_delta(store: &BookStore) -> Result<Option<Check>, Failure> {
    let log = format!("{}/{DELTA_LOG}", Table::Events.folder());
    let seen = "not checked: this walbook was built without Delta tables (--features delta)".to_owned();
    let is_there = store.list(&log).is_ok_and(|names| !names.is_empty());
    Ok(is_there.then(|| Check { name: "delta", ok: true, seen, problem_count: 0, problems: Vec::new() }))
}
