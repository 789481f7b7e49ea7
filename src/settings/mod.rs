//! The command line, the environment and the settings file, checked in one place.
//!
//! In: what the user typed, `WALBOOK_…` variables, a TOML file. Out: plain structs for `commands/`. A flag wins over its
//! variable, that over the file, and that over the default.
//!
//! [`args`] is what clap parses; [`RunSettings`] and the functions beside it add the checks that need more than one value, a
//! file or a name. Everything that is wrong is a [`SettingsError`], exit code 2, or clap's own error with the same code.
//! The settings file is read by our own code (figment and config were looked at: `file.rs` says why not).

pub mod args;
mod capture;
mod cluster;
mod command_line;
mod doctor;
mod error;
mod examples;
mod file;
mod kafka;
mod origin;
mod parse;
mod run;
mod slot;
mod values;

pub use capture::capture_settings;
pub use command_line::{EXIT_CODES, command_line};
pub use doctor::doctor_targets;
pub use error::SettingsError;
pub use examples::examples;
pub use origin::{FileOriginSettings, OriginSettings};
pub use parse::{ParseEnd, parse};
pub use run::RunSettings;
pub use slot::slot_settings;
