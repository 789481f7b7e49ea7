//! Work that may panic on bytes whose checksum is not compared yet: its panic becomes an error.
//!
//! Any other panic ends the process (`main.rs`), so that a run never continues without one of its threads.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static IS_CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside of [`catch_panic`]: then a panic does not end the process.
pub fn is_catching_panics() -> bool {
    IS_CATCHING.get()
}

/// Runs work that only reads its input, and returns a panic's message as the error.
///
/// # Errors
/// The panic's message.
pub fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let before = IS_CATCHING.replace(true);
    // Unwind safe: the work changes nothing that outlives it.
    let done = catch_unwind(AssertUnwindSafe(work));
    IS_CATCHING.set(before);
    done.map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_is_an_error() {
        assert_eq!(catch_panic(is_catching_panics), Ok(true));
        let place = 7;
        assert_eq!(catch_panic(|| [1][place]), Err("index out of bounds: the len is 1 but the index is 7".to_owned()));
        assert!(!is_catching_panics());
    }
}
