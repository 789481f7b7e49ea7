//! Transactions of producers that stay open: a run says which records they hold back, for a run waits for them without end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::change::{End, Partition};

/// A transaction that is open for this long is not one of a healthy producer.
const TOLERANCE: Duration = Duration::from_secs(10);

/// The transactions that hold records back.
#[derive(Default)]
pub(super) struct OpenTransactions {
    /// By partition: the first offset that cannot be read, since when, and whether that was logged.
    held: BTreeMap<Partition, (i64, Instant, bool)>,
}

impl OpenTransactions {
    /// Compares with where partitions end at `now`, and logs each transaction that stays open, and its end, once.
    pub(super) fn note(&mut self, ends: &[(Partition, End)], now: Instant) {
        for (partition, End { readable, written }) in ends {
            let (topic, number) = (&partition.topic, partition.number);
            let known = self.held.get(partition).copied().filter(|(offset, ..)| offset == readable);
            if readable >= written {
                if let Some((_, _, true)) = self.held.remove(partition) {
                    info!(topic, partition = number, "the open transaction has ended");
                }
                continue;
            }
            let (_, since, is_logged) = known.unwrap_or((*readable, now, false));
            let is_due = !is_logged && now.duration_since(since) >= TOLERANCE;
            if is_due {
                warn_about(partition, *readable, *written);
            }
            self.held.insert(partition.clone(), (*readable, since, is_logged || is_due));
        }
    }
}

/// Logs that a transaction holds records back.
pub(super) fn warn_about(partition: &Partition, readable: i64, written: i64) {
    let Partition { topic, number } = partition;
    warn!(
        topic,
        partition = number,
        "a producer's transaction is open: offsets {readable} to {written} (exclusive) cannot be read before it ends"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_logged_once_and_only_if_it_stays_open() {
        let partition = Partition { topic: "t".to_owned(), number: 0 };
        let ends = |readable, written| [(partition.clone(), End { readable, written })];
        let (mut open, start) = (OpenTransactions::default(), Instant::now());
        let logged = |open: &OpenTransactions| open.held.get(&partition).is_some_and(|(.., is_logged)| *is_logged);
        open.note(&ends(5, 9), start);
        assert!(!logged(&open));
        // Another transaction since: a new time begins.
        open.note(&ends(7, 9), start + TOLERANCE);
        assert!(!logged(&open));
        open.note(&ends(7, 12), start + TOLERANCE * 2);
        assert!(logged(&open));
        open.note(&ends(12, 12), start + TOLERANCE * 3);
        assert!(open.held.is_empty());
    }
}
