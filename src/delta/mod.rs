//! The tables of a book as Delta tables: `events/`, `counts/` and each `views/NAME/` with a folder `_delta_log/`.
//!
//! In: the state of the book at an entry of its log. Out: at most one version of each table that makes it what the state says.
//!
//! ```text
//! entries after the newest version ─▶ files then and now ─▶ names in _delta_files/ ─ synced ─▶ _delta_log/<version>.json put if absent
//! ```
//!
//! Promised: each version has exactly the rows of the book at one entry of its log, whose number is in the version's `txn` (application: the
//! book's identity). Entries that are no commits count as well: a merge changes files. A version is put whole and once: a run
//! that was stopped, or another run, makes the next one continue from what is there. A file that a kept version names stays as it is.
//! Delta never holds up a commit, and what fails here never ends a run.
//!
//! On a file system a version names hard links in `_delta_files/`, since the book replaces files of counts and views, and moves merged files away: the same bytes under
//! a name that stays. A store of objects has no links: files of events are named where they are, those of counts and views are put once more.
//!
//! *Why* our own actions and not the crate `delta_kernel` (0.30): its feature for our arrow takes `object_store` with the features `aws`, `azure` and `gcp`, which
//! bring a second provider of TLS, aws-lc, and its compiler of C and minutes; its transactions learn removed files only by a scan of the whole log.
//! It would be taken once its arrow comes without an object store. Six kinds of JSON lines and one Parquet schema are all that is written here.

mod actions;
mod checkpoint;
mod error;
mod event_files;
mod log;
mod schema;
mod tables;
mod vacuum;
mod verify;
mod writer;

pub use actions::{Action, Add, Format, MetaData, Protocol, Remove, Txn};
pub use error::DeltaError;
pub use log::{CHECKPOINT_INTERVAL, TableLog};
pub use tables::{DeltaTables, Written};
pub use verify::{TableStatus, status, verify};
