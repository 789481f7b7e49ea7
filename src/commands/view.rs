//! `walbook view`: declares, builds, shows and drops views.

use std::fs;
use std::io::{self, Write};
use std::thread;

use super::answers::print;
use crate::book::log::entry::BookSettings;
use crate::book::{Book, BookError, Snapshot, State, ViewChange, ViewState, change_view, printable};
use crate::change::{Day, Failure, WithContext};
use crate::control::Shutdown;
use crate::run::{LEASE_TIMEOUT, LeaseKeeper, versions};
use crate::settings::SettingsError;
use crate::settings::args::{ReportFormat, ViewAction, ViewArgs};
use crate::sql;
use crate::store::BookStore;

/// Runs the action that was typed.
pub(super) fn view(args: &ViewArgs) -> Result<(), Failure> {
    let name = || args.view.clone().ok_or_else(|| SettingsError::missing("the name of a view"));
    let book = args.store.of(&args.book)?;
    match args.action {
        ViewAction::Create => create(args, &book),
        ViewAction::Build => build(&book, args.view_max_groups),
        ViewAction::List => list(&book, args.format),
        ViewAction::Show => show(&book, &name()?, args.format),
        ViewAction::Drop => change(&book, &ViewChange::Drop(name()?)),
    }
}

fn create(args: &ViewArgs, book: &BookStore) -> Result<(), Failure> {
    let declarations = match (&args.view, &args.file) {
        (Some(declaration), None) => vec![declaration.clone()],
        (None, Some(file)) => {
            let text = fs::read_to_string(file).context(file.display().to_string())?;
            let statements = sql::statements(&text).map_err(|error| BookError::View {
                view: format!("declared in {}", file.display()),
                reason: Box::new(error),
            })?;
            statements.into_iter().map(str::to_owned).collect()
        }
        _ => return Err(SettingsError::missing("one of 'CREATE VIEW …' and --file FILE").into()),
    };
    declarations.into_iter().try_for_each(|declaration| change(book, &ViewChange::Declare(declaration)))
}

fn change(book: &BookStore, change: &ViewChange) -> Result<(), Failure> {
    let no_book = || BookError::NoBook { path: book.location().to_path() };
    if book.location().directory().is_some_and(|directory| !directory.is_dir()) {
        return Err(no_book().into());
    }
    let name = change_view(&book.shared(), &versions(), change, &no_book)?;
    print(|out| match change {
        ViewChange::Declare(_) => writeln!(
            out,
            "View {name} is declared. The next start of `walbook run` builds it from the events of the book and keeps it; \
             without a run, `walbook view build` builds it now."
        ),
        ViewChange::Drop(_) => {
            writeln!(out, "View {name} is dropped. The run that has the book, or the next one, removes its files.")
        }
    })
}

fn build(book: &BookStore, most_groups: u64) -> Result<(), Failure> {
    let snapshot = Snapshot::take(book)?;
    let BookSettings { time_zone, day_from } = snapshot.state().settings.clone();
    let opened = Book::open(book.shared(), BookSettings { time_zone, day_from }, versions())?;
    // Building may take long, and a run that stands by must not take the book over meanwhile.
    let lease = LeaseKeeper::new(LEASE_TIMEOUT, &Shutdown::new());
    let check = |state: &State| {
        // Before the run that has the book is ended.
        state.group_limit(most_groups).check()?;
        Ok::<_, BookError>(Default::default())
    };
    let mut committer = opened.fence_with_lease(check, |owned| lease.start(owned))?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let built = committer.take_up_views(threads, most_groups)?;
    lease.release();
    print(|out| {
        writeln!(
            out,
            "{} of the book, up to the newest commit; `walbook view list` says more.",
            counted(built.len() as u64, "view")
        )
    })
}

fn list(book: &BookStore, format: ReportFormat) -> Result<(), Failure> {
    let snapshot = Snapshot::take(book)?;
    let views = &snapshot.state().views;
    print(|out| match format {
        ReportFormat::Json => {
            let views: Vec<_> = views.iter().map(|(name, view)| json(name, view)).collect();
            writeln!(out, "{}", serde_json::json!({ "complete_to": snapshot.complete_to(), "views": views }))
        }
        ReportFormat::Table if views.is_empty() => writeln!(out, "There are no views: see `walbook view create`."),
        ReportFormat::Table => {
            let width = views.keys().map(String::len).max().unwrap_or(0);
            for (name, view) in views {
                writeln!(out, "{name:width$}  {}", state_of(view))?;
                print_bad_values(view, &" ".repeat(width + 2), out)?;
            }
            writeln!(out, "{}", snapshot.complete_to())
        }
    })
}

fn show(book: &BookStore, name: &str, format: ReportFormat) -> Result<(), Failure> {
    let snapshot = Snapshot::take(book)?;
    let Some(view) = snapshot.state().views.get(name) else {
        let reason = "there is no view of this name: `walbook view list` prints all".into();
        return Err(BookError::View { view: name.to_owned(), reason }.into());
    };
    print(|out| match format {
        ReportFormat::Json => writeln!(out, "{}", json(name, view)),
        ReportFormat::Table => {
            writeln!(out, "{}\n\n{}", printable(&view.declared), state_of(view))?;
            print_bad_values(view, "", out)?;
            writeln!(out, "{}", snapshot.complete_to())
        }
    })
}

/// How many groups there are in how many files of rows.
fn state_of(view: &ViewState) -> String {
    if !view.is_current {
        return "not built yet: the next start of `walbook run` builds it, and so does `walbook view build`".to_owned();
    }
    let (groups, files) = view.sizes();
    let from = view.events_from.map_or(String::new(), |day| format!("; {}", partly(day)));
    format!("{} in {}{from}", counted(groups, "group"), counted(files as u64, "file"))
}

/// Why a view does not have all changes.
pub(super) fn partly(from: Day) -> String {
    format!("it has changes from {from} on only: when it was built, the events of older days were pruned")
}

fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn print_bad_values(view: &ViewState, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    match &view.bad_values.first {
        Some((expression, value, reason)) => writeln!(
            out,
            "{indent}{} could not be computed and counted as NULL, first {expression} of {value:?}: {reason}",
            counted(view.bad_values.count, "value")
        ),
        None => Ok(()),
    }
}

fn json(name: &str, view: &ViewState) -> serde_json::Value {
    let (groups, files) = view.sizes();
    serde_json::json!({
        "name": name,
        "declared": view.declared,
        "is_current": view.is_current,
        "groups": groups,
        "files": files,
        "bad_values": view.bad_values,
        "events_from": view.events_from,
    })
}
