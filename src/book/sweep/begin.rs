//! What the run that owns a book does about a sweep.

use std::sync::Arc;

use super::sweeper::Sweeper;
use crate::book::Committer;

impl Committer {
    /// What sweeps the log of this book; it needs nothing of the committer.
    pub fn sweeper(&self) -> Sweeper {
        Sweeper::new(Arc::clone(&self.staging))
    }

    /// Lets the next checkpoints stop versions that know no sweep, so that it may begin when there are two of them.
    pub fn expect_sweep(&mut self) {
        self.may_be_swept = true;
    }
}
