//! Parse: every line of the grammar is told right, nothing panics, and the fast readers agree with slow ones.

#[path = "parse/agreement.rs"]
mod agreement;
#[path = "parse/days.rs"]
mod days;
#[path = "parse/envelopes.rs"]
mod envelopes;
#[path = "parse/lines.rs"]
mod lines;
#[path = "parse/oracle.rs"]
mod oracle;
#[path = "parse/properties.rs"]
mod properties;
#[path = "parse/samples.rs"]
mod samples;
