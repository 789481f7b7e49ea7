//! Random rows for books, and the loop that answers over them.

use std::collections::BTreeMap;

use crate::support::book_builder::{Contents, RejectRow};
use walbook::change::{Day, Operation, TableName};
use walbook::query::{Event, Filter, GroupBy, RejectFilter};

/// A small generator of numbers; the seed stands in the message of a test that fails.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    pub(crate) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

pub(crate) const TOPICS: [(&str, i32); 2] = [("shop", 3), ("ware\"house", 1)];

const REASONS: [&str; 2] = ["not a line of test_decoding", "JSON ends early"];

const TABLES: [(&str, &str); 5] =
    [("public", "orders"), ("public", "order lines"), ("a.b", "<script>"), ("a", "b.<script>"), ("odd", "two\nlines")];

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// 2026-11-01 and the days after it.
pub(crate) fn day(number: u64) -> Day {
    Day::from_days(20_758 + number as i64).expect("a day of this century")
}

/// The rows of books: what is committed so far, and where the next records stand.
pub(crate) struct Rows {
    pub(crate) random: Random,
    next: BTreeMap<(&'static str, i32), i64>,
    places: i64,
    pub(crate) events: Vec<(Day, Event)>,
    /// Their days, partitions, offsets and reasons.
    pub(crate) rejects: Vec<(Day, RejectRow)>,
}

impl Rows {
    pub(crate) fn new(seed: u64) -> Rows {
        Rows { random: Random::new(seed), next: BTreeMap::new(), places: 0, events: Vec::new(), rejects: Vec::new() }
    }

    /// The rows of one more commit of about `records` records on the given number of days.
    pub(crate) fn commit(&mut self, records: u64, days: u64) -> Contents {
        let mut contents = Contents::default();
        for _ in 0..records {
            let (topic, partitions) = *self.random.one_of(&TOPICS);
            let partition = self.random.below(partitions as u64) as i32;
            let next = self.next.entry((topic, partition)).or_default();
            let offset = *next + i64::from(self.random.below(5) == 0);
            *next = offset + 1;
            let on = day(self.random.below(days));
            match self.random.below(12) {
                0 => {
                    let reason = self.random.one_of(&REASONS).to_string();
                    contents.rejects.push((on, RejectRow { topic: topic.to_owned(), partition, offset, reason }));
                }
                kind => {
                    let changes = if kind == 1 { 3 } else { 1 };
                    for ordinal in 0..changes {
                        let event = self.event(on, topic, partition, offset, ordinal);
                        contents.events.push((on, event));
                    }
                }
            }
        }
        self.events.extend(contents.events.iter().cloned());
        self.rejects.extend(contents.rejects.iter().cloned());
        contents
    }

    fn event(&mut self, on: Day, topic: &str, partition: i32, offset: i64, ordinal: i32) -> Event {
        let random = &mut self.random;
        let (schema, table) = *random.one_of(&TABLES);
        self.places += 1;
        let known = random.below(4) > 0;
        // The day is that of the commit time, else of Kafka's; which may be of any other day beside a commit time.
        let midnight = i64::from(on.days()) * DAY;
        let sent = midnight + [0, 1, DAY - 1, random.below(50) as i64][random.below(4) as usize];
        Event {
            topic: topic.to_owned(),
            partition,
            offset,
            ordinal,
            kafka_time: (random.below(10) > 0).then(|| sent + if known { random.below(3) as i64 * DAY } else { 0 }),
            commit_time: known.then_some(midnight + self.places),
            lsn: known.then_some(self.places * 8),
            commit_lsn: known.then_some(self.places * 8 + 1),
            seq: known.then_some(0),
            xid: known.then_some(700 + self.places),
            schema: schema.to_owned(),
            table: table.to_owned(),
            op: random.one_of(&Operation::ALL).as_str().to_owned(),
            data: format!("table {schema}.{table}: id[integer]:{offset}"),
        }
    }

