//! `walbook verify`: recounts a book.

use std::io::{self, IsTerminal, Write};

use anyhow::bail;

use super::answers::print;
use crate::book;
use crate::settings::args::{ReportFormat, VerifyArgs};

/// Prints what each check saw; an error when one does not hold.
pub(super) fn verify(args: &VerifyArgs) -> anyhow::Result<()> {
    let terminal = io::stderr().is_terminal();
    let report = book::verify(&args.book, &mut |progress| {
        if terminal {
            // A terminal that is gone needs no progress.
            let _ = write!(io::stderr(), "\r\x1b[K{} of {} entries\r", progress.entries, progress.of);
        }
    })?;
    print(|out| match args.format {
        ReportFormat::Table => report.print_table(out),
        ReportFormat::Json => report.print_json(out),
    })?;
    if !report.ok {
        bail!("{} does not hold what it promises: see the checks that failed", args.book.display());
    }
    Ok(())
}
