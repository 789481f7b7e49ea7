//! `walbook verify`: recounts a book.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::bail;

use super::answers::print;
use crate::book;
use crate::settings::args::{ReportFormat, VerifyArgs};

/// How often the progress line is drawn.
const REDRAW: Duration = Duration::from_millis(250);

/// Prints what each check saw; an error when one does not hold.
pub(super) fn verify(args: &VerifyArgs) -> anyhow::Result<()> {
    let terminal = io::stderr().is_terminal();
    let mut drawn = Instant::now();
    let report = book::verify(&args.book, &mut |progress| {
        if terminal && drawn.elapsed() >= REDRAW {
            drawn = Instant::now();
            let (entries, of, rows) = (progress.entries, progress.of, progress.rows);
            // A terminal that is gone needs no progress.
            let _ = write!(io::stderr(), "\r\x1b[K{entries} of {of} entries, {rows} rows\r");
        }
    })?;
    if terminal {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    print(|out| match args.format {
        ReportFormat::Table => report.print_table(out),
        ReportFormat::Json => report.print_json(out),
    })?;
    if !report.ok {
        bail!("{} does not hold what it promises: see the checks that failed", args.book.display());
    }
    Ok(())
}