    /// A filter that now and then lets through little.
    pub(crate) fn filter(&mut self) -> Filter {
        let random = &mut self.random;
        let patterns =
            ["*", "public.*", "*.<script>", "public.order?lines", "nothing.*", "*two\nlines", "a.b.*", "odd.tw?*"];
        let first = random.below(6);
        Filter {
            name: (random.below(8) == 0).then(|| {
                let (schema, table) = *random.one_of(&TABLES);
                TableName { schema: schema.to_owned(), table: table.to_owned() }
            }),
            from: (random.below(2) == 0).then(|| day(first)),
            to: (random.below(2) == 0).then(|| day(first + random.below(3))),
            tables: (random.below(2) == 0).then(|| random.one_of(&patterns).parse().expect("a pattern")),
            operation: (random.below(2) == 0).then(|| *random.one_of(&Operation::ALL)),
        }
    }
}

impl Rows {
    /// A filter of rejects that now and then lets through little.
    pub(crate) fn reject_filter(&mut self) -> RejectFilter {
        let Filter { from, to, .. } = self.filter();
        let random = &mut self.random;
        RejectFilter {
            from,
            to,
            source: (random.below(2) == 0).then(|| random.one_of(&TOPICS).0.to_owned()),
            partition: (random.below(3) == 0).then(|| random.below(3) as i32),
            reason: (random.below(2) == 0).then(|| random.one_of(&["json", "of TEST", "no reason"]).to_string()),
        }
    }
}

/// Whether a reject is one of those that a filter asks for.
pub(crate) fn is_asked(filter: &RejectFilter, on: Day, reject: &RejectRow) -> bool {
    filter.from.is_none_or(|from| from <= on)
        && filter.to.is_none_or(|to| on <= to)
        && filter.source.as_ref().is_none_or(|source| *source == reject.topic)
        && filter.partition.is_none_or(|partition| partition == reject.partition)
        && filter.reason.as_ref().is_none_or(|part| reject.reason.to_lowercase().contains(&part.to_lowercase()))
}

fn passes(filter: &Filter, on: Day, event: &Event) -> bool {
    filter.from.is_none_or(|from| from <= on)
        && filter.to.is_none_or(|to| on <= to)
        && filter.name.as_ref().is_none_or(|name| name.schema == event.schema && name.table == event.table)
        && filter.operation.is_none_or(|op| op.as_str() == event.op)
        && filter.tables.as_ref().is_none_or(|tables| tables.matches(&event.schema, &event.table))
}

/// Counts by what is asked for, as texts, in order.
pub(crate) fn count(events: &[(Day, Event)], filter: &Filter, by: &[GroupBy]) -> Vec<(Vec<String>, u64)> {
    let mut counts = BTreeMap::new();
    for (on, event) in events.iter().filter(|(on, event)| passes(filter, *on, event)) {
        let key: Vec<String> = by
            .iter()
            .flat_map(|part| match part {
                GroupBy::Day => vec![on.to_string()],
                GroupBy::Table => vec![event.schema.clone(), event.table.clone()],
                GroupBy::Op => vec![event.op.clone()],
            })
            .collect();
        *counts.entry(key).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// The newest events.
pub(crate) fn newest(events: &[(Day, Event)], filter: &Filter, limit: usize) -> Vec<Event> {
    let passing = events.iter().filter(|(on, event)| passes(filter, *on, event));
    let mut found: Vec<Event> = passing.map(|(_, event)| event.clone()).collect();
    found.sort_by(|a, b| {
        let time = |event: &Event| event.commit_time.or(event.kafka_time);
        (time(b).cmp(&time(a)))
            .then_with(|| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)))
            .then_with(|| b.offset.cmp(&a.offset))
            .then_with(|| a.ordinal.cmp(&b.ordinal))
    });
    found.truncate(limit);
    found
}
