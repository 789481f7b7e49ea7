//! `walbook run --supervise`: the run in a process of its own, started again when it fails.

use std::env;
use std::ffi::OsString;
use std::process::{self, Command};

use crate::book::log::commit_log;
use crate::change::{Failure, WithContext};
use crate::settings::RunSettings;
use crate::store::BookStore;
use crate::store::layout::fence_of;
use crate::supervise::{Supervised, supervise};

/// Supervises the run that was typed, until it ends in a way that a restart does not heal, or by a signal.
pub(super) fn supervise_run(settings: &RunSettings) -> Result<(), Failure> {
    let program = env::current_exe().context("could not find this program")?;
    let mut command = Command::new(program);
    command.args(arguments(env::args_os().skip(1), process::id()));
    let book = &settings.options.book;
    let supervised = Supervised {
        command,
        mark: &|| next_entry(book),
        has_progressed: &|mark| has_committed_since(book, mark),
        waits_for_its_turn: settings.options.standby,
    };
    Ok(supervise(supervised)?)
}

/// The arguments of the run: those that were typed, and who supervises it.
fn arguments(typed: impl Iterator<Item = OsString>, supervisor: u32) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = typed.collect();
    // Behind `--` all are names.
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    arguments.splice(end..end, ["--supervised-by".into(), supervisor.to_string().into()]);
    arguments
}

/// The number of the next entry of the log; of one that cannot be read at this moment, a number after all entries.
fn next_entry(book: &BookStore) -> u64 {
    commit_log::newest(book).map_or(u64::MAX, |newest| newest.map_or(0, |newest| newest + 1))
}

/// Whether the newest generation began at entry `mark` or later, and has committed: one that began before is another run's, beside
/// which this one stands by. `false` where the log cannot be read.
fn has_committed_since(book: &BookStore, mark: u64) -> bool {
    let entry = |number| commit_log::read_entry(book, number).ok().flatten().map(|logged| logged.entry);
    let commits = || {
        let newest = entry(commit_log::newest(book).ok().flatten()?)?;
        let fence = fence_of(&newest.generation).filter(|fence| *fence >= mark)?;
        // A fence that was swept is that of a run that has committed for days.
        let is_swept = commit_log::swept_to(book).ok()? >= Some(fence);
        Some(is_swept || newest.commit > entry(fence)?.commit)
    };
    commits().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::args::Command;
    use crate::settings::parse;

    #[test]
    fn the_run_has_the_arguments_that_were_typed_and_its_supervisor() {
        for (typed, expected) in [
            ("run book --input f --supervise", "run book --input f --supervise --supervised-by 7"),
            ("run --supervise --input f -- --odd", "run --supervise --input f --supervised-by 7 -- --odd"),
        ] {
            let arguments = arguments(typed.split(' ').map(OsString::from), 7);
            let words: Vec<&str> = arguments.iter().map(|word| word.to_str().expect("text")).collect();
            assert_eq!(words.join(" "), expected);
            let parsed = parse([OsString::from("walbook")].into_iter().chain(arguments)).ok().expect("valid arguments");
            assert!(matches!(parsed.command, Command::Run(run) if run.supervise && run.supervised_by == Some(7)));
        }
    }
}
