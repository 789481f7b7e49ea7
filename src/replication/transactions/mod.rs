//! Whole transactions from lines, and the lines of one transaction until it is read.

pub(in crate::replication) mod assembler;
pub(in crate::replication) mod changes;
pub(in crate::replication) mod lines;
pub(in crate::replication) mod transaction;
