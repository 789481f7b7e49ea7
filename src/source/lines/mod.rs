//! A file, or standard input, as a source: values as topics hold them, one a line, or what `pg_recvlogical` prints.
//!
//! In: bytes. Out: records; a record's offset is that of its first byte, and the next offset is the byte after its line end.
//! Each record tells by its first bytes what it is: a JSON line, a struct that Connect printed, or a line of test_decoding,
//! which goes on over line breaks inside its quotes. An empty line is a marker, and what is none of these is left to the parser.
//!
//! Promises: what stands inside a value never ends a record and never begins one; a transaction of test_decoding's lines
//! stays in one commit, and its changes know its number and its COMMIT's time; a file that is another one, or shorter than what
//! was read of it, is an error with the range. A last transaction without COMMIT is not read: the next run begins with it.
//!
//! A file that is followed is looked at when there is nothing to read: what its path names must begin as what was read does.
//!
//! Somebody may still write to a file. So at the end of a run that has one, what follows the last whole record is left to the
//! next run, with a warning that has the range: a line without line end, or with a quote that is not closed. Only a JSON
//! object is known to be whole without a line end, and is read. A stream cannot grow: its last line is read as it is.
//!
//! ```text
//! bytes ─▶ scan (where does a record end?) ─▶ assemble (to which transaction does it belong?) ─▶ chunks ─▶ worker
//! ```
//!
//! A thread reads and the worker takes, through a channel of a few chunks of 1 MB. A transaction waits for its COMMIT in
//! memory, beyond 64 MB in a file without a name. A record is in memory as a whole; PostgreSQL prints none above 1 GB, so a
//! quote that goes on longer is a broken line, which then ends where the line does.

mod assemble;
mod chunk;
mod error;
mod fingerprint;
mod held;
mod input;
#[expect(clippy::module_inception, reason = "the source is the room's noun")]
mod lines;
mod reader;
mod scan;
mod statement;
mod tail;
mod watch;

pub use error::LinesError;
pub use input::Input;
pub use lines::{LinesSource, Missing};
pub use watch::Watch;
