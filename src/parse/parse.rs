//! The operator that reads records: batches of bytes become columns of changes, rejects, tallies and count deltas.

use std::sync::Arc;

use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;
use timely::progress::operate::FrontierInterest;

use super::deltas::Deltas;
use super::tables::Tables;
use super::{Content, DayRule, Envelope, Line, Name, Reject, Statement, read_line};
use crate::change::{
    Batch, CountKey, Day, Epoch, Lsn, Operation, Order, Partition, Place, Record, Rows, TableName, Taken, Tally,
};
use crate::table::{EventColumns, EventRow, RejectColumns};

/// Bytes of data for which a batch's columns have room at first; they grow.
const DATA_BYTES_PER_RECORD: usize = 256;

/// Bytes of the longest printed name: PostgreSQL's own limit is 63 for each part, and builds may raise it.
const LONGEST_NAME: usize = 4096;

/// What [`parse_records`] gives.
pub struct Parsed<'scope> {
    /// Rows of the events table.
    pub events: StreamVec<'scope, Epoch, Rows>,
    /// Rows of the rejects table.
    pub rejects: StreamVec<'scope, Epoch, Rows>,
    /// What the records of each partition were.
    pub tallies: StreamVec<'scope, Epoch, (Partition, Tally)>,
    /// How many changes of each key there were, as updates with that weight.
    pub deltas: StreamVec<'scope, Epoch, (CountKey, Epoch, isize)>,
}

/// Reads each record of each batch, on the worker that took it.
pub fn parse_records<'scope>(
    scope: Scope<'scope, Epoch>,
    batches: StreamVec<'scope, Epoch, Batch>,
    orders: StreamVec<'scope, Epoch, Order>,
) -> Parsed<'scope> {
    let mut builder = OperatorBuilder::new("ParseRecords".to_owned(), scope);
    let (events_out, events) = builder.new_output::<Vec<Rows>>();
    let (rejects_out, rejects) = builder.new_output::<Vec<Rows>>();
    let (tallies_out, tallies) = builder.new_output::<Vec<(Partition, Tally)>>();
    let (deltas_out, deltas) = builder.new_output::<Vec<(CountKey, Epoch, isize)>>();
    let mut events_out = OutputBuilder::from(events_out);
    let mut rejects_out = OutputBuilder::from(rejects_out);
    let mut tallies_out = OutputBuilder::from(tallies_out);
    let mut deltas_out = OutputBuilder::from(deltas_out);
    let held = (0..4).map(|output| (output, Antichain::from_elem(Default::default())));
    let mut batches = builder.new_input_connection(batches, Pipeline, held);
    let mut orders = builder.new_input_connection(orders, Pipeline, []);
    builder.set_notify_for(0, FrontierInterest::Never);
    builder.set_notify_for(1, FrontierInterest::Never);
    builder.build(move |_initial| {
        let mut parser: Option<Parser> = None;
        move |_frontiers| {
            orders.for_each(|_stamp, orders| {
                for order in orders.drain(..) {
                    if let Order::Start(start) = order {
                        let days = DayRule::from_names(&start.time_zone, &start.day_from);
                        parser = Some(Parser::new(days.expect("the leader has checked the book's settings")));
                    }
                }
            });
            let mut events_out = events_out.activate();
            let mut rejects_out = rejects_out.activate();
            let mut tallies_out = tallies_out.activate();
            let mut deltas_out = deltas_out.activate();
            batches.for_each_stamp(|stamp, batches| {
                let epoch = *stamp.least().expect("batches come at an epoch");
                for batch in batches.flat_map(|batches| batches.drain(..)) {
                    let parsed = parser.as_mut().expect("batches come after the start").parse(batch);
                    tallies_out.session(&stamp).give_iterator(parsed.tallies.into_iter());
                    deltas_out.session(&stamp).give_iterator(parsed.deltas.finish(&parsed.tables, epoch));
                    events_out.session(&stamp).give_iterator(parsed.events.into_iter());
                    rejects_out.session(&stamp).give_iterator(parsed.rejects.into_iter());
                }
            });
        }
    });
    Parsed { events, rejects, tallies, deltas }
}

/// What one batch held.
struct ParsedBatch {
    events: Option<Rows>,
    rejects: Option<Rows>,
    tallies: Vec<(Partition, Tally)>,
    deltas: Deltas,
    tables: Vec<Arc<TableName>>,
}

/// The parser with what it keeps from record to record: scratch space and memos.
struct Parser {
    envelope: Envelope,
    days: DayRule,
    tables: Tables,
}

