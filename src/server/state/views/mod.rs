//! Views in memory: which ones a book has, and the groups of those that clients ask for.
//!
//! In: the log; the changed groups of closed epochs, or the files that a commit replaces. Out: [`ViewTable`]s, as part of a live or a durable
//! state, so that an answer from them is about one closed epoch or one commit.
//!
//! ```text
//!  first request ─▶ files of the newest commit ─┐
//!                                               ├─▶ table ─▶ answers
//!  changed groups since that commit ────────────┘     ▲
//!  closed epochs of a run, or commits of a book ──────┘
//! ```
//!
//! For a view that is not in memory, a run keeps only the groups that changed since its newest commit.

mod known_views;
mod live_views;
mod load;
mod tables;
mod uncommitted;

pub(in crate::server) use known_views::{KnownView, KnownViews};
pub(in crate::server) use live_views::LiveViews;
pub(in crate::server) use load::{ViewUnavailable, load_view};
pub(in crate::server) use tables::{MOST_GROUPS, ViewTable, ViewTables};
pub(in crate::server) use uncommitted::UncommittedViews;
