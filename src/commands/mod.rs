//! One file per command: turns settings into calls to the other rooms.
//!
//! In: the parsed command line. Out: answers on standard output; log lines, and progress if it is a terminal, on standard
//! error; an exit code, whose meanings are listed in [`crate::settings::EXIT_CODES`]. The progress line is our own code
//! (indicatif was looked at: `progress_line.rs` says why not).

mod answers;
mod capture;
mod demo;
mod doctor;
mod execute;
mod manual;
mod run;
mod serve;
mod signals;
mod slot;
mod terminal;
mod upkeep;
mod verify;
mod view;

pub use execute::{execute, exit_code};
