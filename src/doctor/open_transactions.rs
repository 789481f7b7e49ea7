//! Transactions of producers that stay open: what they and others wrote after their begin is not read before they end.

use std::thread;
use std::time::Duration;

use super::Finding;
use crate::change::{End, Partition};
use crate::source::kafka::{KafkaError, Topics};

const SUBJECT: &str = "topic";
const CHECK: &str = "transactions";
/// A transaction that is open for this long is not one of a healthy producer.
const SETTLE_TIME: Duration = Duration::from_secs(5);

/// Looks for transactions that stay open; waits only where one is open.
///
/// # Errors
/// The error of any broker.
pub(super) fn check(topics: &Topics, brokers: &str) -> Result<Finding, KafkaError> {
    let first = topics.ends()?;
    if first.iter().all(|(_, end)| end.readable >= end.written) {
        return Ok(judge(&first, &first, brokers));
    }
    thread::sleep(SETTLE_TIME);
    Ok(judge(&first, &topics.ends()?, brokers))
}

fn judge(first: &[(Partition, End)], second: &[(Partition, End)], brokers: &str) -> Finding {
    let held = second.iter().filter(|(partition, end)| {
        let is_same = |(known, before): &&(Partition, End)| known == partition && before.readable == end.readable;
        end.readable < end.written && first.iter().any(|known| is_same(&known))
    });
    let held: Vec<String> = held
        .map(|(partition, End { readable, written })| {
            format!("offsets {readable} to {written} (exclusive) of partition {}", partition.number)
        })
        .collect();
    if held.is_empty() {
        return Finding::ok(SUBJECT, CHECK, "no transaction stays open");
    }
    let seen = format!(
        "a producer's transaction has been open for more than {} s: {} cannot be read before it ends",
        SETTLE_TIME.as_secs(),
        held.join(", ")
    );
    let fix = format!("kafka-transactions.sh --bootstrap-server {brokers} find-hanging --broker-id …");
    Finding::warning(SUBJECT, CHECK, seen).fix(fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::Severity;

    #[test]
    fn only_a_transaction_that_stays_open_is_a_warning() {
        let ends = |readable| {
            let partition = Partition { topic: "t".to_owned(), number: 3 };
            [(partition, End { readable, written: 20 })]
        };
        assert_eq!(judge(&ends(20), &ends(20), "b").state, Severity::Ok);
        assert_eq!(
            judge(&ends(7), &ends(9), "b").state,
            Severity::Ok,
            "an earlier one ended, a later one may be young"
        );
        let finding = judge(&ends(7), &ends(7), "b");
        assert_eq!(finding.state, Severity::Warning);
        assert!(finding.seen.contains("offsets 7 to 20 (exclusive) of partition 3"), "{}", finding.seen);
    }
}
