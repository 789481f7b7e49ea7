//! What a client of the stream watches: counts, or the rows of a view.

use std::sync::Arc;

use crate::query::{AnswerHead, Filter, GroupBy, QueryError, RowStyle};
use crate::server::api::views::view_in_memory;
use crate::server::error::ApiError;
use crate::server::state::{AppState, FrameChanges, StateSnapshot, ViewTable};

/// Changed counts that are written at once; more are written on a blocking thread.
const FEW_COUNTS: usize = 2_000;
/// About how many bytes a count has in an event.
const COUNT_BYTES: usize = 100;
/// Changed groups of a view that are written at once.
const FEW_GROUPS: usize = 200;

/// What a client watches.
#[derive(Clone)]
pub(super) enum Watched {
    /// The counts that a filter accepts.
    Counts(Filter),
    /// The rows of a view on the days of a filter.
    View { name: String, days: Filter },
}

/// What a client was sent.
#[derive(Clone, Copy)]
pub(super) struct Sent {
    /// The number of the frame.
    pub(super) frame: u64,
    /// Of a view: the load that brought it into memory. Changes since then are known, if they are not too many.
    pub(super) load: Option<u64>,
}

/// All that a client watches, as text.
pub(super) struct SnapshotText {
    /// What the client has with it.
    pub(super) sent: Sent,
    /// About its bytes.
    pub(super) bytes: usize,
    pub(super) pieces: Box<dyn Iterator<Item = Result<Vec<u8>, QueryError>> + Send>,
}

/// What it costs to write a delta.
pub(super) struct DeltaCost {
    /// Whether it is written faster than a blocking thread wakes up.
    pub(super) is_quick: bool,
    /// About its bytes.
    pub(super) bytes: usize,
}

impl Watched {
    /// Refuses what cannot be watched. A view is in memory afterwards.
    pub(super) async fn check(&self, state: &Arc<AppState>) -> Result<(), ApiError> {
        match self {
            Watched::Counts(filter) => {
                state.frames.newest().snapshot.counts().totals.select(filter, &[])?;
            }
            Watched::View { name, days } => {
                let (_, table) = view_in_memory(state, state.snapshot(), name).await?;
                table.groups.check_days(days)?;
            }
        }
        Ok(())
    }

    /// What a client has that was sent the event with this id, if all changes since then are known.
    pub(super) fn resume(&self, state: &AppState, id: &str) -> Option<Sent> {
        match self {
            Watched::Counts(_) => Some(Sent { frame: state.frames.resume(id)?, load: None }),
            Watched::View { name, .. } => {
                let (frame, load) = id.rsplit_once('-')?;
                let (frame, load) = (state.frames.resume(frame)?, load.parse().ok()?);
                let is_known = state.snapshot().view_table(name).is_some_and(|table| table.load_number() == load);
                is_known.then_some(Sent { frame, load: Some(load) })
            }
        }
    }

    /// Keeps a view in memory while nothing changes.
    pub(super) fn note_use(&self, state: &AppState) {
        if let Watched::View { name, .. } = self {
            state.snapshot().view_table(name).into_iter().for_each(ViewTable::note_use);
        }
    }

    /// All of it, with what follows its rows.
    pub(super) async fn snapshot(
        &self,
        state: &Arc<AppState>,
        end: impl Fn(&StateSnapshot) -> String,
    ) -> Result<SnapshotText, ApiError> {
        match self {
            Watched::Counts(filter) => {
                let frame = state.frames.newest();
                let sent = Sent { frame: frame.number, load: None };
                let counts = frame.snapshot.counts();
                let head = [snapshot_head(&sent.id(state)), counts.json_head(filter)].concat();
                let selection = counts.totals.select(filter, &GroupBy::DEFAULT)?;
                let text = selection.text(RowStyle::Json, head, end(&frame.snapshot).into_bytes());
                Ok(SnapshotText { sent, bytes: text.most_bytes(), pieces: Box::new(text.map(Ok)) })
            }
            Watched::View { name, days } => {
                let (frame, snapshot, table) = loop {
                    let (frame, snapshot) = state.since_newest_frame();
                    if let Some(table) = snapshot.view_table(name).cloned() {
                        break (frame, snapshot, table);
                    }
                    view_in_memory(state, snapshot, name).await?;
                };
                table.note_use();
                let sent = Sent { frame, load: Some(table.load_number()) };
                let counts = snapshot.counts();
                let columns = table.groups.columns();
                let head = AnswerHead { columns: Some(&columns), ..counts.head(days) };
                let head = [snapshot_head(&sent.id(state)), head.json().into_bytes()].concat();
                let text = table.groups.text(days, head, end(&snapshot).into_bytes())?;
                Ok(SnapshotText { sent, bytes: text.most_bytes(), pieces: Box::new(text) })
            }
        }
    }

    /// What it costs to write what changed; `None` if that is not known.
    pub(super) fn delta_cost(&self, changes: &FrameChanges, sent: Sent) -> Option<DeltaCost> {
        match self {
            Watched::Counts(filter) => {
                let counts = changes.counts();
                let bytes = if filter.names_tables() { 0 } else { counts * COUNT_BYTES };
                Some(DeltaCost { is_quick: counts <= FEW_COUNTS, bytes })
            }
            Watched::View { name, .. } => {
                let table = table_at(changes, name, sent)?;
                table.note_use();
                let groups = changes.groups(table.load_number()).count();
                Some(DeltaCost { is_quick: groups <= FEW_GROUPS, bytes: groups * table.groups.row_bytes() })
            }
        }
    }

    /// The rows that changed, as JSON; `None` if they are not known.
    pub(super) fn delta_rows(&self, changes: &FrameChanges, sent: Sent) -> Option<Vec<u8>> {
        match self {
            Watched::Counts(filter) => Some(changes.counts_json(filter)),
            Watched::View { name, days } => {
                let table = table_at(changes, name, sent)?;
                table.groups.changed_json(changes.groups(table.load_number()), days).ok()
            }
        }
    }
}

impl Sent {
    /// The id under which the client knows it.
    pub(super) fn id(&self, state: &AppState) -> String {
        let frame = state.frames.id(self.frame);
        self.load.map_or(frame.clone(), |load| format!("{frame}-{load}"))
    }
}

/// The table of a view to which a delta leads, if it is the one of which the client was sent a state.
fn table_at<'c>(changes: &'c FrameChanges, name: &str, sent: Sent) -> Option<&'c ViewTable> {
    changes.frame.snapshot.view_table(name).filter(|table| Some(table.load_number()) == sent.load)
}

fn snapshot_head(id: &str) -> Vec<u8> {
    format!("event: snapshot\nid: {id}\ndata: ").into_bytes()
}
