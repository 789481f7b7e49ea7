//! The operator that parses records: batches of bytes become columns of changes, rejects, tallies and count deltas.

use std::sync::Arc;

use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;
use timely::progress::operate::FrontierInterest;

use super::deltas::Deltas;
use super::reject_samples::RejectSamples;
use super::tables::{BatchTables, TableNumbers};
use super::{Content, DayRule, Envelope, EnvelopeLine, Name, Reject, Statement, read_line};
use crate::change::{
    Batch, Day, Epoch, LeaderCommand, Lsn, Operation, PackedCountKey, Partition, PartitionTally, Place, PolledBatch,
    Record, RejectSample, Rows, TableName, Tally,
};
use crate::table::{EventColumns, EventRow, RejectColumns};

/// Bytes of data for which a batch's columns have room at first; they grow.
const DATA_BYTES_PER_RECORD: usize = 256;

/// Bytes of the longest printed name: PostgreSQL's own limit is 63 for each part, and builds may raise it.
const LONGEST_NAME: usize = 4096;

/// The outputs of [`parse_records`].
pub struct Parsed<'scope> {
    /// Rows of the events table.
    pub events: StreamVec<'scope, Epoch, Rows>,
    /// Rows of the rejects table.
    pub rejects: StreamVec<'scope, Epoch, Rows>,
    /// What the records of each partition were.
    pub tallies: StreamVec<'scope, Epoch, PartitionTally>,
    /// How many changes of each key there were, as updates with that weight.
    pub deltas: StreamVec<'scope, Epoch, (PackedCountKey, Epoch, isize)>,
    /// The tables of those keys, each once on a worker, no later than the first key.
    pub tables: StreamVec<'scope, Epoch, Arc<TableName>>,
}

/// Parses each record of each batch, on the worker that read it.
pub fn parse_records<'scope>(
    scope: Scope<'scope, Epoch>,
    batches: StreamVec<'scope, Epoch, Batch>,
    commands: StreamVec<'scope, Epoch, LeaderCommand>,
) -> Parsed<'scope> {
    let mut builder = OperatorBuilder::new("ParseRecords".to_owned(), scope);
    let (events_out, events) = builder.new_output::<Vec<Rows>>();
    let (rejects_out, rejects) = builder.new_output::<Vec<Rows>>();
    let (tallies_out, tallies) = builder.new_output::<Vec<PartitionTally>>();
    let (deltas_out, deltas) = builder.new_output::<Vec<(PackedCountKey, Epoch, isize)>>();
    let (tables_out, tables) = builder.new_output::<Vec<Arc<TableName>>>();
    let mut events_out = OutputBuilder::from(events_out);
    let mut rejects_out = OutputBuilder::from(rejects_out);
    let mut tallies_out = OutputBuilder::from(tallies_out);
    let mut deltas_out = OutputBuilder::from(deltas_out);
    let mut tables_out = OutputBuilder::from(tables_out);
    let held = (0..5).map(|output| (output, Antichain::from_elem(Default::default())));
    let mut batches = builder.new_input_connection(batches, Pipeline, held);
    let mut commands = builder.new_input_connection(commands, Pipeline, []);
    builder.set_notify_for(0, FrontierInterest::Never);
    builder.set_notify_for(1, FrontierInterest::Never);
    builder.build(move |_initial| {
        let mut parser: Option<Parser> = None;
        move |_frontiers| {
            commands.for_each(|_stamp, commands| {
                for command in commands.drain(..) {
                    if let LeaderCommand::Start(start) = command {
                        let days = DayRule::from_names(&start.time_zone, &start.day_from);
                        parser = Some(Parser::new(days.expect("the leader has checked the book's settings")));
                    }
                }
            });
            let mut events_out = events_out.activate();
            let mut rejects_out = rejects_out.activate();
            let mut tallies_out = tallies_out.activate();
            let mut deltas_out = deltas_out.activate();
            let mut tables_out = tables_out.activate();
            batches.for_each_stamp(|stamp, batches| {
                let epoch = *stamp.least().expect("batches come at an epoch");
                for batch in batches.flat_map(|batches| batches.drain(..)) {
                    let parser = parser.as_mut().expect("batches come after the start");
                    let parsed = parser.parse(batch);
                    tables_out.session(&stamp).give_iterator(parser.tables.take_new().into_iter());
                    tallies_out.session(&stamp).give_iterator(parsed.tallies.into_iter());
                    deltas_out.session(&stamp).give_iterator(parsed.deltas.finish(&parsed.tables.ids, epoch));
                    events_out.session(&stamp).give_iterator(parsed.events.into_iter());
                    rejects_out.session(&stamp).give_iterator(parsed.rejects.into_iter());
                }
            });
        }
    });
    Parsed { events, rejects, tallies, deltas, tables }
}

/// A stretch of records of one partition.
struct Stretch {
    partition: Arc<Partition>,
    tally: Tally,
    kafka_time: Option<i64>,
    commit_time: Option<i64>,
    rejects: Vec<RejectSample>,
}

impl Stretch {
    fn new(partition: &Arc<Partition>) -> Stretch {
        Stretch {
            partition: Arc::clone(partition),
            tally: Tally::default(),
            kafka_time: None,
            commit_time: None,
            rejects: Vec::new(),
        }
    }

