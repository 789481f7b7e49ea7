//! Whether a checkpoint agrees with the log up to its entry: a start reads it instead of the log.

use std::io::ErrorKind;

use super::chain::Chain;
use crate::book::error::with_causes;
use crate::book::log::checkpoint;
use crate::book::{BookError, State};
use crate::store::Disk;
use crate::store::layout::checkpoint_path;

/// Returns what is wrong with the checkpoint of an entry; `chain` is the log up to it, if all of it could be read.
pub(super) fn verify_checkpoint(disk: &Disk, number: u64, chain: Option<&Chain>) -> Option<String> {
    let wrong = match checkpoint::read(disk, number) {
        Ok(held) => difference(&held, &chain?.state()?)?,
        // A run has replaced it by a newer one meanwhile.
        Err(BookError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return None,
        Err(error) => return Some(with_causes(&error)),
    };
    Some(format!("{}: {wrong}", checkpoint_path(number)))
}

fn difference(held: &State, log: &State) -> Option<String> {
    for (topic, logged) in &log.topics {
        match held.topics.get(topic) {
            Some(held) if held == logged => {}
            Some(_) => return Some(format!("its positions of {topic} are not the log's")),
            None => return Some(format!("it has no topic {topic}")),
        }
    }
    for (day, logged) in &log.days {
        match held.days.get(day) {
            Some(held) if held == logged => {}
            Some(held) => return Some(format!("it has {} changes on {day}, the log {}", held.changes, logged.changes)),
            None => return Some(format!("it has no changes on {day}, the log {}", logged.changes)),
        }
    }
    // A version that does not record commit times may have written the checkpoint after one that does.
    let commit_time = held.commit_time.and(log.commit_time);
    (*held != State { commit_time, ..log.clone() }).then(|| "it differs from the log up to its entry".to_owned())
}
