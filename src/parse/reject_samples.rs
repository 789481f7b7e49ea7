//! Examples of rejects for the log: the first record of each kind of reason that a worker meets.

use std::mem::{Discriminant, discriminant};

use super::Reject;
use crate::change::{Record, RejectSample};

/// The most bytes that are looked at of a value.
const LOOKED_AT: usize = 512;
/// The most characters that are shown of a value.
const SHOWN: usize = 100;

/// The kinds of reasons of which an example was given: the text of one kind may hold keys of the record.
#[derive(Default)]
pub(super) struct RejectSamples {
    kinds: Vec<Discriminant<Reject>>,
}

impl RejectSamples {
    /// The record as an example, if the kind of its reason is new.
    pub(super) fn sample(&mut self, record: &Record<'_>, reject: &Reject, reason: String) -> Option<RejectSample> {
        let kind = discriminant(reject);
        if self.kinds.contains(&kind) {
            return None;
        }
        self.kinds.push(kind);
        let value = record.value.unwrap_or_default();
        let advice = reject.advice().map(str::to_owned);
        Some(RejectSample { offset: record.offset, reason, advice, value: beginning(value) })
    }
}

/// The beginning of a value as text.
fn beginning(value: &[u8]) -> String {
    let looked_at = &value[..value.len().min(LOOKED_AT)];
    let text = String::from_utf8_lossy(looked_at);
    let mut shown: String = text.chars().take(SHOWN).collect();
    if value.len() > looked_at.len() || text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::change::Partition;

    #[test]
    fn each_kind_of_reason_has_one_example() {
        let partition = Arc::new(Partition { topic: "t".to_owned(), number: 0 });
        let record = |offset, value: &'static [u8]| Record {
            partition: &partition,
            offset,
            ordinal: 0,
            kafka_time: None,
            arrived: None,
            key: None,
            value: Some(value),
            decoded: None,
            headers: &(),
        };
        let mut samples = RejectSamples::default();
        let first = samples.sample(&record(7, b"a\xffb"), &Reject::NotUtf8, "one".to_owned()).expect("a new reason");
        assert_eq!((first.offset, first.value.as_str()), (7, "a\u{fffd}b"));
        assert_eq!(samples.sample(&record(8, b""), &Reject::NotUtf8, "one".to_owned()), None);
        // Each sparse object has keys of its own; they must not use up the examples.
        let shapes = (0..100).map(|number| Reject::NoData(format!("key {number}").into()));
        let new = shapes.filter(|shape| samples.sample(&record(9, b"{}"), shape, shape.to_string()).is_some());
        assert_eq!(new.count(), 1);
        assert!(samples.sample(&record(10, b""), &Reject::Empty, Reject::Empty.to_string()).is_some());
    }

    #[test]
    fn a_long_value_is_cut() {
        assert_eq!(beginning(b"short"), "short");
        let long = beginning("ü".repeat(400).as_bytes());
        assert_eq!((long.chars().count(), long.ends_with('…')), (SHOWN + 1, true));
    }
}
