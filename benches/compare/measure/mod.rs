//! What a contestant costs: time, CPU, memory, and the delay of what it shows.

pub(crate) mod delays;
pub(crate) mod live_stream;
pub(crate) mod process_tree;
pub(crate) mod schedule;
pub(crate) mod settling;
pub(crate) mod threads;

pub(crate) use process_tree::{Measured, measure};
