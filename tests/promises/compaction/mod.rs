//! The promises of compaction: the same rows in fewer files, whatever stops, races or is damaged, and whoever reads meanwhile.

mod beside;
mod command;
mod crash;
mod merged_files;
mod readers;
mod refused;
mod scale;
pub(crate) mod world;
