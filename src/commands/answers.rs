//! `walbook query` and `walbook events`: questions about a book.

use std::io::{self, BufWriter, Write};

use super::progress_line::ProgressLine;
use crate::change::Failure;
use crate::query;
use crate::query::Filter;
use crate::settings::args::{EventsArgs, FilterArgs, QueryArgs};

/// Prints counts.
pub(super) fn query(args: &QueryArgs) -> Result<(), Failure> {
    let (line, show) = ProgressLine::start_text();
    show(format!("summing the counts of {}", args.book.display()));
    let answer = query::counts(&args.book, &filter(&args.filter), &args.by)?;
    drop(line);
    print(|out| answer.print(args.format, out))
}

/// Prints changes, newest first.
pub(super) fn events(args: &EventsArgs) -> Result<(), Failure> {
    let (line, show) = ProgressLine::start_text();
    show(format!("reading changes from {}", args.book.display()));
    let answer = query::events(&args.book, &filter(&args.filter), args.limit)?;
    drop(line);
    print(|out| answer.print(args.format, out))
}

fn filter(args: &FilterArgs) -> Filter {
    Filter { from: args.from, to: args.to, tables: args.table.clone(), name: None, operation: args.op }
}

/// Prints to standard output; a reader that closes the pipe early is no error.
pub(super) fn print(answer: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match answer(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
