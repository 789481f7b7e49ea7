//! When the records of an open-loop load are due, and how late they were seen.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::Outcome;

/// Partitions of the load, each with the same share.
pub(crate) const PARTITIONS: u64 = 4;

/// Records at a constant rate, due at instants that nothing shifts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// Records a second.
    pub(crate) rate: u64,
    pub(crate) seconds: u64,
    pub(crate) begin: Instant,
    /// How much of the begin is not measured: connections are made, and code is read for the first time.
    pub(crate) warm_up: Duration,
}

impl Schedule {
    /// Records of one partition.
    pub(crate) fn per_partition(&self) -> u64 {
        self.rate * self.seconds / PARTITIONS
    }

    /// When the record of this place in its partition is due.
    pub(crate) fn due(&self, partition: u64, place: u64) -> Instant {
        let number = place * PARTITIONS + partition;
        self.begin + Duration::from_nanos(number * 1_000_000_000 / self.rate)
    }

    /// Whether the delay of a record counts that is due at this time.
    pub(crate) fn measures(&self, due: Instant) -> bool {
        due >= self.begin + self.warm_up
    }

    /// When the last record is due.
    pub(crate) fn end(&self) -> Instant {
        self.begin + Duration::from_secs(self.seconds)
    }
}

/// Turns growing counts of partitions into the delays of single records.
pub(crate) struct DelayRecorder {
    schedule: Schedule,
    /// By partition: how many of its records have been seen.
    seen: [u64; PARTITIONS as usize],
    delays: Histogram<u64>,
}

impl DelayRecorder {
    /// Nothing has been seen yet.
    pub(crate) fn new(schedule: Schedule) -> Outcome<DelayRecorder> {
        Ok(DelayRecorder { schedule, seen: [0; PARTITIONS as usize], delays: histogram()? })
    }

    /// Records that the first `count` records of a partition have `arrived`; a lower count than before says nothing new.
    ///
    /// # Errors
    /// When there are more than were produced, or no such partition.
    pub(crate) fn add(&mut self, partition: u64, count: u64, arrived: Instant) -> Outcome<()> {
        let all = self.schedule.per_partition();
        let seen = self.seen.get_mut(partition as usize).ok_or_else(|| format!("there is no partition {partition}"))?;
        if count > all {
            return Err(format!("{count} records of partition {partition} instead of {all}").into());
        }
        for place in *seen..count {
            let due = self.schedule.due(partition, place);
            if self.schedule.measures(due) {
                self.delays.record(micros(arrived.saturating_duration_since(due)))?;
            }
        }
        *seen = (*seen).max(count);
        Ok(())
    }

    /// Whether all records have been seen.
    pub(crate) fn is_complete(&self) -> bool {
        self.seen.iter().all(|seen| *seen == self.schedule.per_partition())
    }

    /// What was seen, in words.
    pub(crate) fn seen(&self) -> String {
        format!("{:?} of {} records of each partition", self.seen, self.schedule.per_partition())
    }

    /// The delays in microseconds.
    pub(crate) fn delays(self) -> Histogram<u64> {
        self.delays
    }
}

/// Microseconds up to an hour, to three digits.
pub(crate) fn histogram() -> Outcome<Histogram<u64>> {
    Ok(Histogram::new_with_max(3_600_000_000, 3)?)
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
