//! A file, or standard input, as a run's origin.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Origin, Plan, known_topic};
use crate::book::State;
use crate::book::log::entry::{PartitionEntry, SourceKind, TopicEntry};
use crate::change::{End, Failure, Partition, PartitionStart};
use crate::run::RunError;
use crate::source::Source;
use crate::source::file::{FileSource, Input, InputCheck, MissingEnd};

/// Reads a file or a stream.
pub struct FileOrigin {
    input: Input,
    until_end: bool,
    check: InputCheck,
    missing: MissingEnd,
}

impl FileOrigin {
    /// Looks at what the path names; transactions too large for memory wait in files of `spill_folder`.
    ///
    /// # Errors
    /// A usage failure for a path that names no bytes, and for a compressed file that would have to be followed.
    pub fn new(path: &Path, spill_folder: &Path, until_end: bool) -> Result<FileOrigin, Failure> {
        let input = Input::look(path)?.spilling_to(spill_folder);
        // Nothing can be awaited behind the end of a stream.
        let until_end = until_end || input.is_stream();
        if !until_end {
            input.check_followable()?;
        }
        Ok(FileOrigin { check: InputCheck::new(input.clone()), missing: MissingEnd::default(), input, until_end })
    }

    fn partition(&self) -> Partition {
        Partition { topic: self.input.name().to_owned(), number: 0 }
    }

    /// Refuses a file that the book has under another name: it would count twice.
    fn refuse_second_name(&self, state: &State) -> Result<(), Failure> {
        for (known, topic) in state.topics.iter().filter(|(_, topic)| topic.source == SourceKind::File) {
            if self.check.is_known_as(known, &topic.id)? {
                let (name, id) = (self.input.name().to_owned(), topic.id.clone());
                return Err(RunError::SecondName { name, known: known.clone(), id }.into());
            }
        }
        Ok(())
    }
}

impl Origin for FileOrigin {
    fn name(&self) -> String {
        self.input.name().to_owned()
    }

    fn kind(&self) -> SourceKind {
        SourceKind::File
    }

    fn until_end(&self) -> bool {
        self.until_end
    }

    fn plan(&self, state: &State) -> Result<Plan, Failure> {
        let name = self.input.name();
        if self.input.is_stream() && state.entries > 0 {
            return Err(RunError::StreamIntoBook { name: name.to_owned() }.into());
        }
        let partition = self.partition();
        let known = known_topic(state, name, SourceKind::File)?;
        if known.is_none() {
            self.refuse_second_name(state)?;
        }
        let from = state.next_offset(&partition).unwrap_or(0);
        if from == 0 {
            self.input.check_form()?;
        }
        let id = self.check.begin(known.map(|known| (known.id.as_str(), from)))?;
        let until = match (self.until_end, self.input.is_stream()) {
            (true, true) => Some(i64::MAX),
            (true, false) => Some(self.input.size()?),
            (false, _) => None,
        };
        let mut topics = BTreeMap::new();
        if known.is_none() {
            let positions = BTreeMap::from([(0, PartitionEntry::start(from))]);
            let entry = TopicEntry { source: SourceKind::File, id, partitions: 1, positions, ..TopicEntry::default() };
            topics.insert(name.to_owned(), entry);
        }
        Ok(Plan { topics, starts: vec![PartitionStart::new(partition, from, until)] })
    }

    fn source(&self, _worker: usize) -> Result<Box<dyn Source>, Failure> {
        Ok(Box::new(FileSource::new(self.input.clone(), self.missing.clone())))
    }

    fn precommit_check(&self) -> Result<(), Failure> {
        Ok(self.check.check()?)
    }

    fn on_committed(&self, state: &State) {
        if let Some(next) = state.next_offset(&self.partition()) {
            self.check.committed(next);
        }
    }

    fn knows_ends(&self) -> bool {
        !self.input.is_stream()
    }

    fn ends(&self) -> Result<Vec<(Partition, End)>, Failure> {
        Ok(vec![(self.partition(), End::at(self.input.size()?))])
    }

    fn finish(&self) -> Result<(), Failure> {
        self.missing.take().map_or(Ok(()), |missing| Err(missing.into()))
    }
}
