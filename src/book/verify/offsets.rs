//! The offsets that the rows of one partition and one entry use.

use roaring::RoaringTreemap;

use crate::book::log::entry::{PartitionEntry, SourceKind};
use crate::change::{Interval, Place, Tally};
use crate::store::layout::Table;

/// The rows of one partition, over all files of one entry.
pub(super) struct PartitionRows {
    name: String,
    source: SourceKind,
    interval: Interval,
    tally: Tally,
    /// The offsets of rows of events.
    bearing: RoaringTreemap,
    /// The offsets of rows of rejects.
    rejects: RoaringTreemap,
    events: u64,
    reject_rows: u64,
    /// The highest place of the rows of this entry.
    highest: Option<Place>,
}

/// Rows of one partition by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RowsOfPartition {
    /// Records with changes.
    pub(super) bearing: i128,
    /// Rows of events.
    pub(super) events: i128,
    /// Rejects.
    pub(super) rejects: i128,
}

impl RowsOfPartition {
    /// All that the log has.
    pub(super) fn of(tally: &Tally) -> RowsOfPartition {
        RowsOfPartition { bearing: tally.bearing.into(), events: tally.events.into(), rejects: tally.rejects.into() }
    }
}

/// The numbering of the rows of one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// The changes of one record: 0, 1, 2 …
    Record,
    /// The changes of a transaction: ascending with gaps, since rejects have numbers too. Each has a place of its own.
    Transaction,
    /// Rows without numbers.
    Nothing,
}

impl Numbering {
    /// The numbering of the rows of a table that come from a kind of source.
    pub(super) fn of(source: SourceKind, table: Table) -> Numbering {
        match (source, table) {
            (SourceKind::Kafka | SourceKind::File, _) => Numbering::Record,
            (SourceKind::Slot, Table::Events) => Numbering::Transaction,
            (SourceKind::Slot, Table::Rejects | Table::Counts) => Numbering::Nothing,
        }
    }

    fn may_begin(self, ordinal: i32) -> bool {
        ordinal == 0 || (self != Numbering::Record && ordinal > 0)
    }

    fn may_follow(self, before: i32, ordinal: i32) -> bool {
        match self {
            Numbering::Record => before.checked_add(1) == Some(ordinal),
            Numbering::Transaction => before < ordinal,
            Numbering::Nothing => true,
        }
    }
}

/// The state of one partition while the rows of a file are read.
pub(super) struct OffsetRun {
    /// The offset and the ordinal of the first row.
    pub(super) first: (i64, i32),
    /// The last offset so far.
    pub(super) last: i64,
    /// The begin of the last stretch of offsets without a gap.
    begin: i64,
    ordinal: i32,
    numbering: Numbering,
    /// The highest place so far.
    highest: Option<Place>,
}

/// A kind of wrong row, reported once for each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WrongRow {
    /// An offset below the one before.
    Order,
    /// Changes of an offset with wrong numbers.
    Ordinal,
}

impl OffsetRun {
    /// Begins with the first row of a partition in a file; `highest` is the highest place before it.
    pub(super) fn new(
        offset: i64,
        ordinal: i32,
        place: Option<Place>,
        highest: Option<Place>,
        numbering: Numbering,
    ) -> (OffsetRun, Option<WrongRow>, bool) {
        let first = (offset, ordinal);
        let run = OffsetRun { first, last: offset, begin: offset, ordinal, numbering, highest: highest.max(place) };
        (run, (!numbering.may_begin(ordinal)).then_some(WrongRow::Ordinal), repeats(place, highest))
    }

    /// Adds the next row; returns whether it is wrong, whether it repeats a place, and the stretch of offsets it ends.
    pub(super) fn add(
        &mut self,
        offset: i64,
        ordinal: i32,
        place: Option<Place>,
    ) -> (Option<WrongRow>, bool, Option<(i64, i64)>) {
        if offset == self.last {
            let follows = self.numbering.may_follow(self.ordinal, ordinal);
            // The changes of one record share its place.
            let repeats = self.numbering == Numbering::Transaction && repeats(place, self.highest);
            self.ordinal = ordinal;
            self.highest = self.highest.max(place);
            return ((!follows).then_some(WrongRow::Ordinal), repeats, None);
        }
        let wrong = match offset > self.last {
            false => Some(WrongRow::Order),
            true => (!self.numbering.may_begin(ordinal)).then_some(WrongRow::Ordinal),
        };
        let ended = (self.last.checked_add(1) != Some(offset)).then(|| {
            let stretch = (self.begin, self.last);
            self.begin = offset;
            stretch
        });
        let repeats = repeats(place, self.highest);
        self.highest = self.highest.max(place);
        (self.last, self.ordinal) = (offset, ordinal);
        (wrong, repeats, ended)
    }

