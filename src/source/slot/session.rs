//! The thread that holds the slot: it starts, and starts again, until the run ends.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::plan::position;
use crate::change::{Lsn, PartitionStart};
use crate::process::Shutdown;
use crate::slot::{self, Duty, Identity, SlotError, SlotSettings, check_history, check_not_ahead, pump};

/// The first pause before another try; it doubles …
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// … up to this one.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Delivers transactions until the end, a stop or an error that no other try mends.
pub(super) fn hold(
    settings: &SlotSettings,
    start: &PartitionStart,
    mut known: Option<Identity>,
    duty: &Duty,
    shutdown: &Shutdown,
) -> Result<(), SlotError> {
    let until = start.until.map(position);
    let mut pause = FIRST_PAUSE;
    let stopped = || duty.stop.load(Ordering::Acquire) || shutdown.has_failed();
    // Somebody who dropped the slot meanwhile has dropped what it kept: a new one would begin after it.
    let settings = SlotSettings { create: false, ..settings.clone() };
    loop {
        let begun = Instant::now();
        let delivered = Lsn::from_i64(duty.delivered.load(Ordering::Acquire)).expect("only LSNs are delivered");
        let session = (|| {
            let held = slot::start(&settings, shutdown, || Ok(()))?;
            let standing = &held.standing;
            let (seen, branches) = (&standing.server.identity, &standing.branches);
            let known = known.get_or_insert_with(|| seen.clone());
            check_history(delivered, known, seen, branches, standing.server.end)?;
            check_not_ahead(&settings.slot, delivered, standing.confirmed)?;
            if seen.timeline != known.timeline {
                // Only the entry that opens a generation can say that what follows is of another timeline.
                return Err(SlotError::Promoted { timeline: seen.timeline, position: delivered });
            }
            info!(slot = settings.slot, from = %delivered, "reading the slot");
            pump(held, &settings, delivered, until, duty)
        })();
        let error = match session {
            Ok(()) | Err(SlotError::Stopped) => return Ok(()),
            Err(SlotError::NoSlot { slot }) => return Err(SlotError::Vanished { slot, position: delivered }),
            Err(error) if !error.is_retryable() => return Err(error),
            Err(error) => error,
        };
        if stopped() {
            return Ok(());
        }
        if begun.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        warn!(%error, "the slot cannot be read just now; trying again in {} ms", pause.as_millis());
        let until = Instant::now() + pause;
        while Instant::now() < until && !stopped() {
            thread::sleep(FIRST_PAUSE / 2);
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
