//! The command line as it is typed: one struct for each command, with its help.
//!
//! The first line of a field's comment is what `-h` shows, the whole comment is what `--help` and the manual page show. The
//! long name is also the key in the settings file.

mod book;
mod capture;
mod command;
mod compact;
mod doctor;
pub(super) mod heading;
mod manual;
mod prune;
mod rebuild;
mod run;
mod serve;
mod slot;
mod store;
mod view;

pub use book::{EventsArgs, FilterArgs, QueryArgs, RejectsArgs, ReportFormat, VerifyArgs};
pub use capture::CaptureArgs;
pub use command::{Command, LogFormat, WalbookArgs};
pub use compact::CompactArgs;
pub use doctor::DoctorArgs;
pub use manual::{CompletionsArgs, ManArgs};
pub use prune::PruneArgs;
pub use rebuild::RebuildArgs;
pub use run::{CompactDays, DeltaSwitch, OriginKind, RunArgs, StartAt};
pub use serve::{AccessArgs, DemoArgs, ServeArgs};
pub use slot::{SlotAction, SlotArgs, SlotSourceArgs};
pub use store::StoreArgs;
pub use view::{ViewAction, ViewArgs};
