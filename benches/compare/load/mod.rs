//! What the contestants read: records made from a seed, topics that hold them, and the counts that are known to be right.

pub(crate) mod counts;
pub(crate) mod records;
pub(crate) mod topic;

pub(crate) use counts::Counts;
pub(crate) use records::{Compression, RecordPlan, Shape, Tables};
pub(crate) use topic::Topic;
