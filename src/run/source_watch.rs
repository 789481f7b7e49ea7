//! Whether a process that does not lead reaches what it reads: the leader asks for ends from its own place and would not notice.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Origin;
use crate::change::{Failure, WithContext};
use crate::cluster::Contacts;
use crate::control::Shutdown;

/// The time between two checks: the leading process asks for ends as often.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Checks until it is dropped.
pub(super) struct SourceWatch {
    _stop: Sender<()>,
}

impl SourceWatch {
    /// Starts to check, and reports the results to the other processes; the first one may fail the run.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn start(
        origin: Arc<dyn Origin>,
        contacts: Contacts,
        shutdown: Shutdown,
    ) -> Result<SourceWatch, Failure> {
        let (stop, stopped) = channel::<()>();
        let watch = move || {
            if let Err(failure) = origin.reach() {
                return shutdown.fail(failure);
            }
            let mut reached = Instant::now();
            contacts.report_source_reached();
            while stopped.recv_timeout(CHECK_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                match origin.reach() {
                    Ok(()) => {
                        reached = Instant::now();
                        contacts.report_source_reached();
                    }
                    Err(failure) => contacts.report_source_lost(reached, failure.chain()),
                }
            }
        };
        thread::Builder::new().name("source-watch".to_owned()).spawn(watch).context("could not start a thread")?;
        Ok(SourceWatch { _stop: stop })
    }
}
