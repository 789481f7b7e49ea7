//! A small shop and a broker, so that all of walbook can be seen with nothing installed.
//!
//! In: a seed and the present instant. Out: change records as a capture of the shop's database would have written them to a
//! topic, that topic itself, and the [`ExpectedCounts`] and [`ExpectedViews`] of the records.
//!
//! - [`Shop`] is deterministic: the same seed and the same instant give the same bytes.
//! - [`Shop::expected_counts`] and [`Shop::expected_views`] are counted from the actions, never by reading the records, so that they
//!   can check every reader of them.
//! - [`Broker`] is librdkafka's mock cluster in this process; it keeps a bounded tail of each partition, and passing
//!   that bound is an error.

mod actions;
mod broker;
mod business_hours;
mod change_line;
mod envelope;
mod expected_counts;
mod shop;
mod tables;
mod views;

pub use broker::{Broker, BrokerError};
pub use change_line::quoted;
pub use expected_counts::ExpectedCounts;
pub use shop::{Shop, ShopRecord};
pub use views::{ExpectedViews, VIEWS};
