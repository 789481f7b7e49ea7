//! Work on many files: on a file system one after the other; on an object store several at a time, because each waits for answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::BookError;
use crate::store::Store;

/// The most requests that wait at the same time.
const MOST_THREADS: usize = 16;
/// So few items are worth no thread.
const FEW: usize = 8;

/// How many items are worth being given together: one by one on a file system.
pub(in crate::book) fn at_once(store: &dyn Store) -> usize {
    if store.objects().is_some() { MOST_THREADS * 4 } else { 1 }
}

/// Does something with each item, and returns the outcomes in their order. On a file system nothing is done after the first error.
///
/// # Errors
/// The first one in the order of the items.
pub(in crate::book) fn concurrently<T: Sync, R: Send>(
    store: &dyn Store,
    items: &[T],
    act: impl Fn(&T) -> Result<R, BookError> + Sync,
) -> Result<Vec<R>, BookError> {
    if store.objects().is_none() || items.len() <= FEW {
        return items.iter().map(act).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else { return done };
            done.push((number, act(item)));
        }
    };
    let mut done = thread::scope(|scope| {
        let threads: Vec<_> = (0..MOST_THREADS.min(items.len())).map(|_| scope.spawn(work)).collect();
        let done = threads.into_iter().map(|thread| thread.join().expect("a panic ends the process"));
        done.flatten().collect::<Vec<_>>()
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
