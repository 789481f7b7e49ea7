//! Signals that the supervisor receives reach its process, each once.

use std::io;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

/// Forwards SIGINT and SIGTERM to the process that runs, if there is one.
#[derive(Clone)]
pub(super) struct ForwardedSignals(Arc<Mutex<Forwarding>>);

#[derive(Default)]
struct Forwarding {
    /// The process, until it has ended. Its number is not used by another one before it was waited for.
    process: Option<Pid>,
    /// What came while there was none.
    pending: Option<Signal>,
    is_received: bool,
}

impl ForwardedSignals {
    /// Receives the signals from now on.
    ///
    /// # Errors
    /// When the operating system refuses a handler or a thread.
    pub(super) fn listen() -> io::Result<ForwardedSignals> {
        // Where SIGCHLD is ignored, as it may be by inheritance, the system discards how a process ended. Any handler ends that; the
        // process itself gets the default.
        flag::register(SIGCHLD, Arc::default())?;
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let forwarded = ForwardedSignals(Arc::default());
        let to_process = forwarded.clone();
        let forward = move || {
            for signal in signals.forever().filter_map(Signal::from_named_raw) {
                to_process.receive(signal);
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(forward)?;
        Ok(forwarded)
    }

    fn receive(&self, signal: Signal) {
        let mut forwarding = self.lock();
        forwarding.is_received = true;
        match forwarding.process {
            Some(process) => send(process, signal),
            None => forwarding.pending = Some(signal),
        }
    }

    /// Whether the supervisor was asked to end.
    pub(super) fn is_received(&self) -> bool {
        self.lock().is_received
    }

    /// Sends signals to this process from now on.
    pub(super) fn forward_to(&self, child: &Child) {
        let mut forwarding = self.lock();
        let process = Pid::from_child(child);
        forwarding.process = Some(process);
        if let Some(signal) = forwarding.pending.take() {
            send(process, signal);
        }
    }

    /// Sends no signals to the process any more; to be called before it is waited for, when its number may be used again.
    pub(super) fn forward_to_none(&self) {
        self.lock().process = None;
    }

    fn lock(&self) -> MutexGuard<'_, Forwarding> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn send(process: Pid, signal: Signal) {
    // It may have ended, and not been waited for yet.
    let _ = kill_process(process, signal);
}
