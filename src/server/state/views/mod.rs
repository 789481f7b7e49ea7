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
//! A view that nobody asks for costs a run the changed groups since its newest commit, which the commit keeps as well.

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
