//! How much freed memory the system's allocator keeps.
//!
//! *Why not another allocator*: mimalloc answers clients from as little memory only if it returns pages at once, which costs a
//! run 60 % more processor time; by default it costs 10 % more, and keeps twice as much. A bound on arenas costs nothing that
//! could be measured (1.5 M records of a file, 2 workers: 1.67 CPU-s without it, 1.65 with it).

/// Arenas of freed memory. By default glibc makes eight for each processor, and each keeps what the threads that use it have
/// freed: after downloads on several threads that is some hundred megabytes.
#[cfg(target_env = "gnu")]
const ARENAS: libc::c_int = 1;

/// Bounds the memory that the allocator keeps; to be called before any thread is started.
#[cfg(target_env = "gnu")]
pub fn bound_allocator() {
    // SAFETY: the call sets a number in the allocator under its own lock.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
}

/// Other allocators are not bounded.
#[cfg(not(target_env = "gnu"))]
pub fn bound_allocator() {}
