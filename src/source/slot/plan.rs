//! Where a slot is read from and until, given what the book holds and the slot's state.

use std::time::Duration;

use tracing::warn;

use crate::change::{Lsn, Partition, PartitionStart, RecentTransactions};
use crate::control::{Backoff, Deadline, Shutdown};
use crate::replication;
use crate::replication::{
    HeldSlotWait, Identity, PrimarySession, SlotError, SlotSettings, SlotState, SlotStatus, check_options,
};

/// How long a run waits for a server that does not answer.
const SERVER_TIMEOUT: Duration = Duration::from_secs(25);
/// How often it tries.
const SERVER_INTERVAL: Duration = Duration::from_secs(1);

/// What the book holds of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotBaseline {
    /// Whose WAL was read.
    pub identity: Identity,
    /// The first LSN at which a transaction that is not in the book may end.
    pub next: i64,
    /// The last transactions before it, where they are known.
    pub recent: RecentTransactions,
    /// The plugin's options with which it was read, where they are known.
    pub plugin_options: Option<String>,
}

/// How a slot will be read.
#[derive(Clone, Debug)]
pub struct SlotPlan {
    /// Whose WAL it is now.
    pub identity: Identity,
    /// From where, and until where.
    pub start: PartitionStart,
}

/// Examines the slot, creates it if that was requested, and plans where to start; `baseline` is what the book holds of it.
///
/// A slot that another process reads is waited for: that may be a healthy run of the same book, which must not be fenced in vain.
///
/// # Errors
/// [`SlotError`] when the slot cannot be continued; until then nothing was changed, except that a requested slot was created.
pub fn plan_slot(
    settings: &SlotSettings,
    baseline: Option<&SlotBaseline>,
    until_end: bool,
    shutdown: &Shutdown,
) -> Result<SlotPlan, SlotError> {
    let (deadline, mut backoff) = (Deadline::after(SERVER_TIMEOUT), Backoff::constant(SERVER_INTERVAL));
    let mut held = HeldSlotWait::start();
    loop {
        let planned = try_plan(settings, baseline, until_end);
        let after = |error: SlotError| match baseline {
            Some(baseline) => error.after(position(baseline.next)),
            None => error,
        };
        match planned.map_err(after) {
            Err(SlotError::Held { slot, pid, .. }) => held.pause(&slot, &pid, shutdown)?,
            Err(error) if error.is_retryable() && !deadline.has_passed() && !shutdown.is_requested() => {
                warn!(%error, "could not examine the slot; trying again");
                backoff.pause(|| shutdown.is_requested());
            }
            ended => return ended,
        }
    }
}

fn try_plan(settings: &SlotSettings, baseline: Option<&SlotBaseline>, until_end: bool) -> Result<SlotPlan, SlotError> {
    let name = &settings.slot;
    let PrimarySession { mut replication, mut sql, server, .. } = replication::open(settings)?;
    let mut status = SlotStatus::query(&mut sql, name)?;
    // A slot that is created now would begin after what a book with a baseline misses.
    if status.is_none() && settings.create && baseline.is_none() {
        replication::create(&mut sql, &server, name)?;
        status = SlotStatus::query(&mut sql, name)?;
    }
    let status = status.ok_or_else(|| SlotError::NoSlot { slot: name.clone() })?;
    status.check(settings.connect.database())?;
    if let Some(pid) = status.active_pid {
        return Err(SlotError::Held { slot: name.clone(), pid, seconds: 0 });
    }
    let confirmed = status.confirmed_flush_lsn.ok_or_else(|| SlotError::NoSlot { slot: name.clone() })?;
    let state = SlotState { branches: server.branches(&mut replication)?, server, confirmed };
    let options = settings.options.identity();
    if let Some(baseline) = baseline {
        let position = position(baseline.next);
        state.check_continues(name, position, position, &baseline.identity)?;
        check_options(baseline.plugin_options.as_deref(), &options, position, confirmed)?;
    }
    let start = PartitionStart {
        partition: Partition { topic: name.clone(), number: 0 },
        from: baseline.map_or(confirmed.as_i64() + 1, |baseline| baseline.next),
        until: until_end.then_some(state.server.end.as_i64() + 1),
        leader_epoch: None,
        // What was read with other options is not repeated any more.
        recent: baseline
            .filter(|baseline| baseline.plugin_options.as_ref().is_none_or(|known| *known == options))
            .map(|baseline| baseline.recent.clone())
            .unwrap_or_default(),
    };
    Ok(SlotPlan { identity: state.server.identity, start })
}

/// The LSN up to which everything before the offset `next` was read.
pub(super) fn position(next: i64) -> Lsn {
    Lsn::from_i64((next - 1).max(0)).expect("it is not negative")
}
