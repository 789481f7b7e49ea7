//! What reading a slot needs, made of what was typed.

use std::path::PathBuf;

use super::SettingsError;
use super::args::SlotSourceArgs;
use crate::postgres::ConnectSettings;
use crate::slot::{PluginOptions, SlotSettings, Spill};

/// The slot and the way to it.
///
/// # Errors
/// [`SettingsError`] for whatever is missing or does not fit.
pub fn slot_settings(args: &SlotSourceArgs) -> Result<SlotSettings, SettingsError> {
    let missing = |what: &str| {
        SettingsError::Wrong(format!("{what} is needed (or its variable, or its key in the settings file)"))
    };
    let url = args.postgres.as_deref().ok_or_else(|| missing("--postgres URL"))?;
    let slot =
        args.slot.as_deref().map(str::trim).filter(|slot| !slot.is_empty()).ok_or_else(|| missing("--slot NAME"))?;
    let spill = Spill { folder: spill_folder(args)?, ..Spill::default() };
    Ok(SlotSettings {
        connect: ConnectSettings::parse(url)?,
        slot: slot.to_owned(),
        options: PluginOptions::parse(&args.plugin_option)?,
        create: args.create_slot,
        spill,
    })
}

/// Where large transactions wait for their end.
///
/// # Errors
/// [`SettingsError`] if there is no such folder.
pub(super) fn spill_folder(args: &SlotSourceArgs) -> Result<PathBuf, SettingsError> {
    let folder = args.spill_dir.clone().unwrap_or_else(|| Spill::default().folder);
    match folder.is_dir() {
        true => Ok(folder),
        false => Err(SettingsError::Wrong(format!("--spill-dir {}: there is no such folder", folder.display()))),
    }
}
