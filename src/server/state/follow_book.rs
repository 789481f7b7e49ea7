//! Follows the commit log of a book that another process writes: each new entry becomes the durable state.

use std::thread;
use std::time::Duration;

use super::app_state::AppState;
use super::durable_state::DurableState;
use super::frames::{Changes, Frame};
use super::pending_rejects::PendingRejects;
use crate::book::log::entry::EntryKind;
use crate::book::{Entry, Follower, LogUpdate, Snapshot};
use crate::change::instant::now_micros;
use crate::query::Totals;
use crate::server::ServeError;
use crate::server::error::ErrorLog;
use crate::store::BookStore;

/// How often the log is looked at.
const LOG_INTERVAL: Duration = Duration::from_millis(200);

/// A book that is followed, and the files of rejects that are not summed yet.
pub(in crate::server) struct BookFollower {
    follower: Follower,
    rejects: PendingRejects,
}

impl BookFollower {
    /// Reads a book as it is now, except for its rejects: there may be many, and no answer has to wait for them.
    ///
    /// # Errors
    /// [`ServeError`] when there is no book, or it is damaged.
    pub(in crate::server) fn open(book: &BookStore) -> Result<(DurableState, BookFollower), ServeError> {
        let snapshot = Snapshot::take(book)?;
        let (totals, reject_days) = (Totals::read(&snapshot)?, snapshot.reject_days()?);
        let durable = DurableState::read(book, snapshot.state(), totals, reject_days);
        let rejects = PendingRejects::all(&snapshot)?;
        Ok((durable, BookFollower { follower: Follower::after(book, &snapshot), rejects }))
    }

    /// Follows the log as long as the process lives.
    pub(in crate::server) fn follow(mut self, state: &AppState) {
        let mut errors = ErrorLog::default();
        loop {
            errors.note(self.look(state), "could not follow the book; its answers stay what they were");
            self.rejects.sum_into(state);
            thread::sleep(LOG_INTERVAL);
        }
    }

    /// Looks once. An entry is accepted only when the state has it: after an error the next look finds it again.
    fn look(&mut self, state: &AppState) -> Result<(), ServeError> {
        let snapshot = match self.follower.look()? {
            LogUpdate::Nothing => return Ok(()),
            LogUpdate::Entries(entries, snapshot) => {
                self.rejects.add(&entries);
                // Before the counts, so that the frame that has the new counts has these sums too.
                self.rejects.sum_into(state);
                advance(state, &entries, &snapshot);
                snapshot
            }
            LogUpdate::Another(snapshot) => {
                let (totals, rejects) = (Totals::read(&snapshot)?, PendingRejects::all(&snapshot)?);
                self.rejects = rejects;
                state.restart(DurableState::read(&state.book, snapshot.state(), totals, snapshot.reject_days()?));
                snapshot
            }
        };
        self.follower.accept(&snapshot);
        Ok(())
    }
}

fn advance(state: &AppState, entries: &[Entry], snapshot: &Snapshot) {
    let before = state.durable();
    let (mut durable, changed) = before.after(entries, snapshot.state());
    let mut changed = Changes::of_counts(changed);
    durable.tables = before.tables.after_entries(entries, snapshot, &durable.views, &mut changed);
    state.set_durable(durable);
    if let Some(commit) = entries.iter().rev().find(|entry| entry.kind == EntryKind::Commit) {
        let positions =
            entries.iter().flat_map(|entry| entry.topics.values()).flat_map(|topic| topic.positions.values());
        let records = positions.map(|read| read.records).sum();
        // The records were read since the commit before, by the writer's clock.
        let previous = before.committed_at.or(before.made_at);
        let duration = previous.map_or(0, |previous| commit.written_at.saturating_sub(previous).max(0));
        let now = now_micros();
        state.rate().add(now.saturating_sub(duration), now, records);
    }
    state.frames.publish(Frame::of(state.snapshot()), changed);
}
