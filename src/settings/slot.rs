//! The settings for reading a replication slot, checked.

use std::path::PathBuf;

use super::SettingsError;
use super::args::SlotSourceArgs;
use crate::postgres::ConnectSettings;
use crate::replication::{PluginOptions, SlotSettings};
use crate::store::SpillSettings;

/// The slot, and the way to it.
///
/// # Errors
/// [`SettingsError`] when something is missing or wrong.
pub fn slot_settings(args: &SlotSourceArgs) -> Result<SlotSettings, SettingsError> {
    let url = args.postgres.as_deref().ok_or_else(|| SettingsError::missing("--postgres URL"))?;
    let slot = args
        .slot
        .as_deref()
        .map(str::trim)
        .filter(|slot| !slot.is_empty())
        .ok_or_else(|| SettingsError::missing("--slot NAME"))?;
    let spill = SpillSettings { folder: spill_folder(args)?, ..SpillSettings::default() };
    Ok(SlotSettings {
        connect: ConnectSettings::parse(url)?,
        slot: slot.to_owned(),
        options: PluginOptions::parse(&args.plugin_option)?,
        create: args.create_slot,
        spill,
    })
}

/// The directory for transactions that are too large for memory.
///
/// # Errors
/// [`SettingsError`] if it does not exist.
pub(super) fn spill_folder(args: &SlotSourceArgs) -> Result<PathBuf, SettingsError> {
    let folder = args.spill_dir.clone().unwrap_or_else(|| SpillSettings::default().folder);
    match folder.is_dir() {
        true => Ok(folder),
        false => Err(SettingsError::Wrong(format!("--spill-dir {}: no such directory", folder.display()))),
    }
}
