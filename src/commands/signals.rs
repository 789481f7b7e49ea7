//! SIGINT and SIGTERM: the first asks for the end, the second ends at once, and so does too long a wait. Before anything is
//! read there is nothing to wait for.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use tracing::{debug, error};

use crate::process::Shutdown;

/// How long the polite end may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often the flags are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// What a run that was cut short exits with; what it had not committed is read again.
const CUT_SHORT: i32 = 1;

/// Connects both signals to `shutdown`, for work that loses nothing when it is cut short: the process ends within `grace`, and well.
///
/// # Errors
/// When the operating system refuses a handler.
pub(super) fn listen_and_leave(shutdown: &Shutdown, grace: Duration) -> std::io::Result<()> {
    register(shutdown)?;
    let shutdown = shutdown.clone();
    thread::Builder::new().name("deadline".to_owned()).spawn(move || {
        while !shutdown.is_requested() {
            thread::sleep(LOOK_AGAIN);
        }
        thread::sleep(grace);
        debug!("left without waiting any longer");
        std::process::exit(0);
    })?;
    Ok(())
}

/// Connects both signals to `shutdown`.
///
/// # Errors
/// When the operating system refuses a handler.
pub(super) fn listen(shutdown: &Shutdown) -> std::io::Result<()> {
    register(shutdown)?;
    let shutdown = shutdown.clone();
    thread::Builder::new().name("deadline".to_owned()).spawn(move || {
        while !shutdown.is_requested() {
            thread::sleep(LOOK_AGAIN);
        }
        if !shutdown.has_begun() {
            // Still waiting for a broker, for other processes or for a lock: nothing was read.
            std::process::exit(0);
        }
        let asked = Instant::now();
        while shutdown.is_at_work() {
            if asked.elapsed() > DEADLINE {
                let seconds = DEADLINE.as_secs();
                error!("could not commit within {seconds} s of being asked to end; what is not committed will be read again");
                std::process::exit(CUT_SHORT);
            }
            thread::sleep(LOOK_AGAIN);
        }
    })?;
    Ok(())
}

fn register(shutdown: &Shutdown) -> std::io::Result<()> {
    let requested = shutdown.request_flag();
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset, the second one set.
        flag::register_conditional_shutdown(signal, CUT_SHORT, Arc::clone(&requested))?;
        flag::register(signal, Arc::clone(&requested))?;
    }
    Ok(())
}
