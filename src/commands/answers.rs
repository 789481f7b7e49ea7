//! `walbook query`, `walbook events` and `walbook rejects`: questions about a book.

use std::io::{self, BufWriter, Write};

use super::terminal::progress_line::ProgressLine;
use crate::change::Failure;
use crate::query;
use crate::query::{
    EventFilter, Filter, Format, PageRequest, QueryBudget, QueryError, RejectCount, RejectFilter, RowOrder, ViewQuery,
};
use crate::settings::args::{EventsArgs, FilterArgs, QueryArgs, RejectsArgs};
use crate::sql::{self, BadValues};
use crate::store::BookLocation;

/// Prints counts.
pub(super) fn query(args: &QueryArgs) -> Result<(), Failure> {
    let (line, show) = ProgressLine::start_text();
    let book = args.store.of(&args.book)?;
    if let Some(name) = &args.view {
        show(format!("reading view {name} of {}", args.book));
        let order = args.order.as_deref().map(sql::Order::parse).transpose().map_err(QueryError::Order)?;
        let query = ViewQuery {
            condition: args.condition.clone(),
            order: order.unwrap_or_default(),
            limit: args.limit,
            ..ViewQuery::default()
        };
        let answer = query::view(&book, name, &query)?;
        drop(line);
        print(|out| answer.print(args.format, out))?;
        return print_bad_values(answer.bad_values.as_ref(), args.format);
    }
    show(format!("summing the counts of {}", args.book));
    let answer = query::counts(&book, &filter(&args.filter), &args.by)?;
    drop(line);
    print(|out| {
        answer.print(args.format, out)?;
        print_command(&args.book, &args.filter, args.format, answer.rejects, out)
    })
}

/// Prints changes, newest first.
pub(super) fn events(args: &EventsArgs) -> Result<(), Failure> {
    let (line, show) = ProgressLine::start_text();
    show(format!("reading changes from {}", args.book));
    let condition = args.condition.as_deref().map(sql::Filter::parse).transpose().map_err(QueryError::Condition)?;
    let filter = EventFilter { changes: filter(&args.filter), condition };
    let answer = query::events(&args.store.of(&args.book)?, filter, args.limit)?;
    drop(line);
    print(|out| {
        answer.print(args.format, out)?;
        print_command(&args.book, &args.filter, args.format, answer.rejects, out)
    })?;
    print_bad_values(answer.bad_values.as_ref(), args.format)
}

/// Says what a condition could not compute, where rows in CSV have no place for it.
fn print_bad_values(bad_values: Option<&BadValues>, format: Format) -> Result<(), Failure> {
    match bad_values {
        Some(bad) if bad.count > 0 && format == Format::Csv => Ok(writeln!(io::stderr(), "{bad}")?),
        _ => Ok(()),
    }
}

/// Below a table for people, prints the command that lists the rejects of its days, if there are any.
fn print_command(
    book: &BookLocation,
    filter: &FilterArgs,
    format: Format,
    rejects: RejectCount,
    out: &mut dyn Write,
) -> io::Result<()> {
    if format != Format::Table || rejects.in_range == 0 {
        return Ok(());
    }
    let days = [("--from", filter.from), ("--to", filter.to)];
    let days = days.into_iter().filter_map(|(flag, day)| Some(format!(" {flag} {}", day?)));
    writeln!(out, "To list them: {}{}", rejects_command(book), days.collect::<String>())
}

/// The command that lists the rejects of a book, as a shell reads it.
pub(super) fn rejects_command(book: &BookLocation) -> String {
    format!("walbook rejects {}", quoted(&book.to_string()))
}

/// A path as a shell reads it.
fn quoted(path: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+:@%=,".contains(letter);
    // A path that begins like a flag would be read as one.
    let prefix = if path.starts_with('-') { "./" } else { "" };
    match !path.is_empty() && path.chars().all(is_plain) {
        true => format!("{prefix}{path}"),
        false => format!("'{prefix}{}'", path.replace('\'', r"'\''")),
    }
}

/// Prints records that could not be read, newest first.
pub(super) fn rejects(args: RejectsArgs) -> Result<(), Failure> {
    let RejectsArgs { book, store, from, to, source, partition, reason, limit, cursor, format } = args;
    let (line, show) = ProgressLine::start_text();
    show(format!("reading rejects from {}", book));
    let filter = RejectFilter { from, to, source, partition, reason };
    let page = PageRequest { limit, order: RowOrder::Newest, after: cursor };
    let page = query::rejects_page(&store.of(&book)?, &filter, &page, &QueryBudget::UNLIMITED)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_its_book_as_a_shell_reads_it() {
        for (path, command) in [
            ("shop/book", "walbook rejects shop/book"),
            ("my book", "walbook rejects 'my book'"),
            ("it's", r"walbook rejects 'it'\''s'"),
            ("-b", "walbook rejects ./-b"),
        ] {
            assert_eq!(rejects_command(&BookLocation::Directory(path.into())), command);
        }
    }
}
