//! A process that starts another one, and starts it again when it fails.
//!
//! In: how to start the process, a number that grows with its success, signals. Out: the end of the last process.
//!
//! ```text
//!  supervisor ── starts ──▶ process ── exit code, or a signal that killed it ──▶ supervisor: again after a pause, or the end
//!      └──── SIGTERM, SIGINT ───▲
//! ```
//!
//! The process has the outputs of the supervisor, and a process group of its own: Ctrl-C reaches it once, from the supervisor. It
//! does not outlive the supervisor ([`die_with`]), so of two that could write the same book one is always gone.
//!
//! *Why* a process and not a thread: a panic ends its process, and so does whatever a restart is to heal.

mod die_with;
mod error;
mod process_end;
mod signals;
mod supervisor;

pub use die_with::die_with;
pub use error::SuperviseError;
pub use supervisor::{Supervised, supervise};
