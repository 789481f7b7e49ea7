//! A file, or standard input, as a source: values as topics hold them, one a line, or what `pg_recvlogical` or psql prints.
//!
//! In: bytes. Out: records; a record's offset is that of its first byte, and the next offset is the byte after its line end.
//! The first bytes of a record show its kind: a JSON line, a struct that Connect printed, or a line of test_decoding, which
//! continues over line breaks inside its quotes, alone or in a row that psql printed. An empty line is a marker, and so is what psql
//! prints around its rows; anything else is left to the parser.
//!
//! gzip and zstd are read as the text that they hold, and every offset is one of that text (`input/compression.rs`).
//!
//! The first 64 KiB decide whether records are lines, or JSON values of several lines or of an array, and whether it is an input at all
//! (`look.rs`): a book is not made of archives, other encodings or tables for people. A row of psql is recognized by itself, so that
//! a file can be continued at any record.
//!
//! Promises: what stands inside a value never ends a record and never begins one; a transaction of test_decoding's lines
//! stays in one commit, and its changes have its number and its COMMIT's time; a file that is another one, or shorter than
//! what was read of it, is an error with the range. A last transaction without COMMIT is not read: the next run begins with
//! it.
//!
//! When a followed file has nothing new, its path is checked: the file there must begin with the bytes that were read.
//!
//! Another process may still write to a file. So at the end of a run that has one, what follows the last whole record is
//! left to the next run, with a warning that has the range: a line without line end, or with a quote that is not closed.
//! Only a JSON object, a JSON string and a logical message, which states its length, are known to be whole without a line end or more
//! behind it, and are read. A stream cannot grow: its last line is read as
//! it is.
//!
//! ```text
//! bytes ─▶ input (decompressed) ─▶ look (what is it?) ─▶ scan (where does a record end?) ─▶ transaction (to which transaction does it belong?) ─▶ batches ─▶ worker
//! ```
//!
//! A thread reads and the worker polls, through a channel of a few batches of 1 MB. A transaction waits for its COMMIT in
//! memory, beyond 64 MB in an unlinked file. A record is in memory as a whole; PostgreSQL prints none above 1 GB, so a
//! longer quote is an invalid line, which then ends at its first line break.

mod batch;
mod delivery;
mod encoding;
mod error;
mod form;
#[cfg(feature = "fuzzing")]
mod fuzz;
mod input;
mod look;
mod reader;
mod reading;
mod records;
mod source;
mod transaction;

pub use error::FileError;
#[cfg(feature = "fuzzing")]
pub use fuzz::fuzz_records;
pub use input::{Damage, Input, InputCheck};
#[cfg(feature = "fuzzing")]
use records::{psql, scan};
pub use source::{FileSource, MissingEnd};
