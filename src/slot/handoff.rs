//! A queue between two threads that is bounded by bytes, and never waited for without end.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Items with their weight in bytes.
pub struct Handoff<T> {
    queue: Mutex<Queue<T>>,
    changed: Condvar,
    capacity: usize,
}

struct Queue<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    /// Whether somebody waits for an item: else nobody need be woken.
    taker_waits: bool,
}

impl<T> Handoff<T> {
    /// A queue that takes items until they weigh `capacity` bytes; one item may weigh more.
    pub fn new(capacity: usize) -> Handoff<T> {
        let queue = Queue { items: VecDeque::new(), bytes: 0, taker_waits: false };
        Handoff { queue: Mutex::new(queue), changed: Condvar::new(), capacity }
    }

    /// Adds an item of `bytes`, or gives it back when there was no room within `patience`.
    ///
    /// # Errors
    /// The item.
    pub fn offer(&self, item: T, bytes: usize, patience: Duration) -> Result<(), T> {
        let full = |queue: &mut Queue<T>| queue.bytes > 0 && queue.bytes + bytes > self.capacity;
        let waited = self.changed.wait_timeout_while(self.lock(), patience, full);
        let (mut queue, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return Err(item);
        }
        queue.items.push_back((item, bytes));
        queue.bytes += bytes;
        let wake = queue.taker_waits;
        drop(queue);
        if wake {
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Takes the oldest item, or `None` when none came within `patience`.
    pub fn take(&self, patience: Duration) -> Option<T> {
        let mut queue = self.lock();
        if queue.items.is_empty() && !patience.is_zero() {
            queue.taker_waits = true;
            let empty = |queue: &mut Queue<T>| queue.items.is_empty();
            let waited = self.changed.wait_timeout_while(queue, patience, empty);
            (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
            queue.taker_waits = false;
        }
        let (item, bytes) = queue.items.pop_front()?;
        let was_full = queue.bytes > self.capacity / 2;
        queue.bytes -= bytes;
        let has_room = queue.bytes <= self.capacity / 2;
        drop(queue);
        // Once per half of the queue, not once per item: the other side then finds more than one thing to do.
        if was_full && has_room {
            self.changed.notify_all();
        }
        Some(item)
    }

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_gives_the_item_back_and_a_large_item_passes_alone() {
        let handoff = Handoff::new(10);
        assert_eq!(handoff.offer('a', 25, Duration::ZERO), Ok(()));
        assert_eq!(handoff.offer('b', 1, Duration::ZERO), Err('b'));
        assert_eq!(handoff.take(Duration::ZERO), Some('a'));
        assert_eq!(handoff.offer('b', 9, Duration::ZERO), Ok(()));
        assert_eq!(handoff.offer('c', 2, Duration::ZERO), Err('c'));
        assert_eq!(handoff.take(Duration::ZERO), Some('b'));
        assert_eq!(handoff.take(Duration::ZERO), None);
    }
}
