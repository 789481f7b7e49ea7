//! Runs the command that was typed, and gives its exit code.

use super::terminal::logging;
use super::{answers, capture, demo, doctor, manual, run, serve, slot, upkeep, verify, view};
use crate::change::Failure;
use crate::settings::args::{Command, WalbookArgs};

/// Runs the command that was typed.
///
/// # Errors
/// The error that ended it; [`exit_code`] gives its number.
pub fn execute(args: WalbookArgs) -> Result<(), Failure> {
    logging::begin(args.log_format, &args.log)?;
    match args.command {
        Command::Capture(args) => capture::capture(*args),
        Command::Run(run) => run::run(*run),
        Command::Demo(demo) => demo::demo(demo),
        Command::Query(query) => answers::query(&query),
        Command::Events(events) => answers::events(&events),
        Command::Rejects(rejects) => answers::rejects(rejects),
        Command::Serve(serve) => serve::serve(&serve),
        Command::Verify(verify) => verify::verify(&verify),
        Command::Compact(args) => upkeep::compact(&args),
        Command::Prune(args) => upkeep::prune(&args),
        Command::Rebuild(args) => upkeep::rebuild(&args),
        Command::View(args) => view::view(&args),
        Command::Slot(slot) => slot::slot(&slot),
        Command::Doctor(doctor) => doctor::doctor(doctor),
        Command::Completions(completions) => manual::completions(&completions),
        Command::Man(man) => manual::man(&man),
    }
}

/// The exit code of a failure, one of [`crate::settings::EXIT_CODES`].
pub fn exit_code(failure: &Failure) -> u8 {
    failure.kind().exit_code()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::BookError;
    use crate::change::Partition;
    use crate::control::Shutdown;
    use crate::source::file::FileError;
    use crate::source::kafka::KafkaError;
    use crate::table::TableError;

    #[test]
    fn what_ended_the_dataflow_keeps_its_code() {
        let partition = Partition { topic: "t".to_owned(), number: 0 };
        let failures = [
            (FileError::Shorter { path: "f".to_owned(), end: 1, next: 2 }.into(), 3),
            (FileError::NoInput { path: "f".to_owned(), message: String::new() }.into(), 2),
            (KafkaError::Lost { partition, from: 1, to: 2 }.into(), 3),
            (TableError::Fenced { path: "staged".to_owned() }.into(), 4),
            (BookError::Fenced { reason: "entry 3 is another run's".to_owned() }.into(), 4),
            (Failure::new("anything else"), 1),
        ];
        for (failure, code) in failures {
            let shutdown = Shutdown::new();
            shutdown.fail(failure);
            assert_eq!(shutdown.take_failure().as_ref().map(exit_code), Some(code));
        }
    }
}
