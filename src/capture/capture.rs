//! The process: session after session until the end.

use std::time::{Duration, Instant};

use tracing::warn;

use super::flow::Ended;
use super::patience::Patience;
use super::session::Process;
use super::{CaptureError, CaptureSettings, Traffic};
use crate::process::Shutdown;

/// How long to wait before the second session …
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// … and at most before any other; each time twice as long as before.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long a first session may be tried for: what never worked is more likely typed wrongly than about to heal.
const FIRST_PATIENCE: Duration = Duration::from_secs(30);

/// Captures until the end that the settings name, a request to end, or something that a further try cannot mend.
///
/// # Errors
/// [`CaptureError`], which tells the exit code.
pub fn capture(settings: &CaptureSettings, shutdown: &Shutdown, traffic: &Traffic) -> Result<(), CaptureError> {
    let patience = Patience::new(shutdown.clone());
    let mut process = Process {
        settings,
        patience: &patience,
        traffic,
        writer: uuid::Uuid::new_v4().to_string(),
        claimed: false,
        until: None,
    };
    let begin = Instant::now();
    let mut wait = FIRST_WAIT;
    loop {
        let before = traffic.position();
        let error = match process.session() {
            Ok(Ended::AtEnd | Ended::Stopped | Ended::NothingComes) | Err(CaptureError::Stopped) => return Ok(()),
            Err(error) if error.is_retryable() && patience.is_asked() => return Ok(()),
            Err(error) => error,
        };
        let never_worked = !process.claimed && begin.elapsed() > FIRST_PATIENCE;
        if !error.is_retryable() || never_worked {
            return Err(error);
        }
        if traffic.position() > before {
            wait = FIRST_WAIT;
        }
        warn!(%error, "the session ended; another begins in {} ms", wait.as_millis());
        patience.sleep(wait);
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
