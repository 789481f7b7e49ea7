//! What walbook promises of a book on an object store; everything runs without a service, on a bucket in memory.
//!
//! A target of its own beside the promises: it is small, and only it needs the feature.

#[path = "promises/book/world.rs"]
#[allow(dead_code, reason = "each target uses a part")]
mod book_world;
#[path = "promises/buckets/mod.rs"]
mod buckets;
#[path = "promises/compaction/world.rs"]
#[allow(dead_code, reason = "each target uses a part")]
mod compaction_world;
mod support;
#[path = "promises/sweep/world.rs"]
#[allow(dead_code, reason = "each target uses a part")]
mod sweep_world;

mod book {
    pub(crate) use crate::book_world as world;
}

mod compaction {
    pub(crate) use crate::compaction_world as world;
}

mod sweep {
    pub(crate) use crate::sweep_world as world;
}
