//! A process that starts another one, and starts it again when it fails.
//!
//! In: how to start the process, whether it has achieved something, signals. Out: the end of the last process.
//!
//! ```text
//!  supervisor ── starts ──▶ process ── exit code, or a signal that killed it ──▶ supervisor: again after a pause, or the end
//!      └──── SIGTERM, SIGINT ───▲
//! ```
//!
//! The process has the outputs of the supervisor, and a process group of its own: Ctrl-C reaches it once, from the supervisor. Ctrl-Z
//! stops only the supervisor, and the process continues to write.
//!
//! On Linux the process is killed when the supervisor ends ([`die_with()`]), so that a supervisor that is started anew does not find it
//! still there. That does not hold on other systems, nor for as long as a killed process hangs in the kernel, on a file system that does not
//! answer, say. What keeps the book right when there are two is the book's own log: the older one is fenced.
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
