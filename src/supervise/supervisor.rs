//! The supervisor's loop: start, wait, decide, pause.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tracing::{info, warn};

use super::SuperviseError;
use super::process_end::ProcessEnd;
use super::signals::ForwardedSignals;
use crate::control::Backoff;

/// The pause before the first restart, at most.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause between two restarts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A process that lived as long has started well.
const GOOD_LIFE: Duration = Duration::from_secs(60);

/// What is supervised.
pub struct Supervised<'a> {
    /// Starts the process.
    pub command: Command,
    /// A mark, made before the process is started, that separates what it achieves from what was there.
    pub mark: &'a dyn Fn() -> u64,
    /// Whether the process has achieved something since a mark; asked after its end.
    pub has_progressed: &'a dyn Fn(u64) -> bool,
    /// Whether the process waits until no other run has the book: then it may be started again after it was fenced.
    pub waits_for_its_turn: bool,
}

/// Starts the process, and again each time it fails of something that a restart may heal, until it succeeds, fails of something
/// else, or a signal ends both.
///
/// # Errors
/// [`SuperviseError`], which has the kind of the last process's exit code.
pub fn supervise(supervised: Supervised<'_>) -> Result<(), SuperviseError> {
    let Supervised { mut command, mark, has_progressed, waits_for_its_turn } = supervised;
    let system = |tried| move |source| SuperviseError::System { tried, source };
    let signals = ForwardedSignals::listen().map_err(system("listen to signals"))?;
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE).with_jitter();
    let mut restarts: u64 = 0;
    loop {
        let (begin, mark) = (Instant::now(), mark());
        // The process follows the end of this thread, which also waits for it.
        let ended = match command.process_group(0).spawn() {
            // A process whose end is unknown is not started again: it may have been fenced.
            Ok(child) => wait(child, &signals).map_err(system("wait for the run"))?,
            Err(source) if restarts == 0 => {
                let program = command.get_program().display().to_string();
                return Err(SuperviseError::Start { program, source });
            }
            // Memory or processes may be short, or the program be replaced at this moment.
            Err(error) => {
                warn!(%error, "could not start the run");
                ProcessEnd::Code(1)
            }
        };
        if signals.is_received() {
            return asked_to_end(ended);
        }
        if !ended.is_worth_a_restart(waits_for_its_turn) {
            return match (ended.failure_kind(), ended) {
                (Some(kind), ProcessEnd::Code(code)) => Err(SuperviseError::GaveUp { kind, code }),
                _ => Ok(()),
            };
        }
        if begin.elapsed() >= GOOD_LIFE || has_progressed(mark) {
            backoff.reset();
        }
        restarts += 1;
        let pause_ms = u64::try_from(backoff.next_pause().as_millis()).unwrap_or(u64::MAX);
        warn!(end = %ended, restarts, pause_ms, "the run has ended, and is started again");
        if !backoff.pause(|| signals.is_received()) {
            info!("asked to end while no run was under way");
            return Ok(());
        }
    }
}

/// Waits for the end of the process, to which signals are sent meanwhile.
fn wait(mut child: Child, signals: &ForwardedSignals) -> io::Result<ProcessEnd> {
    signals.forward_to(&child);
    let process = WaitId::Pid(Pid::from_child(&child));
    // Its number stays its own until no signal is sent to it any more.
    let waited = loop {
        match waitid(process.clone(), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(Errno::INTR) => {}
            waited => break waited,
        }
    };
    signals.forward_to_none();
    waited?;
    Ok(ProcessEnd::of(child.wait()?))
}

/// The end of a process after a signal was sent to it.
fn asked_to_end(end: ProcessEnd) -> Result<(), SuperviseError> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    match (end.failure_kind(), end) {
        // It had not begun: else it would have caught the signal.
        (None, _) | (_, ProcessEnd::Signal(SIGINT | SIGTERM)) => Ok(()),
        (Some(kind), end) => Err(SuperviseError::EndedBadly { kind, end: end.to_string() }),
    }
}
