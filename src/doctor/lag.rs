//! How far the book is behind its source, and whether a run could continue it.
//!
//! The check for lost data calls the same functions as a run does when it starts.

use bytesize::ByteSize;

use super::Finding;
use crate::book::TopicState;
use crate::book::log::entry::SourceKind;
use crate::change::{LeaderEpoch, Lsn, Partition};
use crate::replication::{Identity, PrimaryServer, SlotSurvey, TimelineBranch, check_history, check_not_ahead};
use crate::source::kafka::{Divergence, KafkaError, KnownTopic, StartFrom, Topic, Watermarks, plan_topic};

const SUBJECT: &str = "book";
const CHECK: &str = "lag";
/// The largest number of partitions in a message.
const MAX_NAMED: usize = 8;

/// Judges a book's position in a topic; `known` is the book's state, which was read before the watermarks. `diverged` asks
/// which of some positions are not in the topic's history any more.
pub(super) fn judge_topic(
    name: &str,
    known: Option<&TopicState>,
    topic: &Topic,
    watermarks: impl Fn(i32) -> Watermarks,
    diverged: impl FnOnce(&[(Partition, LeaderEpoch)]) -> Result<Vec<Divergence>, KafkaError>,
) -> Finding {
    let Some(known) = known.filter(|known| known.source == SourceKind::Kafka) else {
        return Finding::warning(SUBJECT, CHECK, format!("the book has not read topic {name:?} yet"));
    };
    let positions = || known.positions.iter();
    let known = KnownTopic {
        id: known.id.clone(),
        next_offsets: positions().map(|(number, position)| (*number, position.next)).collect(),
        leader_epochs: positions().filter_map(|(number, position)| Some((*number, position.leader_epoch?))).collect(),
        ..KnownTopic::default()
    };
    let known = match diverged(&known.comparable(name, topic)) {
        Ok(found) => KnownTopic {
            diverged: found.into_iter().map(|found| (found.partition.number, found.from)).collect(),
            ..known
        },
        Err(error) => return Finding::problem(SUBJECT, CHECK, error.to_string()),
    };
    let plan =
        plan_topic(name, topic, Some(&known), StartFrom::Earliest, true, |partition| Ok(watermarks(partition.number)));
    match plan {
        Ok(starts) => {
            let behind: i64 = starts.iter().filter_map(|start| Some(start.until? - start.from)).sum();
            Finding::ok(SUBJECT, CHECK, format!("{behind} offsets behind the end of topic {name:?}"))
        }
        Err(error @ (KafkaError::Recreated { .. } | KafkaError::FewerPartitions { .. })) => {
            let seen = format!("{error}; the book has read the old one{}", read_to(&known));
            Finding::problem(SUBJECT, CHECK, seen).fix("make a new book")
        }
        Err(error) => Finding::problem(SUBJECT, CHECK, error.to_string()).fix("make a new book"),
    }
}

fn read_to(known: &KnownTopic) -> String {
    let named = known.next_offsets.iter().take(MAX_NAMED);
    let named: Vec<String> = named.map(|(number, next)| format!(" to offset {next} of partition {number}")).collect();
    let more = if known.next_offsets.len() > MAX_NAMED { " …" } else { "" };
    format!("{}{more}", named.join(","))
}

