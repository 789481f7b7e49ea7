//! How a run is put together: where its records come from, its workers, and its steps from start to finish.
//!
//! In: [`RunOptions`], an [`Origin`], and, if the run is to be served, a server that listens. Out: the dataflow, running until
//! it is done, asked to end, or failed. A run owns its book from its fence on, and renews a lease; one that *stands by* waits until
//! no other run has the book. Workers meet only in the dataflow, so 1 × 4, 2 × 2 and 4 × 1 are the same program.
//! A failure anywhere ends its process, a lost process ends all, and recovery is the ordinary start.
//!
//! The leader's clock and operators are a room of their own, [`crate::leader`]: dataflows name them, and this room names
//! dataflows.

mod error;
mod interruptible;
mod lead;
mod lease_keeper;
mod open_book;
mod options;
mod origin;
mod source_watch;
mod standby;
mod start;
mod upkeep;
mod worker;

pub use error::RunError;
pub use lease_keeper::{LEASE_TIMEOUT, LeaseKeeper};
pub use open_book::versions;
pub use options::{MakeOrigin, RunOptions};
pub use origin::{FileOrigin, KafkaInput, KafkaOrigin, Origin, Plan, SlotOrigin};
pub use start::{create_book, start};
pub use worker::{Workers, run_workers, worker_config};
