//! A small shop and a broker, so that the whole of walbook can be seen with nothing installed.
//!
//! In: a seed and the present instant. Out: change records as a capture of the shop's database would have put them on a
//! topic, that topic itself, and the [`Truth`] about them.
//!
//! - [`Shop`] is deterministic: the same seed and the same instant give the same bytes.
//! - [`Shop::truth`] is counted while the shop acts, never by reading its records: whoever reads them can be checked.
//! - [`Broker`] is librdkafka's mock cluster in this process; it keeps a bounded tail of each partition and says so
//!   when that bound was passed.

mod actions;
mod broker;
mod envelope;
mod line;
mod random;
mod rhythm;
mod shop;
mod tables;
mod truth;

pub use broker::{Broker, BrokerError};
pub use line::quoted;
pub use random::Random;
pub use shop::{Shop, ShopRecord};
pub use truth::Truth;
