//! A stretch of a source in which nothing lies: where its last record ends, and how far after it all is known to be empty.

use std::sync::{Arc, Mutex, PoisonError};

/// What the reader of a source knows of the stretch after its last record; cheap to clone, for whoever asks how far it is behind.
///
/// *Why* beside the positions: those move with records and now and then. The WAL that other databases of a server write
/// holds nothing for a slot, and who has read all that is there is not late because of it.
#[derive(Clone, Debug, Default)]
pub struct Quiet(Arc<Mutex<(i64, i64)>>);

impl Quiet {
    /// Says that no record begins at `from` or later and before `to`; all before `from` was delivered.
    pub fn note(&self, from: i64, to: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (from, to.max(from));
    }

    /// The first offset that may hold a record that was not read, given the first one that was not read.
    pub fn skip(&self, next: i64) -> i64 {
        let (from, to) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if next < from { next } else { next.max(to) }
    }
}

#[cfg(test)]
mod tests {
    use super::Quiet;

    #[test]
    fn only_who_has_read_all_before_it_skips_it() {
        let quiet = Quiet::default();
        assert_eq!(quiet.skip(7), 7);
        quiet.note(10, 50);
        assert_eq!([9, 10, 20, 60].map(|next| quiet.skip(next)), [9, 50, 50, 60]);
        quiet.note(60, 20);
        assert_eq!([10, 60].map(|next| quiet.skip(next)), [10, 60]);
    }
}
