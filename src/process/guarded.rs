//! Work that may panic on bytes that nobody has compared yet: its panic is an error, not the process's end.
//!
//! Any other panic ends the process (`main.rs`), so that no half of a run goes on without the other.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside of [`guarded`]: then a panic is somebody's answer.
pub fn is_guarded() -> bool {
    IS_GUARDED.get()
}

/// Does work that only reads what it is given; what it panicked with is the error.
///
/// # Errors
/// The panic's message.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let before = IS_GUARDED.replace(true);
    // What the work has touched is gone with it: it gets its input by reference and gives all else back.
    let done = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(before);
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
        assert_eq!(guarded(is_guarded), Ok(true));
        let place = 7;
        assert_eq!(guarded(|| [1][place]), Err("index out of bounds: the len is 1 but the index is 7".to_owned()));
        assert!(!is_guarded());
    }
}
