//! Which offsets the rows of one partition and one entry use.

use roaring::RoaringTreemap;

use crate::book::entry::PartitionEntry;
use crate::change::{Interval, Place, Tally};

/// What the rows of one partition say, over all files of one entry.
pub(super) struct PartitionRows {
    name: String,
    interval: Interval,
    tally: Tally,
    /// The offsets of rows of events.
    bearing: RoaringTreemap,
    /// The offsets of rows of rejects.
    rejects: RoaringTreemap,
    events: u64,
    /// The highest place of the rows of this entry.
    highest: Option<Place>,
}

/// Where a file stands in one partition, while its rows pass.
pub(super) struct Run {
    /// The first offset of the file.
    pub(super) first: i64,
    /// The last offset so far.
    pub(super) last: i64,
    /// Where the last stretch of offsets without a gap begins.
    begin: i64,
    ordinal: i32,
    /// The highest place so far.
    highest: Option<Place>,
}

/// What is wrong with a row, told once for each file and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WrongRow {
    /// An offset below the one before.
    Order,
    /// The changes of a record are not numbered 0, 1, 2 …
    Ordinal,
}

impl Run {
    /// Begins with the first row of a partition in a file; `highest` is the highest place before it.
    pub(super) fn new(
        offset: i64,
        ordinal: i32,
        place: Option<Place>,
        highest: Option<Place>,
    ) -> (Run, Option<WrongRow>, bool) {
        let run = Run { first: offset, last: offset, begin: offset, ordinal, highest: highest.max(place) };
        (run, (ordinal != 0).then_some(WrongRow::Ordinal), repeats(place, highest))
    }

    /// Takes the next row; tells whether it is wrong, whether it repeats a place, and the stretch of offsets it ends.
    pub(super) fn add(
        &mut self,
        offset: i64,
        ordinal: i32,
        place: Option<Place>,
    ) -> (Option<WrongRow>, bool, Option<(i64, i64)>) {
        if offset == self.last {
            let next = self.ordinal.checked_add(1);
            self.ordinal = ordinal;
            self.highest = self.highest.max(place);
            return ((next != Some(ordinal)).then_some(WrongRow::Ordinal), false, None);
        }
        let wrong = match (offset > self.last, ordinal) {
            (false, _) => Some(WrongRow::Order),
            (true, 0) => None,
            (true, _) => Some(WrongRow::Ordinal),
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

    /// The last stretch, and the highest place.
    pub(super) fn end(&self) -> ((i64, i64), Option<Place>) {
        ((self.begin, self.last), self.highest)
    }
}

fn repeats(place: Option<Place>, highest: Option<Place>) -> bool {
    place.is_some() && place <= highest
}

impl PartitionRows {
    pub(super) fn new(name: String, position: &PartitionEntry) -> PartitionRows {
        PartitionRows {
            name,
            interval: position.interval,
            tally: position.tally,
            bearing: RoaringTreemap::new(),
            rejects: RoaringTreemap::new(),
            events: 0,
            highest: None,
        }
    }

    /// Adds a stretch of offsets of records with changes.
    pub(super) fn add_bearing(&mut self, stretch: (i64, i64)) -> Option<String> {
        add(&mut self.bearing, self.interval, stretch)
    }

    /// Adds a stretch of offsets of rejects.
    pub(super) fn add_rejects(&mut self, stretch: (i64, i64)) -> Option<String> {
        add(&mut self.rejects, self.interval, stretch)
    }

    /// Adds the rows of events of a file, and their highest place.
    pub(super) fn add_rows(&mut self, rows: u64, highest: Option<Place>) {
        self.events += rows;
        self.highest = self.highest.max(highest);
    }

    /// What the rows of all files have that the entry does not say.
    pub(super) fn differences(&self) -> Vec<String> {
        let numbers = [
            ("records with changes", self.bearing.len(), self.tally.bearing),
            ("rows of events", self.events, self.tally.events),
            ("rejects", self.rejects.len(), self.tally.rejects),
        ];
        let numbers = numbers.iter().filter(|(_, seen, said)| seen != said);
        let mut wrong: Vec<String> = numbers
            .map(|(what, seen, said)| format!("{} has {seen} {what} in its files, {said} in the log", self.name))
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

fn add(offsets: &mut RoaringTreemap, interval: Interval, (first, last): (i64, i64)) -> Option<String> {
    if first < interval.from || last >= interval.to {
        return Some(format!("offsets {first} to {last} are not all in {}..{}", interval.from, interval.to));
    }
    let (Ok(from), Ok(to)) = (u64::try_from(first), u64::try_from(last)) else {
        return Some(format!("offset {first} is negative"));
    };
    let more = offsets.insert_range(from..=to);
    (more != to - from + 1).then(|| format!("of the offsets {first} to {last} some are used twice"))
}
