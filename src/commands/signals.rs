//! SIGINT and SIGTERM: the first asks for the end, the second ends at once, and so does too long a wait.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use tracing::error;

use crate::process::Shutdown;

/// How long the polite end may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// What a run that was cut short exits with; what it had not committed is read again.
const CUT_SHORT: i32 = 1;

/// Connects both signals to `shutdown`.
///
/// # Errors
/// When the operating system refuses a handler.
pub(super) fn listen(shutdown: &Shutdown) -> std::io::Result<()> {
    let requested = shutdown.request_flag();
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset, the second one set.
        flag::register_conditional_shutdown(signal, CUT_SHORT, Arc::clone(&requested))?;
        flag::register(signal, Arc::clone(&requested))?;
    }
    thread::Builder::new().name("deadline".to_owned()).spawn(move || {
        while !requested.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(100));
        }
        thread::sleep(DEADLINE);
        error!(
            "could not commit within {} s of being asked to end; what is not committed will be read again",
            DEADLINE.as_secs()
        );
        std::process::exit(CUT_SHORT);
    })?;
    Ok(())
}
