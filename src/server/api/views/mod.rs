//! `/api/views`: the views of the book, and the rows of one.

mod failures;
mod in_memory;
mod list;
mod rows;

pub(in crate::server) use failures::ViewErrors;
pub(in crate::server) use in_memory::view_in_memory;
pub(in crate::server) use list::{__path_views, views};
pub(in crate::server) use rows::{__path_view, view};
