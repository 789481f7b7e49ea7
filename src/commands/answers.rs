//! `walbook query`, `walbook events` and `walbook rejects`: questions about a book.

use std::io::{self, BufWriter, Write};

use super::progress_line::ProgressLine;
use crate::change::Failure;
use crate::query;
use crate::query::{Filter, PageRequest, QueryBudget, RejectFilter, RowOrder};
use crate::settings::args::{EventsArgs, FilterArgs, QueryArgs, RejectsArgs};

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

/// Prints records that could not be read, newest first.
pub(super) fn rejects(args: RejectsArgs) -> Result<(), Failure> {
    let RejectsArgs { book, from, to, source, partition, reason, limit, cursor, format } = args;
    let (line, show) = ProgressLine::start_text();
    show(format!("reading rejects from {}", book.display()));
    let filter = RejectFilter { from, to, source, partition, reason };
    let page = PageRequest { limit, order: RowOrder::Newest, after: cursor };
    let page = query::rejects_page(&book, &filter, &page, &QueryBudget::UNLIMITED)?;
    drop(line);
    print(|out| page.print(format, out))
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
