//! A book on an object store: the operations of a file system, each by few requests.
//!
//! In: paths relative to the book, as everywhere. Out: objects below a prefix of a bucket, with the same names as files have:
//!
//! ```text
//! a log entry                   put if its key is free; whatever the answer was, the entry is read before it counts as lost
//! a staged file, small          one object below _walbook/staging/, copied to its place after the entry stands
//! a staged file, large          the parts of an upload to its place, which is completed after the entry stands
//!   …/GENERATION/NAME.inprogress.upload      the ticket: key, upload and parts, one line of JSON
//! a generation                  …/GENERATION/.generation: without this object nothing more is staged by that run
//! a counts file, a view's file  replaced by one put, if it is still the version that was read
//! ```
//!
//! Promised: a listing of `events/` shows files that an entry names, and no others; an upload that an entry names is never ended but by its
//! completion, which may be repeated. Objects survive a crash when they are put, so syncs have nothing to do.
//!
//! Not promised, other than on a file system: an open file stays readable when it is removed. Compactions keep what they replace for
//! readers, under other keys, for a while.
//!
//! *Why copies of small files and uploads of large ones*: a copy needs three requests and moves the bytes once more inside the store; an upload needs
//! six and moves them once. *Why what is put by condition is read back*: stores answer a conflict (409) as if the key were taken, and a request that was
//! sent again meets what it has put itself. *Why one thread for all requests*: the callers are threads that wait, and the bytes pass through in large parts.

mod blocks;
mod calls;
mod client;
mod failure;
mod generation;
mod objects;
mod options;
mod probe;
mod staged_object;
mod ticket;
mod tree;
mod upload;

pub use client::open;
pub use objects::Bucket;
pub use tree::ObjectTree;
