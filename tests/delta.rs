//! What walbook promises of Delta tables over a book; everything runs without a service, on a disk in memory.
//!
//! A target of its own beside the promises: it is small, and only it needs the feature.

#[path = "promises/book/world.rs"]
#[allow(dead_code, reason = "each target uses a part")]
mod book_world;
#[path = "promises/compaction/world.rs"]
#[allow(dead_code, reason = "each target uses a part")]
mod compaction_world;
#[path = "promises/delta/mod.rs"]
mod delta;
mod support;

mod book {
    pub(crate) use crate::book_world as world;
}

mod compaction {
    pub(crate) use crate::compaction_world as world;
}
