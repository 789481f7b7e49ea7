//! For tests: a store that crashes.
