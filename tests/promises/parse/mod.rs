//! Parse: every line of the grammar is recognized, nothing panics, and the fast readers agree with slow ones.

mod agreement;
mod corpus;
mod days;
mod envelopes;
mod lines;
mod oracle;
pub(crate) mod properties;
mod repeated_keys;
mod samples;
