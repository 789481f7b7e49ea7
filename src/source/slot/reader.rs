//! The thread that reads the slot: session after session, until the run ends.

use std::sync::Arc;

use tracing::info;

use super::plan::position;
use crate::change::{Lsn, PartitionStart};
use crate::control::Shutdown;
use crate::replication::{Identity, PumpContext, SlotError, SlotReader, SlotSession, SlotSettings, run_sessions};

/// Reads a slot for one run.
pub(super) struct ReaderThread {
    settings: SlotSettings,
    until: Option<Lsn>,
    /// Whose WAL was read so far.
    identity: Option<Identity>,
    context: Arc<PumpContext>,
    shutdown: Shutdown,
}

impl ReaderThread {
    pub(super) fn new(
        settings: &SlotSettings,
        start: &PartitionStart,
        identity: Option<Identity>,
        context: Arc<PumpContext>,
        shutdown: Shutdown,
    ) -> ReaderThread {
        // A slot that was dropped during the run is not created again: the new one would begin after what is lost.
        let settings = SlotSettings { create: false, ..settings.clone() };
        ReaderThread { settings, until: start.until.map(position), identity, context, shutdown }
    }

    /// Delivers transactions until the end, a stop, or an error that another session cannot fix.
    pub(super) fn run(mut self) -> Result<(), SlotError> {
        match run_sessions(&mut self) {
            Err(SlotError::Stopped) => Ok(()),
            ended => ended,
        }
    }
}

impl SlotReader for ReaderThread {
    type Error = SlotError;

    fn run_session(&mut self) -> Result<(), SlotError> {
        let delivered = self.position();
        let session = SlotSession::start(self.settings.clone(), &self.shutdown, || Ok(()));
        let session = session.map_err(|error| error.after(delivered))?;
        let seen = &session.state().server.identity;
        let identity = self.identity.get_or_insert_with(|| seen.clone());
        session.state().check_continues(&self.settings.slot, delivered, delivered, identity)?;
        if seen.timeline != identity.timeline {
            // Only the entry that begins a run can record another timeline for what follows.
            return Err(SlotError::Promoted { timeline: seen.timeline, position: delivered });
        }
        info!(slot = self.settings.slot, from = %delivered, "reading the slot");
        session.pump(delivered, self.until, &self.context)
    }

    fn position(&self) -> Lsn {
        self.context.delivered()
    }

    fn is_retryable(&self, error: &SlotError) -> bool {
        error.is_retryable_after(self.context.silence_limit())
    }

    fn is_stopped(&self) -> bool {
        self.context.is_stopped() || self.shutdown.has_failed()
    }
}
