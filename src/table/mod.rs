//! Rows → Parquet files that are complete, synced and still in staging.
//!
//! In: [`Rows`](crate::change::Rows), batch by batch, each in the order it was read, with the day of each stretch.
//! Out: [`SealedFile`](crate::change::SealedFile)s, one per commit, worker, day and 128 MB.
//!
//! Promises: rows of one partition stand in offset order within a file; memory and open files are bounded whatever the
//! number of days and the length of a commit; a sealed file's bytes and name survive a crash.
//!
//! Files are Parquet with zstd-1, dictionaries for names, delta encodings for numbers and text, and no Arrow schema
//! inside (readers would see categoricals). Key-value metadata describe each file on its own: `walbook.book`,
//! `walbook.generation`, `walbook.commit`, `walbook.offsets` (JSON: topic → partition → first and last offset),
//! `walbook.rows`, `walbook.parser`. Files of merged rows ([`MergedTableFile`]) have no `walbook.commit`, several versions in `walbook.parser`, and zstd-3.
//!
//! What did not help: zstd's level -1 (files a third larger, no less processor time), batches of 2 048 to 8 192 records instead of 16 384, a higher
//! threshold of the allocator for memory of its own (1 %), one codegen unit (2 %, for a longer build).

mod columns;
mod commit_buffer;
mod error;
mod merged_file;
mod schema;
mod seal;
mod writer;

pub use columns::{EventColumns, EventRow, RejectColumns};
pub use commit_buffer::CommitBuffer;
pub use error::TableError;
pub use merged_file::{MergedNaming, MergedTableFile, SealedMerge};
pub use schema::RowFormat;
pub use seal::{FileOutput, Sealed, seal_files};
pub use writer::{FileNaming, TableFile};
