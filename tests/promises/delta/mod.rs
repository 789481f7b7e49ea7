//! Delta tables over a book.

mod crash;
mod versions;
mod views;
mod world;
