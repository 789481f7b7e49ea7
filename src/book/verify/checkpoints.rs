//! Whether a checkpoint agrees with the log up to its entry: a start reads it instead of the log.

use std::io::ErrorKind;

use super::chain::Chain;
use crate::book::log::checkpoint;
use crate::book::{BookError, State};
use crate::change::with_causes;
use crate::store::Store;
use crate::store::layout::checkpoint_path;

/// Returns what is wrong with the checkpoint of an entry; `chain` is the log up to it, if all of it could be read.
pub(super) fn verify_checkpoint(store: &dyn Store, number: u64, chain: Option<&Chain>) -> Option<String> {
    let wrong = match checkpoint::read(store, number) {
        Ok(held) => difference(&held.state, &chain?.state()?)?,
        // A run has replaced it by a newer one meanwhile.
        Err(BookError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return None,
        Err(error) => return Some(with_causes(&error)),
    };
    Some(format!("{}: {wrong}", checkpoint_path(number)))
}

fn difference(held: &State, log: &State) -> Option<String> {
    let log = &without_unwritten(held, log);
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
    (held != log).then(|| "it differs from the log up to its entry".to_owned())
}

/// The log without the fields that `held` lacks: a version that does not write them may have written the checkpoint after one that does.
fn without_unwritten(held: &State, log: &State) -> State {
    let rejects = held.rejects.as_ref().and(log.rejects.clone());
    let files = held.files.as_ref().and_then(|held| {
        let mut files = log.files.clone()?;
        files
            .iter_mut()
            .for_each(|(day, files)| held.get(day).into_iter().for_each(|held| files.forget_unwritten(held)));
        Some(files)
    });
    let mut pruned = log.pruned;
    if let (Some(logged), Some(held)) = (&mut pruned, held.pruned) {
        // It was written by a version that did not know all sizes, or continued from one.
        logged.bytes = held.bytes.bytes().map_or(held.bytes, |_| logged.bytes);
    }
    let mut log = State { pruned, commit_time: held.commit_time.and(log.commit_time), rejects, files, ..log.clone() };
    for (name, topic) in &mut log.topics {
        let held = held.topics.get(name);
        topic.plugin_options = held.and_then(|held| held.plugin_options.as_ref()).and(topic.plugin_options.take());
        for (number, position) in &mut topic.positions {
            let held = held.and_then(|held| held.positions.get(number));
            position.leader_epoch = held.and_then(|held| held.leader_epoch).and(position.leader_epoch);
            // A later version continued from a checkpoint that lacked the earlier ones.
            let counted = held.map_or(0, |held| held.unreadable_fields);
            position.unreadable_fields = position.unreadable_fields.min(counted);
        }
        // Which older ones are kept depends on when the first of them was: only the last must be the log's.
        if let Some(held) = held.filter(|held| held.recent.last().is_none_or(|last| topic.recent.last() == Some(last)))
        {
            topic.recent = held.recent.clone();
        }
    }
    log
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::book::log::entry::BookSettings;
    use crate::change::Day;

    #[test]
    fn sizes_that_the_writer_of_a_checkpoint_did_not_know_are_no_difference() {
        let settings = BookSettings { time_zone: "UTC".to_owned(), day_from: "auto".to_owned() };
        let state = |files: &str| State {
            files: Some(BTreeMap::from([(Day::EPOCH, serde_json::from_str(files).expect("files of a day"))])),
            ..State::new("book".to_owned(), settings.clone())
        };
        let log = state(
            r#"{"events":{"files":1,"xxh3":5},"rejects":{"files":0,"xxh3":0},"event_sizes":70,"reject_sizes":0}"#,
        );
        let before = state(r#"{"events":{"files":1,"xxh3":5},"rejects":{"files":0,"xxh3":0}}"#);
        assert_eq!(difference(&before, &log), None);
        let other = state(
            r#"{"events":{"files":1,"xxh3":5},"rejects":{"files":0,"xxh3":0},"event_sizes":71,"reject_sizes":0}"#,
        );
        assert!(difference(&other, &log).is_some(), "a wrong size is one");
    }
}
