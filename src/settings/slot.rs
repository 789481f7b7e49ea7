//! What reading a slot needs, made of what was typed.

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
    let mut spill = Spill::default();
    if let Some(folder) = &args.spill_dir {
        spill.folder = folder.clone();
    }
    if !spill.folder.is_dir() {
        let message = format!("--spill-dir {}: there is no such folder", spill.folder.display());
        return Err(SettingsError::Wrong(message));
    }
    Ok(SlotSettings {
        connect: ConnectSettings::parse(url)?,
        slot: slot.to_owned(),
        options: PluginOptions::parse(&args.plugin_option)?,
        create: args.create_slot,
        spill,
    })
}
