//! The lease: the sign of life of the run that owns a book, for runs that stand by.
//!
//! In: on one side the staging folder of a run, on the other a book's log and the passing of time. Out: a small file that changes
//! every few seconds, and the moment at which it has not changed for too long.
//!
//! On disk: `lease.json` in the run's own staging folder, one line of JSON (`lease.rs`). It is replaced by a rename and never
//! synced: after a power cut no run owns the book. At an orderly end the run writes that it has released the book; a missing file means nothing.
//!
//! **No promise about what is in a book rests on a lease.** Who writes is decided by the log, in which a newer run puts its fence: a lease only says when
//! it is worth trying. A lease that is seen too late, or not at all, costs a fence, never a record.
//!
//! *Why* in the staging folder: each run has its own, which a newer run removes, so no run can renew or remove the lease of
//! another. *Why* no time of day in it: the clocks of two machines differ. A run that stands by measures with its own clock how
//! long the lease has not changed.

#[expect(clippy::module_inception, reason = "the lease is the room's noun")]
mod lease;
mod watch;

pub use lease::Lease;
pub use watch::{LeaseWatch, Vacancy};
