//! A file, or standard input, as the place that records come from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Leading, Plan, known};
use crate::book::State;
use crate::book::entry::{PartitionEntry, SourceKind, TopicEntry};
use crate::change::{End, Partition, PartitionStart};
use crate::process::Quiet;
use crate::server::AskEnds;
use crate::settings::{InputOrigin, SettingsError};
use crate::source::Source;
use crate::source::lines::{Input, LinesSource, Missing, Watch};

/// Looks at the input.
pub(super) fn lead(origin: &InputOrigin, until_end: bool) -> anyhow::Result<Leading> {
    let input = Input::look(&origin.path)?.spilling_to(&origin.spill_folder);
    // What comes from a stream comes once: there is nothing to wait for behind its end.
    let until_end = until_end || input.is_stream();
    let (watch, missing) = (Watch::new(input.clone()), Missing::new());
    let (planned, watching, committed) = (input.clone(), watch.clone(), watch.clone());
    let (name, at) = (input.name().to_owned(), Partition { topic: input.name().to_owned(), number: 0 });
    let lacking = missing.clone();
    // A stream ends when it does.
    let asked = (!input.is_stream()).then(|| input.clone());
    let ask_ends = asked.map(|input| -> Box<AskEnds> {
        let partition = at.clone();
        Box::new(move || {
            let size = input.size().map_err(|error| error.to_string())?;
            Ok(vec![(partition.clone(), End::at(size))])
        })
    });
    Ok(Leading {
        name,
        source: Arc::new(move |_worker| {
            Ok(Box::new(LinesSource::new(input.clone(), missing.clone())) as Box<dyn Source>)
        }),
        until_end,
        plan: Box::new(move |state: &State| plan(&planned, &watch, until_end, state)),
        discovery: None,
        discover_interval: Duration::MAX,
        kind: SourceKind::File,
        ask_ends,
        quiet: Quiet::default(),
        ask_slot: None,
        permit: Box::new(move || Ok(watching.check()?)),
        announce: Box::new(move |state: &State| {
            if let Some(next) = state.next_offset(&at) {
                committed.committed(next);
            }
        }),
        finish: Box::new(move || lacking.take().map_or(Ok(()), |lacking| Err(lacking.into()))),
    })
}

fn plan(input: &Input, watch: &Watch, until_end: bool, state: &State) -> anyhow::Result<Plan> {
    let name = input.name();
    if input.is_stream() && state.entries > 0 {
        let message = format!(
            "--input {name} comes once and begins at its beginning, so it only makes a new book, and this one has entries: \
             name an empty or new directory, or write the input to a file first"
        );
        return Err(SettingsError::Wrong(message).into());
    }
    let partition = Partition { topic: name.to_owned(), number: 0 };
    let known = known(state, name, SourceKind::File)?;
    if known.is_none() {
        refuse_second_name(name, watch, state)?;
    }
    let id = watch.begin(known.map(|known| (known.id.as_str(), state.next_offset(&partition).unwrap_or(0))))?;
    let from = state.next_offset(&partition).unwrap_or(0);
    let until = match (until_end, input.is_stream()) {
        (true, true) => Some(i64::MAX),
        (true, false) => Some(input.size()?),
        (false, _) => None,
    };
    let mut topics = BTreeMap::new();
    if known.is_none() {
        let positions = BTreeMap::from([(0, PartitionEntry::start(from))]);
        let entry = TopicEntry { source: SourceKind::File, id, timeline: None, partitions: 1, positions };
        topics.insert(name.to_owned(), entry);
    }
    Ok(Plan { topics, starts: vec![PartitionStart { partition, from, until }] })
}

/// Refuses a file that the book has under another name: it would count twice.
fn refuse_second_name(name: &str, watch: &Watch, state: &State) -> anyhow::Result<()> {
    for (known, topic) in state.topics.iter().filter(|(_, topic)| topic.source == SourceKind::File) {
        if watch.is_known_as(known, &topic.id)? {
            let message = format!(
                "--input {name} is a file that the book has as {known:?}, and would count twice: name it as then; or, if it only \
                 begins with the same bytes ({}), use another book",
                topic.id
            );
            return Err(SettingsError::Wrong(message).into());
        }
    }
    Ok(())
}
