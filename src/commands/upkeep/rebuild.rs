//! `walbook rebuild`: counts, views and checkpoint of a book again, from its log and its events.

use std::thread;

use serde_json::json;

use super::owner::{Owner, check_user, is_free};
use crate::book::log::commit_log;
use crate::book::{Book, BookError};
use crate::change::{Failure, WithContext};
use crate::commands::answers::print;
use crate::commands::signals;
use crate::control::Shutdown;
use crate::run::versions;
use crate::settings::SettingsError;
use crate::settings::args::{RebuildArgs, ReportFormat};
use crate::store::layout::LOG;

/// Writes what follows from log and events anew.
pub(in crate::commands) fn rebuild(args: &RebuildArgs) -> Result<(), Failure> {
    let book = args.store.of(&args.book)?;
    let no_book = || BookError::NoBook { path: book.location().to_path() };
    let has_log = match book.location().directory() {
        Some(root) => root.join(LOG).is_dir(),
        None => commit_log::newest(&book)?.is_some(),
    };
    if !has_log {
        return Err(no_book().into());
    }
    check_user(&book)?;
    let shutdown = Shutdown::new();
    signals::listen(&shutdown).context("could not listen to signals")?;
    let store = book.shared();
    if !is_free(&store, &shutdown)? {
        return Err(match shutdown.is_requested() {
            true => Failure::new("ended by a signal: nothing has changed"),
            false => SettingsError::Wrong(format!(
                "{}: a run has the book, and keeps its counts and views in memory: end it first",
                book.location()
            ))
            .into(),
        });
    }
    let opened = Book::open_without_checkpoints(store, versions(), &no_book)?;
    let mut owner = Owner::of(opened, &shutdown)?;
    let days = owner.committer.state().days.len();
    let rewritten = owner.committer.rebuild_counts()?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let views = owner.committer.rebuild_views(threads, args.view_max_groups)?.len();
    owner.committer.replace_checkpoints()?;
    owner.release();
    shutdown.take_failure().map_or(Ok(()), Err)?;
    print(|out| match args.format {
        ReportFormat::Json => {
            writeln!(out, "{}", json!({ "days": days, "counts_rewritten": rewritten, "views": views }))
        }
        ReportFormat::Table => writeln!(
            out,
            "Rebuilt from log and events: {rewritten} of {days} counts files differed and were written anew, {views} views, and the checkpoint."
        ),
    })
}
