//! Declaring and dropping views: an entry that any process may put, while a run owns the book.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::book::log::entry::{Versions, ViewEntry};
use crate::book::read::view_files::parse_view;
use crate::book::write::beside::put_beside;
use crate::book::write::entry_parts::entry_of_views;
use crate::book::{BookError, State};
use crate::store::Store;

/// What is done to a view.
#[derive(Clone, Debug)]
pub enum ViewChange {
    /// `CREATE VIEW …`.
    Declare(String),
    /// Drop the one of this name.
    Drop(String),
}

/// Puts an entry that declares a view, or drops one. The run that owns the book goes on, and removes the files of a view that
/// was dropped; returns the name.
///
/// # Errors
/// [`BookError::View`] for a text that declares no view, for a name that exists already, and for one to drop that does not exist;
/// the error of `no_book` where there is no book; [`BookError::Io`].
pub fn change_view(
    store: &Arc<dyn Store>,
    versions: &Versions,
    change: &ViewChange,
    no_book: &dyn Fn() -> BookError,
) -> Result<String, BookError> {
    let mut name = String::new();
    put_beside(store, no_book, &mut |state: &State| {
        let (changed, said) = entry_of(state, change)?;
        name.clone_from(&changed);
        let views = BTreeMap::from([(changed, said)]);
        Ok(Some(entry_of_views(&**store, state, state.generation.clone(), versions.clone(), views)))
    })?;
    Ok(name)
}

/// What the entry says, and of which view.
fn entry_of(state: &State, change: &ViewChange) -> Result<(String, ViewEntry), BookError> {
    let refused = |view: &str, reason: String| BookError::View { view: view.to_owned(), reason: reason.into() };
    match change {
        ViewChange::Declare(text) => {
            let name = parse_view(state, 0, "not declared", text)?.name().to_owned();
            if state.views.contains_key(&name) {
                return Err(refused(&name, "there is a view of this name: drop it first, or use another name".into()));
            }
            Ok((name, ViewEntry { declared: Some(text.trim().to_owned()), ..ViewEntry::default() }))
        }
        ViewChange::Drop(name) => {
            if !state.views.contains_key(name) {
                let known: Vec<&str> = state.views.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "there are none".to_owned() } else { known.join(", ") };
                return Err(refused(name, format!("there is no view of this name; views of this book: {known}")));
            }
            Ok((name.clone(), ViewEntry { dropped: true, ..ViewEntry::default() }))
        }
    }
}
