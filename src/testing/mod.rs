//! What tests and benches need: records with a known truth.
//!
//! In: a seed and a shape of data. Out: records, and what a reader of them must find. Nothing of the product's own path
//! from bytes to counts is used here, so that it can be compared with this.

mod oracle;
mod workload;

pub use oracle::count_naively;
pub use workload::{Shape, Workload, WorkloadRecord, pgbench};