impl Parser {
    fn new(days: DayRule) -> Parser {
        Parser { envelope: Envelope::new(), days, tables: Tables::new() }
    }

    fn parse(&mut self, batch: Batch) -> ParsedBatch {
        let Taken { records, count } = batch.taken;
        let mut found = Found {
            events: EventColumns::with_capacity(count, count * DATA_BYTES_PER_RECORD),
            rejects: RejectColumns::default(),
            deltas: Deltas::default(),
        };
        let mut tallies: Vec<(Arc<Partition>, Tally)> = Vec::new();
        records.for_each(&mut |record| {
            if !tallies.last().is_some_and(|(partition, _)| Arc::ptr_eq(partition, record.partition)) {
                tallies.push((Arc::clone(record.partition), Tally::default()));
                found.events.enter(record.partition);
            }
            let (_, tally) = tallies.last_mut().expect("just pushed");
            if let Err(reject) = self.parse_record(&record, &mut found, tally) {
                tally.rejects += 1;
                let day = self.days.day_of_reject(record.kafka_time);
                found.rejects.push(day, &record, &reject.to_string());
            }
        });
        let tables = self.tables.finish_batch();
        ParsedBatch {
            events: found.events.finish(batch.commit, &tables),
            rejects: found.rejects.finish(batch.commit),
            tallies: tallies.into_iter().map(|(partition, tally)| (Partition::clone(&partition), tally)).collect(),
            deltas: found.deltas,
            tables,
        }
    }

    /// Reads one record; nothing of it is kept when it is a reject.
    fn parse_record(&mut self, record: &Record<'_>, found: &mut Found, tally: &mut Tally) -> Result<(), Reject> {
        let content = match record.decoded {
            None => self.envelope.open(&record.partition.topic, record.value)?,
            Some(decoded) => Content::decoded(record.value, decoded)?,
        };
        let Content::Line(line) = content else {
            tally.markers += 1;
            return Ok(());
        };
        match read_line(line.text)? {
            Statement::Marker => tally.markers += 1,
            Statement::Change { table, operation } => {
                check_name(&table)?;
                let day = self.days.day(line.commit_time, record.kafka_time, record.arrived)?;
                found.push(&mut self.tables, day, record, &line, &table, operation, record.ordinal);
                tally.events += 1;
                bear(tally, &line);
            }
            Statement::Truncate(names) => {
                names.clone().try_for_each(|name| check_name(&name))?;
                let day = self.days.day(line.commit_time, record.kafka_time, record.arrived)?;
                for (place, table) in (0..).zip(names) {
                    let ordinal = record.ordinal.saturating_add(place);
                    found.push(&mut self.tables, day, record, &line, &table, Operation::Truncate, ordinal);
                    tally.events += 1;
                }
                bear(tally, &line);
            }
        }
        Ok(())
    }
}

/// A name is a key of counts for ever, so garbage must not become one.
fn check_name(name: &Name<'_>) -> Result<(), Reject> {
    if name.text().len() <= LONGEST_NAME { Ok(()) } else { Err(Reject::LongName) }
}

/// The rows and counts of a batch so far.
struct Found {
    events: EventColumns,
    rejects: RejectColumns,
    deltas: Deltas,
}

impl Found {
    #[expect(
        clippy::too_many_arguments,
        reason = "a row has many parts, and this is the one place that puts them together"
    )]
    fn push(
        &mut self,
        tables: &mut Tables,
        day: Day,
        record: &Record<'_>,
        line: &Line<'_>,
        table: &Name<'_>,
        op: Operation,
        ordinal: i32,
    ) {
        let table = tables.place(table);
        self.deltas.add(table, day, op);
        let row = EventRow {
            offset: record.offset,
            ordinal,
            kafka_time: record.kafka_time,
            commit_time: line.commit_time,
            lsn: line.lsn.map(Lsn::as_i64),
            commit_lsn: line.commit_lsn.map(Lsn::as_i64),
            seq: line.seq,
            xid: line.xid,
            table,
            op,
            data: line.text,
        };
        self.events.push(day, &row);
    }
}

/// Notes an event-bearing record and its place.
fn bear(tally: &mut Tally, line: &Line<'_>) {
    tally.bearing += 1;
    if let (Some(commit_lsn), Some(seq)) = (line.commit_lsn, line.seq) {
        tally.highest = tally.highest.max(Some(Place { commit_lsn: commit_lsn.as_i64(), seq }));
    }
}
