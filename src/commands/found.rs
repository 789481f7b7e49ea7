//! Partitions that are found while a run lasts, told to whoever serves beside it.

use std::sync::mpsc::Sender;

use crate::change::PartitionStart;
use crate::source::{Discovery, SourceError};

/// Looks for new partitions, and tells of those that it finds.
///
/// *Why* not told by what is read of them: nobody would ask where a partition ends that nothing was read of, and all would
/// count as read while it holds records.
pub(super) struct Telling {
    discovery: Box<dyn Discovery>,
    found: Sender<PartitionStart>,
}

impl Telling {
    pub(super) fn new(discovery: Box<dyn Discovery>, found: Sender<PartitionStart>) -> Telling {
        Telling { discovery, found }
    }
}

impl Discovery for Telling {
    fn discover(&mut self) -> Result<Vec<PartitionStart>, SourceError> {
        let found = self.discovery.discover()?;
        for start in &found {
            // Who serves may have ended: the run goes on.
            let _ = self.found.send(start.clone());
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::change::Partition;

    struct Once(Vec<PartitionStart>);

    impl Discovery for Once {
        fn discover(&mut self) -> Result<Vec<PartitionStart>, SourceError> {
            Ok(std::mem::take(&mut self.0))
        }
    }

    #[test]
    fn what_is_found_is_told_once_and_goes_on_to_the_run() {
        let partition = Partition { topic: "shop".to_owned(), number: 4 };
        let start = PartitionStart { partition, from: 0, until: None };
        let (found, told) = channel();
        let mut telling = Telling::new(Box::new(Once(vec![start.clone()])), found);
        assert_eq!(telling.discover().expect("partitions").len(), 1);
        assert_eq!(telling.discover().expect("partitions").len(), 0);
        assert_eq!(told.try_iter().map(|start| start.partition.number).collect::<Vec<_>>(), [4]);
        drop(told);
        telling.discovery = Box::new(Once(vec![start]));
        assert_eq!(telling.discover().expect("a run that nobody serves beside goes on").len(), 1);
    }
}
