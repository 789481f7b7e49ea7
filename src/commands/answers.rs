//! `walbook query` and `walbook events`: questions about a book.

use std::io::{self, BufWriter, Write};

use crate::query::{self, Filter};
use crate::settings::args::{EventsArgs, FilterArgs, QueryArgs};

/// Prints counts.
pub(super) fn query(args: &QueryArgs) -> anyhow::Result<()> {
    let answer = query::counts(&args.book, &filter(&args.filter), &args.by)?;
    print(|out| answer.print(args.format, out))
}

/// Prints changes, newest first.
pub(super) fn events(args: &EventsArgs) -> anyhow::Result<()> {
    let answer = query::events(&args.book, &filter(&args.filter), args.limit)?;
    print(|out| answer.print(args.format, out))
}

fn filter(args: &FilterArgs) -> Filter {
    Filter { from: args.from, to: args.to, tables: args.table.clone(), name: None, operation: args.op }
}

/// Prints to standard output; a reader who has seen enough is no error.
pub(super) fn print(answer: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match answer(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
