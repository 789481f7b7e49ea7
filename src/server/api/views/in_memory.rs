//! The groups of a view in memory, which a first request brings there.

use std::sync::Arc;

use super::failures::unavailable;
use crate::server::error::ApiError;
use crate::server::http::blocking::run_blocking;
use crate::server::state::{AppState, StateSnapshot, ViewTable, load_view};

/// The state with a view in memory: the one given if it has it.
pub(in crate::server) async fn view_in_memory(
    state: &Arc<AppState>,
    snapshot: StateSnapshot,
    name: &str,
) -> Result<(StateSnapshot, ViewTable), ApiError> {
    if let Some(table) = snapshot.view_table(name).cloned() {
        table.note_use();
        return Ok((snapshot, table));
    }
    snapshot.readable_view(name).map_err(|why| unavailable(name, why))?;
    let permit = state.permits.files.acquire().await?;
    let (shared, of_view) = (Arc::clone(state), name.to_owned());
    let load = move || {
        let _permit = permit;
        load_view(&shared, &of_view)
    };
    run_blocking(load).await?.map_err(|why| unavailable(name, why))
}