    /// Counts a record that holds changes, and notes its place and time.
    fn count_bearing(&mut self, line: &EnvelopeLine<'_>) {
        self.tally.bearing += 1;
        self.commit_time = self.commit_time.max(line.commit_time);
        if let (Some(commit_lsn), Some(seq)) = (line.commit_lsn, line.seq) {
            self.tally.highest = self.tally.highest.max(Some(Place { commit_lsn: commit_lsn.as_i64(), seq }));
        }
    }

    fn into_tally(self) -> PartitionTally {
        let Stretch { partition, tally, kafka_time, commit_time, rejects } = self;
        PartitionTally { partition: Partition::clone(&partition), tally, kafka_time, commit_time, rejects }
    }
}

/// The content of one batch.
struct ParsedBatch {
    events: Option<Rows>,
    rejects: Option<Rows>,
    tallies: Vec<PartitionTally>,
    deltas: Deltas,
    tables: BatchTables,
}

/// The parser with buffers and caches that it keeps from record to record.
struct Parser {
    envelope: Envelope,
    days: DayRule,
    tables: TableNumbers,
    samples: RejectSamples,
}

impl Parser {
    fn new(days: DayRule) -> Parser {
        Parser { envelope: Envelope::new(), days, tables: TableNumbers::new(), samples: RejectSamples::default() }
    }

    fn parse(&mut self, batch: Batch) -> ParsedBatch {
        let PolledBatch { records, count } = batch.polled;
        let mut rows = BatchRows {
            events: EventColumns::with_capacity(count, count * DATA_BYTES_PER_RECORD),
            rejects: RejectColumns::default(),
            deltas: Deltas::default(),
        };
        let mut stretches: Vec<Stretch> = Vec::new();
        records.for_each(&mut |record| {
            if !stretches.last().is_some_and(|stretch| Arc::ptr_eq(&stretch.partition, record.partition)) {
                stretches.push(Stretch::new(record.partition));
                rows.events.enter(record.partition);
            }
            let stretch = stretches.last_mut().expect("just pushed");
            stretch.kafka_time = record.kafka_time.or(stretch.kafka_time);
            if let Err(reject) = self.parse_record(&record, &mut rows, stretch) {
                stretch.tally.rejects += 1;
                let day = self.days.day_of_reject(record.kafka_time);
                let reason = reject.to_string();
                rows.rejects.push(day, &record, &reason);
                stretch.rejects.extend(self.samples.sample(&record, &reject, reason));
            }
        });
        let tables = self.tables.finish_batch();
        ParsedBatch {
            events: rows.events.finish(batch.commit, &tables.names),
            rejects: rows.rejects.finish(batch.commit),
            tallies: stretches.into_iter().map(Stretch::into_tally).collect(),
            deltas: rows.deltas,
            tables,
        }
    }

    /// Parses one record; nothing of it is kept when it is a reject.
    fn parse_record(&mut self, record: &Record<'_>, rows: &mut BatchRows, stretch: &mut Stretch) -> Result<(), Reject> {
        let content = match record.decoded {
            None => self.envelope.open(&record.partition.topic, record.value)?,
            Some(decoded) => Content::decoded(record.value, decoded)?,
        };
        let Content::Line(line) = content else {
            stretch.tally.markers += 1;
            return Ok(());
        };
        match read_line(line.text)? {
            Statement::Marker => stretch.tally.markers += 1,
            Statement::Change { table, operation } => {
                check_name(&table)?;
                let day = day_of(&mut self.days, &line, record)?;
                rows.push(&mut self.tables, day, record, &line, &table, operation, record.ordinal);
                stretch.tally.events += 1;
                stretch.count_bearing(&line);
            }
            Statement::Truncate(names) => {
                names.clone().try_for_each(|name| check_name(&name))?;
                let day = day_of(&mut self.days, &line, record)?;
                for (place, table) in (0..).zip(names) {
                    let ordinal = record.ordinal.saturating_add(place);
                    rows.push(&mut self.tables, day, record, &line, &table, Operation::Truncate, ordinal);
                    stretch.tally.events += 1;
                }
                stretch.count_bearing(&line);
            }
        }
        stretch.tally.unreadable_fields += line.unreadable.count();
        Ok(())
    }
}

/// The day that a line of a record counts for.
fn day_of(days: &mut DayRule, line: &EnvelopeLine<'_>, record: &Record<'_>) -> Result<Day, Reject> {
    days.day(line.commit_time, record.kafka_time, record.arrived).map_err(|reject| match reject {
        Reject::NoCommitTime if line.unreadable.has_commit_time() => Reject::CommitTime,
        reject => reject,
    })
}

/// A name is a key of counts as long as the book exists, so garbage must not become one.
fn check_name(name: &Name<'_>) -> Result<(), Reject> {
    if name.text().len() <= LONGEST_NAME { Ok(()) } else { Err(Reject::LongName) }
}

/// The rows and counts of a batch so far.
struct BatchRows {
    events: EventColumns,
    rejects: RejectColumns,
    deltas: Deltas,
}

impl BatchRows {
    #[expect(clippy::too_many_arguments, reason = "a row has many parts, and only this function assembles them")]
    fn push(
        &mut self,
        tables: &mut TableNumbers,
        day: Day,
        record: &Record<'_>,
        line: &EnvelopeLine<'_>,
        table: &Name<'_>,
        op: Operation,
        ordinal: i32,
    ) {
        let table = tables.index_in_batch(table);
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
