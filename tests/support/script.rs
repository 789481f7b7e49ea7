//! Work on a disk that is struck at one of its operations, or sleeps there: each operation comes at the same number each time, as long as
//! one thread does the work.

use std::thread;

use walbook::book::BookError;

use super::{Fault, Pause, Strikes, TestDisk};

/// Whether an operation only looks, so that nothing is lost at it.
pub fn looks(operation: &str) -> bool {
    ["list", "read", "look-up", "get", "head"].iter().any(|verb| operation.starts_with(verb))
}

/// Whether an operation only hands over bytes, of which there are many that are alike.
pub fn hands_over(operation: &str) -> bool {
    ["write", "put-part"].iter().any(|verb| operation.starts_with(verb))
}

/// The operations of some work, by number, as `verb path`.
///
/// # Panics
/// If the work fails.
pub fn operations_of<D: TestDisk, S: Default>(
    disk: D,
    script: impl FnOnce(&D, &mut S) -> Result<(), BookError>,
) -> Vec<(usize, String)> {
    script(&disk, &mut S::default()).expect("nothing strikes");
    disk.operations().into_iter().enumerate().collect()
}

/// What a disk holds after a script was struck at an operation, what it had acknowledged, and how it ended.
///
/// # Panics
/// If the operation was not reached.
pub fn struck<D: TestDisk, S: Default>(
    disk: D,
    number: usize,
    fault: Fault,
    script: impl FnOnce(&D, &mut S) -> Result<(), BookError>,
) -> (D, S, Result<(), BookError>) {
    disk.strike(number, fault);
    let mut seen = S::default();
    let ended = script(&disk, &mut seen);
    assert!(disk.is_struck(), "operation {number} was never reached");
    (disk, seen, ended)
}

/// Lets the waiting test continue when the work ends, also by a panic.
struct Passes(Pause);

impl Drop for Passes {
    fn drop(&mut self) {
        self.0.pass();
    }
}

/// Work of a process of its own that sleeps before one of its operations.
pub struct Sleeper<D, T> {
    process: D,
    pause: Pause,
    thread: thread::JoinHandle<T>,
    context: String,
}

impl<D: TestDisk, T: Send + 'static> Sleeper<D, T> {
    /// Begins the work on a disk, and waits until it sleeps, or has ended before it came so far. `context` is named if it panics.
    pub fn before(
        disk: &D,
        number: usize,
        context: &str,
        work: impl FnOnce(&D) -> T + Send + 'static,
    ) -> Sleeper<D, T> {
        let (process, pause) = (disk.process(), Pause::new());
        process.strike(number, Fault::Sleep(pause.clone()));
        let thread = {
            let (process, pause) = (process.clone(), pause.clone());
            thread::spawn(move || {
                let _passes = Passes(pause);
                work(&process)
            })
        };
        pause.wait();
        Sleeper { process, pause, thread, context: context.to_owned() }
    }

    /// Requires that it sleeps.
    ///
    /// # Panics
    /// If it has ended without having come to the operation.
    #[must_use]
    pub fn asleep(self) -> Sleeper<D, T> {
        assert!(self.process.is_struck(), "{}: it was never reached", self.context);
        self
    }

    /// Counts whether it came to the operation.
    #[must_use]
    pub fn counted(self, strikes: &mut Strikes) -> Sleeper<D, T> {
        strikes.count(&self.process);
        self
    }

    /// Wakes it, and returns how it ended.
    ///
    /// # Panics
    /// If it panicked.
    pub fn wake(self) -> T {
        self.pause.wake();
        self.thread.join().unwrap_or_else(|_| panic!("{}: it panicked", self.context))
    }
}
