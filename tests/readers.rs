//! What readers of a book are promised: exact answers at one commit, and a verification that names what is wrong.

#[path = "readers/beside_a_writer.rs"]
mod beside_a_writer;
#[path = "readers/damage.rs"]
mod damage;
#[path = "readers/formats.rs"]
mod formats;
#[path = "readers/loop_of_rows.rs"]
mod loop_of_rows;
#[path = "readers/random.rs"]
mod random;