/// Judges a book's position in a slot. The order of reading keeps a running book from looking wrong: `slot` was read before
/// `known`, so its run cannot have confirmed more than `known` has; `server` was read after it, so the run cannot have read
/// more than the server had.
pub(super) fn judge_slot(
    known: &TopicState,
    slot: &SlotSurvey,
    server: Option<&(PrimaryServer, Vec<TimelineBranch>)>,
) -> Finding {
    let name = &slot.status.name;
    let Some(position) = known.positions.get(&0).and_then(|place| Lsn::from_i64((place.next - 1).max(0))) else {
        return Finding::warning(SUBJECT, CHECK, format!("the book has not read slot {name:?} yet"));
    };
    let identity = Identity { system: known.id.clone(), timeline: known.timeline.unwrap_or(1) };
    let history = server.map_or(Ok(()), |(server, branches)| {
        check_history(position, &identity, &server.identity, branches, server.end)
    });
    if let Err(error) = history {
        return Finding::problem(SUBJECT, CHECK, error.to_string())
            .fix("name the server that the book was made from, or make a new book");
    }
    if let Some(confirmed) = slot.status.confirmed_flush_lsn
        && let Err(error) = check_not_ahead(name, position, confirmed)
    {
        return Finding::problem(SUBJECT, CHECK, error.to_string())
            .fix("stop the other reader, if there is one, and make a new book with a slot of its own");
    }
    let end = server.map_or(slot.current_lsn, |(server, _)| server.end);
    let bytes = ByteSize::b((end.as_i64() - position.as_i64()).max(0).unsigned_abs());
    Finding::ok(SUBJECT, CHECK, format!("{bytes} of WAL behind the end of slot {name:?}'s server at {end}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::book::PartitionState;
    use crate::change::RecentTransactions;
    use crate::replication::{Severity, SlotStatus};

    fn known(source: SourceKind, next_offsets: &[i64]) -> TopicState {
        let positions = (0..)
            .zip(next_offsets)
            .map(|(number, next)| (number, PartitionState { next: *next, ..PartitionState::default() }));
        let positions: BTreeMap<i32, PartitionState> = positions.collect();
        let timeline = (source == SourceKind::Slot).then_some(1);
        let (id, recent, partitions) = ("A".to_owned(), RecentTransactions::default(), 1.max(positions.len() as i32));
        TopicState { source, id, timeline, plugin_options: None, recent, partitions, positions }
    }

    #[test]
    fn a_topic_that_a_run_could_not_continue_is_a_problem_with_its_range() {
        let book = known(SourceKind::Kafka, &[10, 20]);
        let judge = |id: &str, marks: [(i64, i64); 2]| {
            let topic = Topic { id: id.to_owned(), partitions: 2 };
            let mark = |number: i32| {
                let (low, high) = marks[usize::try_from(number).expect("a partition")];
                Watermarks { low, high }
            };
            let Finding { state, seen, .. } = judge_topic("t", Some(&book), &topic, mark, |_| Ok(Vec::new()));
            (state, seen)
        };
        let (state, seen) = judge("A", [(0, 10), (20, 25)]);
        assert!(state == Severity::Ok && seen.starts_with("5 offsets behind"), "{seen}");
        assert_eq!(judge("", [(0, 10), (0, 25)]).0, Severity::Ok, "brokers without ids");
        for (id, marks, words) in [
            ("A", [(0, 9), (0, 25)], "offsets 9 to 10 (exclusive) are missing"),
            ("A", [(0, 10), (23, 25)], "offsets 20 to 23 (exclusive) were deleted"),
            ("B", [(0, 10), (0, 25)], "has id B; its offsets mean other records"),
            ("B", [(0, 10), (0, 25)], "the old one to offset 10 of partition 0, to offset 20 of partition 1"),
        ] {
            let (state, seen) = judge(id, marks);
            assert!(state == Severity::Problem && seen.contains(words), "{words}: {seen}");
        }
        let fewer = Topic { id: "A".to_owned(), partitions: 1 };
        let mark = |_| Watermarks { low: 0, high: 50 };
        let shrunk = judge_topic("t", Some(&book), &fewer, mark, |_| Ok(Vec::new()));
        assert_eq!(shrunk.state, Severity::Problem);
        for unread in [None, Some(&known(SourceKind::Slot, &[10]))] {
            let judged = judge_topic("t", unread, &fewer, |_| Watermarks { low: 0, high: 1 }, |_| Ok(Vec::new()));
            assert_eq!(judged.state, Severity::Warning);
        }
    }

    #[test]
    fn a_topic_that_was_cut_and_grew_again_is_a_problem_with_its_range() {
        let mut book = known(SourceKind::Kafka, &[10, 20]);
        let last = LeaderEpoch { epoch: 3, to: 19 };
        book.positions.get_mut(&1).expect("a partition").leader_epoch = Some(last);
        let topic = Topic { id: "A".to_owned(), partitions: 2 };
        let marks = |_| Watermarks { low: 0, high: 50 };
        let partition = Partition { topic: "t".to_owned(), number: 1 };
        let Finding { state, seen, .. } = judge_topic("t", Some(&book), &topic, marks, |asked| {
            assert_eq!(asked, [(partition.clone(), last)]);
            Ok(vec![Divergence { partition: partition.clone(), from: 12 }])
        });
        assert!(state == Severity::Problem && seen.contains("offsets 12 to 20 (exclusive)"), "{seen}");
    }

    fn survey(confirmed: i64, end: i64) -> SlotSurvey {
        let lsn = |number| Lsn::from_i64(number).expect("an LSN");
        SlotSurvey {
            status: SlotStatus {
                name: "s".to_owned(),
                plugin: Some("test_decoding".to_owned()),
                database: Some("d".to_owned()),
                active_pid: None,
                two_phase: false,
                failover: None,
                restart_lsn: Some(lsn(1)),
                confirmed_flush_lsn: Some(lsn(confirmed)),
                wal_status: None,
                safe_wal_size: None,
                invalidation_reason: None,
            },
            current_lsn: lsn(end),
            version: 150_000,
            lag_time: None,
            silence: None,
            spilled: None,
        }
    }

    fn server(system: &str, timeline: u32) -> (PrimaryServer, Vec<TimelineBranch>) {
        let identity = Identity { system: system.to_owned(), timeline };
        let lsn = |number| Lsn::from_i64(number).expect("an LSN");
        (
            PrimaryServer { identity, version: 150_000, end: lsn(2000) },
            vec![TimelineBranch { timeline: 1, at: lsn(1500) }],
        )
    }

    #[test]
    fn a_slot_that_a_run_could_not_continue_is_a_problem_with_its_range() {
        for (next, confirmed, server, level, words) in [
            (1001, 900, Some(server("A", 1)), Severity::Ok, "1000 B of WAL behind"),
            (1001, 1000, Some(server("A", 2)), Severity::Ok, "1000 B of WAL behind"),
            // The book moved on after the slot was read.
            (1901, 900, None, Severity::Ok, "0 B of WAL behind"),
            (1001, 1256, None, Severity::Problem, "the 256 bytes of WAL from 0/3E8 to 0/4E8 are gone"),
            (2201, 900, Some(server("A", 1)), Severity::Problem, "(200 bytes of WAL) were read and never happened"),
            (1801, 900, Some(server("A", 2)), Severity::Problem, "(300 bytes of WAL) were read and never happened"),
            (1001, 900, Some(server("B", 1)), Severity::Problem, "another server"),
        ] {
            let known = known(SourceKind::Slot, &[next]);
            let Finding { state, seen, .. } = judge_slot(&known, &survey(confirmed, 1600), server.as_ref());
            assert!(state == level && seen.contains(words), "{words}: {seen}");
        }
        let unread = judge_slot(&known(SourceKind::Slot, &[]), &survey(900, 1600), None);
        assert_eq!(unread.state, Severity::Warning);
    }
}
