//! What a run needs besides the machinery: its settings, and its origin.

use std::sync::Arc;
use std::time::Duration;

use super::Origin;
use crate::change::Failure;
use crate::cluster::{ClusterOptions, ClusterShape};
use crate::store::BookStore;

/// Makes the origin of a run, which has asked for nothing yet.
pub type MakeOrigin = Arc<dyn Fn() -> Result<Arc<dyn Origin>, Failure> + Send + Sync>;

/// What a run needs besides its origin.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Where the book is.
    pub book: BookStore,
    /// The cluster's shape.
    pub shape: ClusterShape,
    /// How its processes connect and what they agree on.
    pub cluster: ClusterOptions,
    /// The time between two commits.
    pub commit_interval: Duration,
    /// Size of a worker's files that ends a commit early.
    pub commit_bytes: u64,
    /// The most groups and distinct values that all views may have.
    pub view_max_groups: u64,
    /// The IANA name of the zone asked for, if any; else the book's own, else UTC.
    pub time_zone: Option<String>,
    /// The day rule asked for, if any; else the book's own, else `auto`.
    pub day_from: Option<String>,
    /// Whether records that could not be read make the run fail at its end.
    pub fail_on_rejects: bool,
    /// Whether to wait until no other run has the book.
    pub standby: bool,
    /// Whether to merge the small files of days in the background.
    pub compacts: bool,
    /// How long entries of the log are kept before they are swept; `None` for ever.
    pub keep_log: Option<Duration>,
    /// The least time between two versions of Delta tables; `None` without Delta tables.
    pub delta_interval: Option<Duration>,
    /// How many days before today keep their events and rejects; `None` keeps all.
    pub retain_days: Option<u32>,
    /// How long a run may be silent until one that stands by takes the book over.
    pub lease_timeout: Duration,
}