    /// The offset and the ordinal of the last row.
    pub(super) fn last_row(&self) -> (i64, i32) {
        (self.last, self.ordinal)
    }

    /// The last stretch, and the highest place.
    pub(super) fn end(&self) -> ((i64, i64), Option<Place>) {
        ((self.begin, self.last), self.highest)
    }
}

fn repeats(place: Option<Place>, highest: Option<Place>) -> bool {
    place.is_some() && place <= highest
}

impl PartitionRows {
    pub(super) fn new(name: String, source: SourceKind, position: &PartitionEntry) -> PartitionRows {
        PartitionRows {
            name,
            source,
            interval: position.interval,
            tally: position.tally,
            bearing: RoaringTreemap::new(),
            rejects: RoaringTreemap::new(),
            events: 0,
            reject_rows: 0,
            highest: None,
        }
    }

    /// Adds a stretch of offsets of records with changes; `continues` if the file before also has changes of the first one.
    pub(super) fn add_bearing(&mut self, stretch: (i64, i64), continues: bool) -> Option<String> {
        let known = u64::from(continues && self.source == SourceKind::Slot);
        add(&mut self.bearing, self.interval, stretch, known)
    }

    /// Adds a stretch of offsets of rejects.
    pub(super) fn add_rejects(&mut self, stretch: (i64, i64)) -> Option<String> {
        if self.source == SourceKind::Slot {
            // Rejects share offsets with others and have no number of their own: they can only be counted.
            return add(&mut RoaringTreemap::new(), self.interval, stretch, 0);
        }
        add(&mut self.rejects, self.interval, stretch, 0)
    }

    /// Adds the number of rows of rejects of a file.
    pub(super) fn add_reject_rows(&mut self, rows: u64) {
        self.reject_rows += rows;
    }

    /// Adds the rows of events of a file, and their highest place.
    pub(super) fn add_rows(&mut self, rows: u64, highest: Option<Place>) {
        self.events += rows;
        self.highest = self.highest.max(highest);
    }

    /// What the log has of the partition and these files have not, because some were merged: those must have it.
    pub(super) fn rest(&self) -> RowsOfPartition {
        let (bearing, rejects) = match self.source {
            SourceKind::Kafka | SourceKind::File => (self.bearing.len(), self.rejects.len()),
            SourceKind::Slot => (self.events, self.reject_rows),
        };
        let rest = |logged: u64, seen: u64| i128::from(logged) - i128::from(seen);
        RowsOfPartition {
            bearing: rest(self.tally.bearing, bearing),
            events: rest(self.tally.events, self.events),
            rejects: rest(self.tally.rejects, rejects),
        }
    }

    /// Differences between the rows of all files and the entry.
    pub(super) fn differences(&self) -> Vec<String> {
        let (bearing, rejects) = match self.source {
            SourceKind::Kafka | SourceKind::File => (self.bearing.len(), self.rejects.len()),
            SourceKind::Slot => (self.events, self.reject_rows),
        };
        let numbers = [
            ("records with changes", bearing, self.tally.bearing),
            ("rows of events", self.events, self.tally.events),
            ("rejects", rejects, self.tally.rejects),
        ];
        let numbers = numbers.iter().filter(|(_, seen, logged)| seen != logged);
        let mut wrong: Vec<String> = numbers
            .map(|(what, seen, logged)| format!("{} has {seen} {what} in its files, {logged} in the log", self.name))
            .collect();
        let both = self.bearing.intersection_len(&self.rejects);
        if both > 0 {
            wrong.push(format!("{} has {both} offsets in events and in rejects", self.name));
        }
        if self.highest > self.tally.highest {
            wrong.push(format!("{} has a change above the highest place in the log", self.name));
        }
        wrong
    }
}

/// Adds a stretch of offsets, the first `known` of which were added before.
fn add(offsets: &mut RoaringTreemap, interval: Interval, (first, last): (i64, i64), known: u64) -> Option<String> {
    if first < interval.from || last >= interval.to {
        return Some(format!("offsets {first} to {last} are not all in {}..{}", interval.from, interval.to));
    }
    let (Ok(from), Ok(to)) = (u64::try_from(first), u64::try_from(last)) else {
        return Some(format!("offset {first} is negative"));
    };
    let more = offsets.insert_range(from..=to);
    (more + known != to - from + 1).then(|| format!("of the offsets {first} to {last} some are used twice"))
}
