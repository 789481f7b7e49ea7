//! The process: session after session until the end.

use std::time::Duration;

use super::session::CaptureProcess;
use super::shutdown_deadline::ShutdownDeadline;
use super::{CaptureError, CaptureProgress, CaptureSettings};
use crate::change::Lsn;
use crate::control::{Deadline, Shutdown};
use crate::replication::{SilenceLimit, SlotReader, run_sessions};

/// How long to try until the first session works: after that a wrong setting is more likely than a passing failure.
const FIRST_SESSION_TIMEOUT: Duration = Duration::from_secs(30);

/// Captures until the end that the settings name, a request to end, or an error that another session cannot fix.
///
/// # Errors
/// [`CaptureError`], which determines the exit code.
pub fn capture(
    settings: &CaptureSettings,
    shutdown: &Shutdown,
    progress: &CaptureProgress,
) -> Result<(), CaptureError> {
    let deadline = ShutdownDeadline::new(shutdown.clone());
    let process = CaptureProcess {
        settings,
        deadline: &deadline,
        progress,
        writer: uuid::Uuid::new_v4().to_string(),
        has_claimed: false,
        until: None,
        silence_limit: SilenceLimit::default(),
        has_seen_change: false,
    };
    let mut capture = Capture { process, first_session: Deadline::after(FIRST_SESSION_TIMEOUT) };
    match run_sessions(&mut capture) {
        Err(CaptureError::Stopped) => Ok(()),
        ended => ended,
    }
}

struct Capture<'a> {
    process: CaptureProcess<'a>,
    first_session: Deadline,
}

impl SlotReader for Capture<'_> {
    type Error = CaptureError;

    fn run_session(&mut self) -> Result<(), CaptureError> {
        let ended = self.process.run_session();
        self.process.has_seen_change = matches!(ended, Err(CaptureError::TopicChanged { .. }));
        ended
    }

    fn position(&self) -> Lsn {
        self.process.progress.position()
    }

    fn is_retryable(&self, error: &CaptureError) -> bool {
        let may_work = self.process.has_claimed || self.is_stopped() || !self.first_session.has_passed();
        let is_retryable = match error {
            CaptureError::Slot(error) => error.is_retryable_after(&self.process.silence_limit),
            error => error.is_retryable(),
        };
        is_retryable && may_work
    }

    fn is_stopped(&self) -> bool {
        self.process.deadline.is_requested()
    }
}
