//! What the user typed → what the program needs, checked in one place.
//!
//! In: the command line, the environment, a TOML file. Out: plain structs for `commands/`. The flag wins, then the
//! environment, then the file, then the default.
//!
//! [`args`] holds nothing that needs more than looking at what was typed; [`RunSettings`] is what a run needs, with
//! files read and names resolved. Whatever is wrong is a [`SettingsError`]: exit code 2.

mod address;
pub mod args;
mod capture;
mod doctor;
mod error;
mod file;
mod kafka;
mod origin;
mod run;
mod slot;

pub use capture::capture_settings;
pub use doctor::patient;
pub use error::SettingsError;
pub use file::{ParseEnd, parse};
pub use origin::{InputOrigin, KafkaOrigin, Origin, OriginKind};
pub use run::RunSettings;
pub use slot::slot_settings;
