//! One file per sub-command: settings → calls into the rooms.
//!
//! In: what was typed. Out: answers on standard output, log lines on standard error, an exit code: 0 done, 1 failed while
//! running, 2 wrong usage or settings, 3 data is missing, 4 fenced.

mod answers;
mod capture;
mod demo;
mod doctor;
mod exit;
mod logging;
mod origin;
mod run;
mod serve;
mod signals;
mod slot;
mod verify;

use crate::settings::args::{Command, WalbookArgs};
pub use exit::exit_code;

/// Does what was typed.
///
/// # Errors
/// Whatever ended it; [`exit_code`] tells which number that is.
pub fn execute(args: WalbookArgs) -> anyhow::Result<()> {
    logging::begin(args.log_format, &args.log)?;
    match args.command {
        Command::Capture(args) => capture::capture(*args),
        Command::Run(run) => run::run(*run),
        Command::Demo(demo) => demo::demo(demo),
        Command::Query(query) => answers::query(&query),
        Command::Events(events) => answers::events(&events),
        Command::Serve(serve) => serve::serve(&serve),
        Command::Verify(verify) => verify::verify(&verify),
        Command::Slot(slot) => slot::slot(&slot),
        Command::Doctor(doctor) => doctor::doctor(doctor),
    }
}
