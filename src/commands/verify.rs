//! `walbook verify`: recounts a book.

use super::answers::print;
use super::terminal::progress_line::ProgressLine;
use crate::book;
use crate::change::Failure;
use crate::settings::args::{ReportFormat, VerifyArgs};

/// Prints the result of each check; an error when one of them failed.
pub(super) fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let (line, show) = ProgressLine::start_text();
    let report = book::verify(&args.store.of(&args.book)?, &mut |progress| {
        show(format!("{} of {} entries, {} rows", progress.entries, progress.of, progress.rows));
    })?;
    drop(line);
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
