//! Where a slot is read from and until, given what the book has and where the slot stands.

use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::change::{Lsn, Partition, PartitionStart};
use crate::process::Shutdown;
use crate::slot::{self, Identity, SlotError, SlotSettings, SlotStatus, check_history, check_not_ahead};

/// How long a run waits for a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(25);
/// How long it waits for a slot that somebody else reads.
const HELD: Duration = Duration::from_secs(90);
/// How often it tries.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What the book has of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSlot {
    /// Whose WAL was read.
    pub identity: Identity,
    /// The first LSN at which a transaction that is not in the book may end.
    pub next: i64,
}

/// How a slot will be read.
#[derive(Clone, Debug)]
pub struct SlotPlan {
    /// Whose WAL it is now.
    pub identity: Identity,
    /// From where, and until where.
    pub start: PartitionStart,
}

/// Looks at the slot, makes it if that was asked for, waits until nobody else reads it, and says where to begin; `known` is
/// what the book has of it. Whoever reads the slot may be a healthy run of the same book: it must not be fenced in vain.
///
/// # Errors
/// [`SlotError`] when there is no way to go on: before anything was changed, but for a slot that was to be made.
pub fn plan_slot(
    settings: &SlotSettings,
    known: Option<&KnownSlot>,
    until_end: bool,
    shutdown: &Shutdown,
) -> Result<SlotPlan, SlotError> {
    let begin = Instant::now();
    let mut told = false;
    loop {
        match try_plan(settings, known, until_end, begin.elapsed()) {
            Err(SlotError::Held { slot, pid, seconds }) if begin.elapsed() < HELD => {
                if shutdown.is_requested() {
                    return Err(SlotError::Stopped);
                }
                if !told {
                    told = true;
                    warn!(
                        slot,
                        pid,
                        seconds,
                        "the slot is read by another server process; waiting up to {} s",
                        HELD.as_secs()
                    );
                }
                thread::sleep(TRY_AGAIN);
            }
            Err(error) if error.is_retryable() && begin.elapsed() < PATIENCE && !shutdown.is_requested() => {
                warn!(%error, "trying again");
                thread::sleep(TRY_AGAIN);
            }
            ended => return ended,
        }
    }
}

fn try_plan(
    settings: &SlotSettings,
    known: Option<&KnownSlot>,
    until_end: bool,
    waited: Duration,
) -> Result<SlotPlan, SlotError> {
    let name = &settings.slot;
    let (mut client, server) = slot::open(settings)?;
    let mut status = SlotStatus::look(&mut client, name)?;
    if status.is_none() && settings.create && known.is_none() {
        slot::create(&mut client, &server, name)?;
        status = SlotStatus::look(&mut client, name)?;
    }
    let Some(status) = status else {
        return Err(match known {
            // One that is made now would begin after what is missing.
            Some(known) => SlotError::Vanished { slot: name.clone(), position: position(known.next) },
            None => SlotError::NoSlot { slot: name.clone() },
        });
    };
    status.check(settings.connect.database())?;
    if let Some(pid) = status.active_pid {
        return Err(SlotError::Held { slot: name.clone(), pid, seconds: waited.as_secs() });
    }
    let confirmed = status.confirmed_flush_lsn.ok_or_else(|| SlotError::NoSlot { slot: name.clone() })?;
    if let Some(known) = known {
        let branches = server.branches(&mut client)?;
        check_history(position(known.next), &known.identity, &server.identity, &branches, server.end)?;
        check_not_ahead(name, position(known.next), confirmed)?;
    }
    let start = PartitionStart {
        partition: Partition { topic: name.clone(), number: 0 },
        from: known.map_or(confirmed.as_i64() + 1, |known| known.next),
        until: until_end.then_some(server.end.as_i64() + 1),
    };
    Ok(SlotPlan { identity: server.identity, start })
}

/// The LSN up to which everything is in hand.
pub(super) fn position(next: i64) -> Lsn {
    Lsn::from_i64((next - 1).max(0)).expect("it is not negative")
}
