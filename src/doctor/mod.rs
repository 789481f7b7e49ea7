//! Looks at everything that a capture or a run stands on, and says what would hurt before it does.
//!
//! In: a PostgreSQL server, a slot, a topic, a book, each if it was named. Out: findings, each with what was seen and the
//! command that mends it.
//!
//! Promises: nothing is changed, but for a temporary slot that tries the plugin where no slot uses it yet, and ends with its
//! session; what cannot be reached is a finding, and the rest is looked at all the same. What is judged is judged by pure functions over facts that were gathered first.

mod book;
mod connect;
mod examine;
mod finding;
mod lag;
mod role;
mod server;
mod slot;
mod tables;
mod topic;

pub use examine::{Patient, examine};
pub use finding::{Examination, Finding};
