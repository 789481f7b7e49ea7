//! What readers of a book are promised: exact answers at one commit, and a verification that names what is wrong.

mod beside_a_writer;
mod conditions;
mod damage;
mod damaged_rows;
mod formats;
pub(crate) mod loop_of_rows;
mod missing_files;
pub(crate) mod random;
