//! The promises of a book, kept on an object store: the same scripts as on a disk, struck at every request.

mod answers;
mod compaction;
mod crash;
mod pruning;
mod readers;
mod sweep;
mod uploads;
mod zombie;
