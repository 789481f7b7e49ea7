//! The settings for reading a slot.

use super::PluginOptions;
use crate::postgres::ConnectSettings;
use crate::store::SpillSettings;

/// A slot and how to reach it.
#[derive(Clone, Debug)]
pub struct SlotSettings {
    /// The server.
    pub connect: ConnectSettings,
    /// The slot's name.
    pub slot: String,
    /// Options of the plugin.
    pub options: PluginOptions,
    /// Whether to create the slot if it does not exist.
    pub create: bool,
    /// Where large transactions wait for their end.
    pub spill: SpillSettings,
}
