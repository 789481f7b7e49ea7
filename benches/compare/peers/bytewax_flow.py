"""Bytewax: an item is a batch of records, parsed and counted at once; Parquet by a sink of its own."""

import glob
import json
import operator
import os
import sys
import time
from collections import Counter
from importlib.metadata import version

import pyarrow
from bytewax import operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from pyarrow import parquet

from peer_run import consecutive_ports, parse_arguments, write_checked, write_counts, write_result
from python_change import DAY, printed_day, read_change

BATCH = 10_000
EVENTS = pyarrow.schema(
    {
        "partition": pyarrow.int32(),
        "offset": pyarrow.int64(),
        "kafka_time": pyarrow.timestamp("ms", tz="UTC"),
        "commit_time": pyarrow.timestamp("us", tz="UTC"),
        "day": pyarrow.date32(),
        "schema": pyarrow.string(),
        "table": pyarrow.string(),
        "op": pyarrow.string(),
        "data": pyarrow.string(),
    }
)


class TopicSource(FixedPartitionedSource):
    """One input for each partition, up to the end that it has at the start; an item is a list of records."""

    def __init__(self, brokers, topic):
        self.brokers, self.topic = brokers, topic

    def list_parts(self):
        consumer = self.consumer()
        partitions = consumer.list_topics(self.topic).topics[self.topic].partitions
        consumer.close()
        return [str(partition) for partition in partitions]

    def build_part(self, step_id, for_part, resume_state):
        return PartitionInput(self.consumer(), self.topic, int(for_part))

    def consumer(self):
        return Consumer(
            {
                "bootstrap.servers": self.brokers,
                "group.id": "bytewax-peer",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )


class PartitionInput(StatefulSourcePartition):
    def __init__(self, consumer, topic, partition):
        self.consumer = consumer
        _, self.end = consumer.get_watermark_offsets(TopicPartition(topic, partition))
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        self.is_done = False

    def next_batch(self):
        if self.is_done:
            raise StopIteration
        records = []
        for message in self.consumer.consume(BATCH, 0.05):
            error = message.error()
            if error and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if not error and message.offset() < self.end:
                records.append(message)
            self.is_done = self.is_done or bool(error) or message.offset() >= self.end - 1
        return [records] if records else []

    def snapshot(self):
        return None

    def close(self):
        self.consumer.close()


def parse_batch(records):
    """The events of some records as a table, how many there are of each key, and how many records were read."""
    columns = [[] for _ in EVENTS]
    counts = Counter()
    for record in records:
        change = read_change(record.value())
        if not change:
            continue
        tables, operation, commit_time, line = change
        _, kafka_time = record.timestamp()
        day = (kafka_time * 1000 if commit_time is None else commit_time) // DAY
        for schema, table in tables:
            counts[day, schema, table, operation] += 1
            row = (record.partition(), record.offset(), kafka_time, commit_time, day, schema, table, operation, line)
            for column, cell in zip(columns, row):
                column.append(cell)
    arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, EVENTS)]
    return pyarrow.table(arrays, schema=EVENTS), counts, len(records)


class EventsSink(DynamicSink):
    """One Parquet file for each worker, whole when the flow ends."""

    def __init__(self, folder):
        self.folder = folder

    def build(self, step_id, worker_index, worker_count):
        return EventsFile(os.path.join(self.folder, f"worker-{worker_index}.parquet"))


class EventsFile(StatelessSinkPartition):
    def __init__(self, path):
        self.writer = parquet.ParquetWriter(path, EVENTS)

    def write_batch(self, items):
        for table in items:
            self.writer.write_table(table)

    def close(self):
        self.writer.close()


class CountsSink(DynamicSink):
    """One file of JSON lines for each worker: a key and its count at the end."""

    def __init__(self, folder):
        self.folder = folder

    def build(self, step_id, worker_index, worker_count):
        return CountsFile(os.path.join(self.folder, f"worker-{worker_index}.ndjson"))


class CountsFile(StatelessSinkPartition):
    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8")

    def write_batch(self, items):
        for key, count in items:
            self.file.write(json.dumps([json.loads(key), count]) + "\n")

    def close(self):
        self.file.close()


def build_flow(arguments):
    flow = Dataflow("counts_and_events")
    batches = op.input("read", flow, TopicSource(arguments.brokers, arguments.topic))
    parsed = op.map("parse", batches, parse_batch)
    op.output("events", op.map("tables", parsed, lambda batch: batch[0]), EventsSink(os.path.join(arguments.out, "events")))
    # Keys are text in Bytewax; that of the number of records is no change's.
    deltas = op.flat_map("deltas", parsed, lambda batch: [(json.dumps(key), n) for key, n in batch[1].items()])
    records = op.map("records", parsed, lambda batch: ("null", batch[2]))
    counts = op.reduce_final("add", op.merge("all", deltas, records), operator.add)
    op.output("counts", counts, CountsSink(os.path.join(arguments.out, "counts")))
    return flow


def run_processes(arguments):
    """Runs the flow on a process for each worker: threads would take turns with Python's interpreter lock."""
    first = consecutive_ports(arguments.workers)
    addresses = [f"127.0.0.1:{first + number}" for number in range(arguments.workers)]
    processes = []
    for number in range(arguments.workers):
        process = os.fork()
        if process == 0:
            cli_main(build_flow(arguments), process_id=number, addresses=addresses)
            os._exit(0)
        processes.append(process)
    if any([os.waitpid(process, 0)[1] != 0 for process in processes]):
        sys.exit("a process of the flow failed")


def main():
    arguments = parse_arguments()
    if arguments.check:
        check(arguments.out)
    else:
        run(arguments)


def run(arguments):
    for folder in ["events", "counts"]:
        os.mkdir(os.path.join(arguments.out, folder))

    started = time.monotonic()
    run_processes(arguments)
    seconds = time.monotonic() - started

    write_result(
        arguments.out,
        peer="bytewax",
        version=version("bytewax"),
        records=read_totals(arguments.out).get((), 0),
        stream_seconds=seconds,
        guarantee="None: recovery is off, so after a failure all is read again from the first offset.",
        leaves_out="Records that cannot be read are dropped without a trace; counts appear at the end only, and Parquet files "
        "are whole only then and not synced to disk.",
    )


def check(out):
    totals = read_totals(out)
    totals.pop((), None)
    write_counts(out, [(printed_day(day), *key, count) for (day, *key), count in totals.items()])
    write_checked(out, sum(parquet.read_metadata(path).num_rows for path in glob.glob(os.path.join(out, "events", "*"))))


def read_totals(out):
    """The counts of all workers; that of the records has an empty key."""
    totals = {}
    for path in glob.glob(os.path.join(out, "counts", "*")):
        with open(path, encoding="utf-8") as file:
            totals.update((tuple(key or ()), count) for key, count in map(json.loads, file))
    return totals


main()
