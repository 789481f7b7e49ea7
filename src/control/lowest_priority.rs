//! Work that may wait: on a thread of its own, whose priority is the lowest.
//!
//! *Why* a further thread: one that waits for the processor while it has a lock would hold up who waits for the lock.

use std::{io, thread};

#[cfg(target_os = "linux")]
use tracing::debug;

/// How much lower than others the priority is.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 19;

/// Does `work` on a thread of this name, and waits for it.
///
/// # Errors
/// When there can be no further thread.
pub fn with_lowest_priority<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let working = thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, || {
            lower_priority();
            work()
        })?;
        // The process ends with a thread that panics.
        Ok(working.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Gives this thread the lowest priority. Elsewhere it is the process's, and stays as it is.
#[cfg(target_os = "linux")]
fn lower_priority() {
    if let Err(error) = rustix::process::nice(NICENESS) {
        debug!(%error, "this thread has the priority of the process");
    }
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}
