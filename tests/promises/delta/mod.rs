//! Delta tables over a book.

#[cfg(feature = "object-store")]
mod buckets;
mod crash;
mod vacuum;
mod versions;
mod views;
mod world;
