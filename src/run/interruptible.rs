//! Work of a start that may take long, during which the run may fail elsewhere or be asked to end.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::change::{Failure, WithContext};
use crate::control::Shutdown;

/// How often it is checked whether the run has failed.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Does `work` on a thread of its own, and waits for its result or for a failure of the run. After a failure the work is left alone:
/// it ends with the process.
///
/// # Errors
/// That of `work`, or [`ended_meanwhile`] if `shutdown` has the failure.
pub(super) fn run_interruptibly<T: Send + 'static>(
    name: &str,
    shutdown: &Shutdown,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (done, result) = channel();
    let work = move || drop(done.send(work()));
    thread::Builder::new().name(name.to_owned()).spawn(work).context("could not start a thread")?;
    loop {
        match result.recv_timeout(CHECK_INTERVAL) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) if !shutdown.has_failed() => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(ended_meanwhile()),
        }
    }
}

/// The failure of work that ends because the run has failed elsewhere, which is the failure to report.
pub(super) fn ended_meanwhile() -> Failure {
    Failure::new("the run has failed elsewhere")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn work_gives_its_result_unless_the_run_fails_first() {
        let shutdown = Shutdown::new();
        assert_eq!(run_interruptibly("work", &shutdown, || Ok(7)).map_err(|failure| failure.chain()), Ok(7));
        let (_unblock, blocked) = channel::<()>();
        shutdown.fail(Failure::new("a process is gone"));
        let failed = run_interruptibly("work", &shutdown, move || blocked.recv().map_err(Failure::new));
        assert_eq!(failed.expect_err("it never ends").chain(), ended_meanwhile().chain());
    }
}
