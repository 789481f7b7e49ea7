//! What reading a slot needs to know.

use std::path::PathBuf;

use super::PluginOptions;
use crate::postgres::ConnectSettings;

/// A slot and the way to it.
#[derive(Clone, Debug)]
pub struct SlotSettings {
    /// The server.
    pub connect: ConnectSettings,
    /// The slot's name.
    pub slot: String,
    /// Options of the plugin.
    pub options: PluginOptions,
    /// Make the slot if it is not there.
    pub create: bool,
    /// Where large transactions wait for their end.
    pub spill: Spill,
}

/// When a transaction goes to disk, and where.
#[derive(Clone, Debug)]
pub struct Spill {
    /// Bytes that a transaction may hold in memory.
    pub memory: usize,
    /// The folder of the files.
    pub folder: PathBuf,
}

impl Default for Spill {
    fn default() -> Spill {
        Spill { memory: 16 << 20, folder: std::env::temp_dir() }
    }
}
