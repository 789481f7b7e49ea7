//! A queue between two threads that is bounded by bytes and never waits without a timeout.
//!
//! Our own: the bounded channels of std and crossbeam were looked at, and they count items, not bytes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Items with their weight in bytes, from one producer to one consumer.
pub struct Handoff<T> {
    queue: Mutex<HandoffQueue<T>>,
    changed: Condvar,
    capacity: usize,
}

struct HandoffQueue<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    /// Whether the consumer waits for an item: otherwise a new item notifies nothing.
    consumer_waits: bool,
    /// The weight of the item for which the producer waits.
    producer_waits: Option<usize>,
}

impl<T> HandoffQueue<T> {
    fn has_room(&self, bytes: usize, capacity: usize) -> bool {
        self.bytes == 0 || self.bytes + bytes <= capacity
    }
}

impl<T> Handoff<T> {
    /// A queue for items of `capacity` bytes together; a single item may weigh more.
    pub fn new(capacity: usize) -> Handoff<T> {
        let queue = HandoffQueue { items: VecDeque::new(), bytes: 0, consumer_waits: false, producer_waits: None };
        Handoff { queue: Mutex::new(queue), changed: Condvar::new(), capacity }
    }

    /// Adds an item of `bytes`, or returns it if there was no room within `timeout`.
    ///
    /// # Errors
    /// The item.
    pub fn offer(&self, item: T, bytes: usize, timeout: Duration) -> Result<(), T> {
        let mut queue = self.lock();
        if !queue.has_room(bytes, self.capacity) {
            queue.producer_waits = Some(bytes);
            let is_full = |queue: &mut HandoffQueue<T>| !queue.has_room(bytes, self.capacity);
            let (waited, result) =
                self.changed.wait_timeout_while(queue, timeout, is_full).unwrap_or_else(PoisonError::into_inner);
            queue = waited;
            queue.producer_waits = None;
            if result.timed_out() {
                return Err(item);
            }
        }
        queue.items.push_back((item, bytes));
        queue.bytes += bytes;
        let wake = queue.consumer_waits;
        drop(queue);
        if wake {
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Removes the oldest item, or returns `None` if none came within `timeout`.
    pub fn poll(&self, timeout: Duration) -> Option<T> {
        let mut queue = self.lock();
        if queue.items.is_empty() && !timeout.is_zero() {
            queue.consumer_waits = true;
            let is_empty = |queue: &mut HandoffQueue<T>| queue.items.is_empty();
            let waited = self.changed.wait_timeout_while(queue, timeout, is_empty);
            (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
            queue.consumer_waits = false;
        }
        let (item, bytes) = queue.items.pop_front()?;
        queue.bytes -= bytes;
        // Half of the queue must be free, so that the producer wakes for more than one item; a larger item needs what it needs.
        let free = |waiting: usize| queue.has_room(waiting.max(self.capacity / 2), self.capacity);
        let wake = queue.producer_waits.is_some_and(free);
        drop(queue);
        if wake {
            self.changed.notify_all();
        }
        Some(item)
    }

    fn lock(&self) -> MutexGuard<'_, HandoffQueue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_full_queue_returns_the_item_and_a_large_item_passes_alone() {
        let handoff = Handoff::new(10);
        assert_eq!(handoff.offer('a', 25, Duration::ZERO), Ok(()));
        assert_eq!(handoff.offer('b', 1, Duration::ZERO), Err('b'));
        assert_eq!(handoff.poll(Duration::ZERO), Some('a'));
        assert_eq!(handoff.offer('b', 9, Duration::ZERO), Ok(()));
        assert_eq!(handoff.offer('c', 2, Duration::ZERO), Err('c'));
        assert_eq!(handoff.poll(Duration::ZERO), Some('b'));
        assert_eq!(handoff.poll(Duration::ZERO), None);
    }

    #[test]
    fn a_producer_is_woken_as_soon_as_its_item_has_room() {
        // In each case the last item that makes room does not bring the queue from above to below its half.
        for (queued, waiting) in [(&[4, 4][..], 7), (&[25], 3), (&[2, 2, 2, 2], 9)] {
            let handoff = Arc::new(Handoff::new(10));
            for bytes in queued {
                assert_eq!(handoff.offer((), *bytes, Duration::ZERO), Ok(()));
            }
            let (begin, timeout) = (Instant::now(), Duration::from_secs(20));
            let producer = Arc::clone(&handoff);
            let producer = thread::spawn(move || producer.offer((), waiting, timeout));
            while handoff.lock().producer_waits.is_none() {
                thread::yield_now();
            }
            for _ in queued {
                assert_eq!(handoff.poll(Duration::ZERO), Some(()));
            }
            assert_eq!(producer.join().expect("it does not panic"), Ok(()));
            assert!(begin.elapsed() < timeout / 2, "the producer waited for its timeout");
        }
    }
}
