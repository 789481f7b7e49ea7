//! The bytes of an input: opened, decompressed, and found to be the same as before.
//!
//! In: a path. Out: text from any byte of it, its size, and its fingerprint.

mod check;
mod compression;
mod fingerprint;
#[expect(clippy::module_inception, reason = "what is named is the folder's noun")]
mod input;
mod stream_head;
mod tail;

pub use check::InputCheck;
pub use compression::Damage;
pub use input::Input;
use input::is_same_file;
pub(super) use tail::InputTail;
