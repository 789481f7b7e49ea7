//! Removing old versions, and files that no kept version names.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;
use tracing::info;

use super::actions::{Action, decode};
use super::checkpoint;
use super::error::{At, DeltaError, gone_is_fine};
use super::log::{TableLog, checkpoint_path, list, version_path};
use super::writer::Writer;
use crate::store::layout::{DELTA_FILES, day_of_folder};

/// Removes what is older than the newest checkpoint that is at least `keep` old: the versions from that one on stay readable.
///
/// Versions go first: a run that is stopped in between leaves files that nothing names, which the next one removes.
pub(super) fn vacuum(writer: &Writer, table: &TableLog, keep: Duration) -> Result<(), DeltaError> {
    let store = writer.store();
    let (versions, checkpoints) = list(store, &table.folder)?;
    let limit = writer.now().saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
    let mut first_kept = None;
    for checkpoint in checkpoints.iter().rev() {
        if versions.binary_search(checkpoint).is_ok() && written_at(writer, table, *checkpoint)? <= limit {
            first_kept = Some(*checkpoint);
            break;
        }
    }
    let Some(first_kept) = first_kept else { return Ok(()) };
    for version in versions.iter().filter(|version| **version < first_kept) {
        let path = version_path(&table.folder, *version);
        gone_is_fine(store.remove_file(&path)).at("remove", &path)?;
    }
    for checkpoint in checkpoints.iter().filter(|checkpoint| **checkpoint < first_kept) {
        let path = checkpoint_path(&table.folder, *checkpoint);
        gone_is_fine(store.remove_file(&path)).at("remove", &path)?;
    }
    let path = checkpoint_path(&table.folder, first_kept);
    let held = checkpoint::decode(store.read(&path).at("read", &path)?.into());
    let mut named: HashSet<String> = HashSet::new();
    named.extend(added(held.map_err(|reason| DeltaError::damaged(&path, reason))?));
    for version in versions.iter().filter(|version| **version > first_kept) {
        let path = version_path(&table.folder, *version);
        let actions = decode(&store.read(&path).at("read", &path)?);
        named.extend(added(actions.map_err(|reason| DeltaError::damaged(&path, reason))?));
    }
    let removed = remove_unnamed(writer, &table.folder, &named)?;
    info!(table = table.folder, first_kept, removed, "removed old versions of a Delta table");
    Ok(())
}

fn added(actions: Vec<Action>) -> impl Iterator<Item = String> {
    actions.into_iter().filter_map(|action| if let Action::Add(add) = action { Some(add.path) } else { None })
}

/// When a version was written, by the writer's clock; what does not say it is new.
fn written_at(writer: &Writer, table: &TableLog, version: u64) -> Result<i64, DeltaError> {
    let path = version_path(&table.folder, version);
    let actions = decode(&writer.store().read(&path).at("read", &path)?);
    let info = actions.map_err(|reason| DeltaError::damaged(&path, reason))?.into_iter().find_map(|action| {
        if let Action::CommitInfo(info) = action { info.get("timestamp").and_then(Value::as_i64) } else { None }
    });
    Ok(info.unwrap_or(i64::MAX))
}

fn remove_unnamed(writer: &Writer, folder: &str, named: &HashSet<String>) -> Result<u64, DeltaError> {
    let store = writer.store();
    let files = format!("{folder}/{DELTA_FILES}");
    let names = |folder: &str| gone_is_fine(store.list(folder)).at("list", folder);
    let mut removed = 0;
    for name in names(&files)? {
        let below = match day_of_folder(&name) {
            Some(_) => names(&format!("{files}/{name}"))?.into_iter().map(|file| format!("{name}/{file}")).collect(),
            None => vec![name],
        };
        for name in below.into_iter().map(|name| format!("{DELTA_FILES}/{name}")) {
            if name.ends_with(".parquet") && !named.contains(&name) {
                let path = format!("{folder}/{name}");
                gone_is_fine(store.remove_file(&path)).at("remove", &path)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
