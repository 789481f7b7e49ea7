//! How the object store of a book is reached; of all commands that have a book.

use clap::Args;

use super::heading::STORE;
use crate::settings::SettingsError;
use crate::store::{BookLocation, BookStore, StoreOption};

/// How the object store of a book is reached.
#[derive(Clone, Debug, Default, Args)]
pub struct StoreArgs {
    /// Options of an object store; may be repeated
    ///
    /// For a book at s3://, gs:// or az://: endpoint, region, account, path-style, allow-http, anonymous, timeout, connect-timeout, as in
    /// region=eu-central-1. Only in a build with `--features object-store`. Credentials come from the store's usual variables, files and roles. See docs/object-stores.md.
    #[arg(long, env = "WALBOOK_STORE", value_delimiter = ',', value_name = "KEY=VALUE,…", help_heading = STORE)]
    pub store: Vec<StoreOption>,
}

impl StoreArgs {
    /// The store of a book. Nothing is asked for yet.
    ///
    /// # Errors
    /// [`SettingsError::Store`].
    pub fn of(&self, book: &BookLocation) -> Result<BookStore, SettingsError> {
        Ok(BookStore::new(book, &self.store)?)
    }
}
