//! What lies behind the last record of a source: how far all is known to be empty, and what is arriving of the next one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the reader of a source knows of the stretch after its last record; cheap to clone, for whoever asks how far it is behind.
///
/// *Why* beside the positions: those move with records and now and then. The WAL that other databases of a server write
/// holds nothing for a slot, and who has read all that is there is not late because of it.
#[derive(Clone, Debug, Default)]
pub struct Quiet(Arc<Mutex<Behind>>);

#[derive(Debug, Default)]
struct Behind {
    /// Where no record begins.
    empty: (i64, i64),
    arriving: Underway,
    taken: Underway,
    repeated: Underway,
}

/// Something of which nothing can be committed before all of it is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Underway {
    /// Tells it from others.
    pub number: u64,
    /// How much of it there is so far; 0 where none has begun.
    pub so_far: u64,
}

impl Underway {
    fn end(&mut self) {
        *self = Underway { number: self.number + 1, so_far: 0 };
    }
}

impl Quiet {
    /// Says that no record begins at `from` or later and before `to`; all before `from` was delivered.
    pub fn note(&self, from: i64, to: i64) {
        let empty = &mut self.behind().empty;
        // A stretch that goes on where the known one ends: who stands before both skips both.
        let from = if (empty.0..=empty.1).contains(&from) { empty.0 } else { from };
        *empty = (from, to.max(from));
    }

    /// The first offset that may hold a record that was not read, given the first one that was not read.
    pub fn skip(&self, next: i64) -> i64 {
        let (from, to) = self.behind().empty;
        if next < from { next } else { next.max(to) }
    }

    /// Says that so many more bytes have come of the transaction that is arriving.
    pub fn arrives(&self, bytes: usize) {
        self.behind().arriving.so_far += bytes as u64;
    }

    /// Says that the transaction that was arriving is there, or comes again from its beginning.
    pub fn arrived(&self) {
        self.behind().arriving.end();
    }

    /// Says how many records were taken of the transaction that is being taken; none when there is no such one.
    pub fn taken(&self, records: Option<u64>) {
        let taken = &mut self.behind().taken;
        match records {
            Some(records) => taken.so_far = records,
            None => taken.end(),
        }
    }

    /// Says up to where the source went through what was read before, to come to what was not.
    pub fn repeats(&self, to: i64) {
        self.behind().repeated.so_far = to.unsigned_abs();
    }

    /// The transaction that is arriving, the one that is being taken, and what the source goes through again.
    pub fn underway(&self) -> [Underway; 3] {
        let behind = self.behind();
        [behind.arriving, behind.taken, behind.repeated]
    }

    fn behind(&self) -> MutexGuard<'_, Behind> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_read_all_before_it_skips_it() {
        let quiet = Quiet::default();
        assert_eq!(quiet.skip(7), 7);
        quiet.note(10, 50);
        assert_eq!([9, 10, 20, 60].map(|next| quiet.skip(next)), [9, 50, 50, 60]);
        quiet.note(50, 70);
        assert_eq!([9, 10, 50, 80].map(|next| quiet.skip(next)), [9, 70, 70, 80]);
        // A record lies between.
        quiet.note(72, 20);
        assert_eq!([10, 72].map(|next| quiet.skip(next)), [10, 72]);
    }

    #[test]
    fn what_arrives_is_of_one_transaction_until_it_is_there() {
        let quiet = Quiet::default();
        quiet.arrives(10);
        quiet.arrives(5);
        quiet.taken(Some(7));
        let underway = |number, so_far| Underway { number, so_far };
        quiet.repeats(9);
        assert_eq!(quiet.underway(), [underway(0, 15), underway(0, 7), underway(0, 9)]);
        quiet.arrived();
        quiet.taken(None);
        assert_eq!(quiet.underway(), [underway(1, 0), underway(1, 0), underway(0, 9)]);
    }
}
