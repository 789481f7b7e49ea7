//! SIGINT and SIGTERM: the first requests an orderly end, the second ends the process at once, and so does a timeout.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use tracing::{debug, error};

use crate::control::Shutdown;
use crate::run::RunError;

/// How long the last commit may take after the first signal.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the flags are checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// How long a start may take to end after the first signal. Reaching another process of the cluster may take five seconds twice.
const START_TIMEOUT: Duration = Duration::from_secs(12);
/// The exit code of a run that could not commit what it had read; the next run reads it again.
const UNCOMMITTED: i32 = 1;

/// Connects both signals to `shutdown`, for work that may be cut off without a loss: the process ends with code 0, `timeout`
/// after the first signal at the latest.
///
/// # Errors
/// When the operating system refuses a handler.
pub(super) fn listen_with_timeout(shutdown: &Shutdown, timeout: Duration) -> std::io::Result<()> {
    after_signal(shutdown, move |_| {
        thread::sleep(timeout);
        debug!("ending before all work had stopped");
        std::process::exit(0);
    })
}

/// Connects both signals to `shutdown`. Before anything was read the process ends at once.
///
/// # Errors
/// When the operating system refuses a handler.
pub(super) fn listen(shutdown: &Shutdown) -> std::io::Result<()> {
    after_signal(shutdown, |shutdown| {
        if !shutdown.has_started() {
            std::process::exit(0);
        }
        await_commit(shutdown);
    })
}

/// Connects both signals to `shutdown` of a run that may have other processes. Before anything was read it fails with
/// [`RunError::EndRequested`], of which the others learn: they end well too.
///
/// # Errors
/// When the operating system refuses a handler.
pub(super) fn listen_for_run(shutdown: &Shutdown) -> std::io::Result<()> {
    after_signal(shutdown, |shutdown| {
        if !shutdown.has_started() {
            shutdown.fail(RunError::EndRequested);
            thread::sleep(START_TIMEOUT);
            std::process::exit(0);
        }
        await_commit(shutdown);
    })
}

/// Waits for the last commit, and ends the process if that takes too long.
fn await_commit(shutdown: &Shutdown) {
    let begin = Instant::now();
    while shutdown.has_work() {
        if begin.elapsed() > COMMIT_TIMEOUT {
            let seconds = COMMIT_TIMEOUT.as_secs();
            error!(
                "could not commit within {seconds} s of being asked to end; what is not committed will be read again"
            );
            std::process::exit(UNCOMMITTED);
        }
        thread::sleep(CHECK_INTERVAL);
    }
}

/// Registers both signals, and calls `then` on a thread of its own after the first.
fn after_signal(shutdown: &Shutdown, then: impl FnOnce(&Shutdown) + Send + 'static) -> std::io::Result<()> {
    let requested = shutdown.request_flag();
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset, the second one set.
        flag::register_conditional_shutdown(signal, UNCOMMITTED, Arc::clone(&requested))?;
        flag::register(signal, Arc::clone(&requested))?;
    }
    let shutdown = shutdown.clone();
    thread::Builder::new().name("deadline".to_owned()).spawn(move || {
        while !shutdown.is_requested() {
            thread::sleep(CHECK_INTERVAL);
        }
        then(&shutdown);
    })?;
    Ok(())
}
