//! The transactions by which a reader recognizes the history that it has read before.

use serde::{Deserialize, Serialize};

use super::Lsn;

/// A transaction as its COMMIT identifies it; a JSON array `["0/16B2F00", 736, 1795350896000000]`.
///
/// A server that was set back uses LSNs and numbers again, but it cannot commit at the same microsecond again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Lsn, i64, i64)", into = "(Lsn, i64, i64)")]
pub struct CommittedTransaction {
    /// Where its COMMIT ends.
    pub commit_lsn: Lsn,
    /// Its number.
    pub xid: i64,
    /// When it was committed, in microseconds since 1970-01-01 UTC.
    pub commit_time: i64,
}

impl From<(Lsn, i64, i64)> for CommittedTransaction {
    fn from((commit_lsn, xid, commit_time): (Lsn, i64, i64)) -> CommittedTransaction {
        CommittedTransaction { commit_lsn, xid, commit_time }
    }
}

impl From<CommittedTransaction> for (Lsn, i64, i64) {
    fn from(transaction: CommittedTransaction) -> (Lsn, i64, i64) {
        (transaction.commit_lsn, transaction.xid, transaction.commit_time)
    }
}

/// The last transaction that was read, and some before it at growing distances; from the oldest to the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecentTransactions(Vec<CommittedTransaction>);

impl RecentTransactions {
    /// How many are kept.
    const KEPT: usize = 16;

    /// Adds the transaction that was read after all others.
    pub fn push(&mut self, newest: CommittedTransaction) {
        self.0.retain(|known| known.commit_lsn < newest.commit_lsn);
        self.0.push(newest);
        if self.0.len() > RecentTransactions::KEPT {
            self.0.remove(self.most_dispensable());
        }
    }

    /// The transaction that was read last; everything behind it up to the reader's position held none.
    pub fn last(&self) -> Option<&CommittedTransaction> {
        self.0.last()
    }

    /// All that are known, from the oldest to the last.
    pub fn iter(&self) -> impl Iterator<Item = &CommittedTransaction> {
        self.0.iter()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets all: what follows was read without keeping any.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The index of the one whose loss leaves the smallest gap in relation to its distance from the newest.
    fn most_dispensable(&self) -> usize {
        let at = |index: usize| i128::from(self.0[index].commit_lsn.as_i64());
        let newest = at(self.0.len() - 1);
        let gap = |index: usize| (at(index + 1) - at(index - 1)) * 1024 / (newest - at(index - 1));
        (1..self.0.len() - 1).min_by_key(|index| gap(*index)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(number: i64) -> CommittedTransaction {
        CommittedTransaction { commit_lsn: Lsn::from_i64(number).expect("an LSN"), xid: number, commit_time: -number }
    }

    fn lsns(recent: &RecentTransactions) -> Vec<i64> {
        recent.iter().map(|known| known.commit_lsn.as_i64()).collect()
    }

    #[test]
    fn the_newest_are_kept_densely_and_the_oldest_one_stays() {
        let mut recent = RecentTransactions::default();
        for number in 1..=100_000 {
            recent.push(transaction(number));
        }
        let kept = lsns(&recent);
        assert_eq!((kept.len(), kept.first(), kept.last()), (16, Some(&1), Some(&100_000)));
        // Whatever is undone, one of them lies not much further back than the point of divergence.
        for (age, known) in [(10, 100_000 - 40), (1_000, 100_000 - 4_000), (20_000, 100_000 - 80_000)] {
            assert!(kept.iter().any(|at| (known..=100_000 - age).contains(at)), "{age}: {kept:?}");
        }
    }

    #[test]
    fn a_transaction_at_or_below_known_ones_replaces_them() {
        let mut recent = RecentTransactions::default();
        for number in [10, 20, 30, 20] {
            recent.push(transaction(number));
        }
        assert_eq!(lsns(&recent), [10, 20]);
    }

    #[test]
    fn they_are_written_as_short_arrays() {
        let mut recent = RecentTransactions::default();
        recent.push(transaction(0x16B_2F00));
        let text = serde_json::to_string(&recent).expect("numbers and texts");
        assert_eq!(text, r#"[["0/16B2F00",23801600,-23801600]]"#);
        assert_eq!(serde_json::from_str::<RecentTransactions>(&text).expect("its own form"), recent);
        assert!(serde_json::from_str::<RecentTransactions>(r#"[["x",1,1]]"#).is_err());
    }
}
