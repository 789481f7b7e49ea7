//! Workers, threads and processes: who they are, how they begin, keep time and end.
//!
//! In: the shape of the cluster (processes × workers) and, in process 0, the opened book. Out: the dataflow, running
//! until it is done, asked to end, or failed. Workers meet only in the dataflow, so 1 × 4, 2 × 2 and 4 × 1 are the same
//! program.
//!
//! The leader is process 0: its *clock* thread mints epochs and ends commits; everything else hears of them through
//! ticks. A failure anywhere ends its process, a lost process ends all, and recovery is the ordinary start.

mod clock;
mod lead;
mod peers;
mod wishes;
mod worker;

pub use clock::{Clock, ClockSettings, Lead};
pub use lead::{Feed, Leader, Led, lead};
pub use peers::{Peers, PeersError};
pub use wishes::report_wishes;
pub use worker::{Run, run};
