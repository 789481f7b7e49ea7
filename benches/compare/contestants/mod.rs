//! Who is compared: walbook, the floor below it, and its peers.

pub(crate) mod capture;
pub(crate) mod debezium;
pub(crate) mod drain;
pub(crate) mod peer;
pub(crate) mod product;
pub(crate) mod served;

use std::time::Duration;

pub(crate) use drain::Drain;
pub(crate) use peer::{Peer, PeerProgram};
pub(crate) use product::Walbook;

use crate::Outcome;
use crate::environment::Environment;
use crate::load::Topic;
use crate::report::Run;

/// How long one run may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(900);

/// Something that reads a topic to its end and says what it has counted.
pub(crate) trait Contestant {
    /// Its name in the report, with what sets it apart from others of its kind.
    fn name(&self) -> String;

    /// Reads all of `topic` once, from nothing.
    fn run(&self, environment: &Environment, topic: &Topic) -> Outcome<Run>;
}
