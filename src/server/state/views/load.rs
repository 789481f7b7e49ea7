//! Bringing a view into memory when a client asks for it.

use std::thread;
use std::time::{Duration, Instant};

use super::tables::{MOST_GROUPS, ViewTable};
use crate::book::{BookError, Snapshot};
use crate::query::{QueryError, ReadableView, ViewGroups};
use crate::server::state::{AppState, StateSnapshot};

/// How long a view is read again whose files a run replaces meanwhile.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the state may need to follow a commit whose files are there.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Why there are no rows of a view.
pub(in crate::server) enum ViewUnavailable {
    /// The book has no view of this name; those that it has.
    NoView(String),
    /// It is declared and not built.
    NotBuilt,
    /// It has too many groups.
    TooLarge(u64),
    /// Its declaration cannot be read.
    Unreadable(String),
    /// Its files cannot be read.
    Files(QueryError),
    /// The book changes faster than it can be read.
    Busy,
}

/// A state of the server that has the view in memory, and the view's table there. Reads the view's files if no state has it yet:
/// not for async threads.
pub(in crate::server) fn load_view(
    state: &AppState,
    name: &str,
) -> Result<(StateSnapshot, ViewTable), ViewUnavailable> {
    let begun = Instant::now();
    loop {
        let now = state.snapshot();
        if let Some(table) = now.view_table(name).cloned() {
            return Ok((now, table));
        }
        let (view, declared_at) = now.readable_view(name)?;
        if let Some(table) = read(state, &now, name, &view, declared_at)?
            && let Some(loaded) = state.add_view_table(name, table, &now.durable)
        {
            return Ok(loaded);
        }
        thread::sleep(RETRY_INTERVAL);
        if begun.elapsed() > TIMEOUT {
            return Err(ViewUnavailable::Busy);
        }
    }
}

/// Reads a view at the commit of a state; `None` if the book is at another one.
fn read(
    state: &AppState,
    now: &StateSnapshot,
    name: &str,
    view: &ReadableView,
    declared_at: u64,
) -> Result<Option<ViewTable>, ViewUnavailable> {
    let files = |error: BookError| ViewUnavailable::Files(error.into());
    let snapshot = Snapshot::take(&state.book).map_err(files)?;
    let is_same = |of_book: &Snapshot| {
        let log = of_book.state();
        log.book == now.durable.id
            && log.commit == now.durable.counts.complete_to.commit
            && log.views.get(name).is_some_and(|view| view.entry == declared_at && view.is_current)
    };
    if !is_same(&snapshot) {
        return Ok(None);
    }
    match ViewGroups::read(&snapshot, view) {
        Ok(groups) if !ViewTable::has_room_for(&groups) => Err(ViewUnavailable::TooLarge(groups.len() as u64)),
        Ok(groups) => Ok(Some(ViewTable::new(groups, declared_at))),
        // A commit since the snapshot may have replaced a file.
        Err(_) if !Snapshot::take(&state.book).is_ok_and(|newer| is_same(&newer)) => Ok(None),
        Err(error) => Err(ViewUnavailable::Files(error)),
    }
}

impl StateSnapshot {
    /// A view whose rows can be read, and the entry that declares it.
    pub(in crate::server) fn readable_view(&self, name: &str) -> Result<(ReadableView, u64), ViewUnavailable> {
        let known = self.durable.views.get(name);
        let groups = known.map_or(0, |known| known.groups);
        let readable = match (&self.live, known) {
            (Some(live), Some(_)) => {
                let kept = live.views.get(name).ok_or(ViewUnavailable::NotBuilt)?;
                Ok((kept.view.clone(), kept.entry))
            }
            (None, Some(known)) if known.is_current => match &known.view {
                Ok(view) => Ok((view.clone(), known.entry)),
                Err(reason) => Err(ViewUnavailable::Unreadable(reason.clone())),
            },
            (_, Some(_)) => Err(ViewUnavailable::NotBuilt),
            (_, None) => Err(ViewUnavailable::NoView(self.durable.views.names())),
        };
        match readable {
            Ok(_) if groups > MOST_GROUPS as u64 => Err(ViewUnavailable::TooLarge(groups)),
            readable => readable,
        }
    }
}
