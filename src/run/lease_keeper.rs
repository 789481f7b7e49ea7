//! The lease of a run is renewed on a thread of its own, whatever else the run does.

use std::process;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::system::uname;
use tracing::{debug, warn};

use crate::book::{BookError, Lease};
use crate::control::Shutdown;

/// How long a run may be silent, unless something else is asked for.
pub const LEASE_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest time between two renewals.
const LONGEST_INTERVAL: Duration = Duration::from_secs(3);
/// Renewals within the time after which a run counts as silent.
const RENEWALS: u32 = 5;
/// How long an end waits until the lease is released.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// Renews a lease until it is released or the process ends; cheap to clone.
#[derive(Clone)]
pub struct LeaseKeeper {
    interval: Duration,
    shutdown: Shutdown,
    keeping: Arc<Mutex<Option<Keeping>>>,
}

/// The thread that renews.
struct Keeping {
    release: Sender<()>,
    /// Disconnected when it has ended.
    ended: Receiver<()>,
}

impl LeaseKeeper {
    /// Will renew so often that the run is not silent for `timeout`. Fails `shutdown` when a newer run owns the book: a run that has
    /// nothing to commit learns of it so.
    pub fn new(timeout: Duration, shutdown: &Shutdown) -> LeaseKeeper {
        let interval = (timeout / RENEWALS).min(LONGEST_INTERVAL);
        LeaseKeeper { interval, shutdown: shutdown.clone(), keeping: Arc::default() }
    }

    /// Starts to renew a lease.
    pub fn start(&self, lease: Lease) {
        let (release, released) = channel();
        let (_is_running, ended) = channel::<()>();
        let (interval, shutdown) = (self.interval, self.shutdown.clone());
        let work = move || {
            let _is_running = _is_running;
            keep(lease, interval, &released, &shutdown);
        };
        match thread::Builder::new().name("lease".to_owned()).spawn(work) {
            Ok(_) => *self.keeping.lock().unwrap_or_else(PoisonError::into_inner) = Some(Keeping { release, ended }),
            Err(error) => warn!(%error, "the lease is not renewed, so that a standby may take the book over"),
        }
    }

    /// Releases the lease, if there is one, at an orderly end: a standby need not wait.
    pub fn release(&self) {
        let keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Keeping { release, ended }) = keeping {
            // It may have ended already, because of a fence.
            let _ = release.send(());
            let _ = ended.recv_timeout(RELEASE_TIMEOUT);
        }
    }
}

fn keep(mut lease: Lease, interval: Duration, released: &Receiver<()>, shutdown: &Shutdown) {
    let holder = format!("{}, process {}", uname().nodename().to_string_lossy(), process::id());
    let mut is_failing = false;
    loop {
        match lease.renew(&holder, interval) {
            Ok(()) => is_failing = false,
            Err(error @ BookError::Fenced { .. }) => return shutdown.fail(error),
            Err(error) => {
                if !is_failing {
                    warn!(%error, "could not renew the lease; if that lasts, a standby may take the book over");
                }
                is_failing = true;
            }
        }
        match released.recv_timeout(interval) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) => {
                if let Err(error) = lease.release(&holder) {
                    debug!(%error, "could not release the lease");
                }
                return;
            }
            // The process ends without a release: a standby waits, as this run may be started again.
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
