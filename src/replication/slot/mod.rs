//! A slot on its server: the options of its plugin, its status, its health, and how they are printed.

pub(in crate::replication) mod lifecycle;
pub(in crate::replication) mod options;
pub(in crate::replication) mod print;
pub(in crate::replication) mod slot_health;
pub(in crate::replication) mod status;
pub(in crate::replication) mod survey;
