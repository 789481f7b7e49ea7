//! Whether a checkpoint holds what the log says up to its entry: a start believes it instead of reading the log.

use std::io::ErrorKind;

use super::chain::Chain;
use crate::book::error::with_causes;
use crate::book::{BookError, State, checkpoint};
use crate::store::Disk;
use crate::store::layout::checkpoint_path;

/// Tells what is wrong with the checkpoint of an entry; `chain` is the log up to it, if all of it could be read.
pub(super) fn verify_checkpoint(disk: &Disk, number: u64, chain: Option<&Chain>) -> Option<String> {
    let wrong = match checkpoint::read(disk, number) {
        Ok(held) => difference(&held, &chain?.state()?)?,
        // A run has written a newer one meanwhile, and removed it.
        Err(BookError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return None,
        Err(error) => return Some(with_causes(&error)),
    };
    Some(format!("{}: {wrong}", checkpoint_path(number)))
}

fn difference(held: &State, log: &State) -> Option<String> {
    for (topic, said) in &log.topics {
        match held.topics.get(topic) {
            Some(held) if held == said => {}
            Some(_) => return Some(format!("its positions of {topic} are not the log's")),
            None => return Some(format!("it has no topic {topic}")),
        }
    }
    for (day, said) in &log.days {
        match held.days.get(day) {
            Some(held) if held == said => {}
            Some(held) => return Some(format!("it has {} changes on {day}, the log {}", held.changes, said.changes)),
            None => return Some(format!("it has no changes on {day}, the log {}", said.changes)),
        }
    }
    (held != log).then(|| "it does not say what the log says up to its entry".to_owned())
}
