"""Pathway: records as bytes, one Python function on batches of them, counts by groupby."""

import os
import sys
import time

import orjson
import pathway as pw

from peer_run import consecutive_ports, parse_arguments, write_checked, write_counts, write_result
from python_change import DAY, printed_day, read_change

BATCH = 1_024


@pw.udf(max_batch_size=BATCH, deterministic=True)
def keys_of(values: list[bytes], metadata: list[pw.Json]) -> list[list[str]]:
    """For each record the keys of its changes. A key is one text: rows are grouped by it at less cost than by four columns."""
    return [keys_in(value, about) for value, about in zip(values, metadata)]


def keys_in(value, about):
    change = read_change(value)
    if not change:
        return []
    tables, operation, commit_time, _ = change
    day = (about.value["timestamp_millis"] * 1000 if commit_time is None else commit_time) // DAY
    keys = [(day, schema, table, operation) for schema, table in tables]
    return [known_keys.get(key) or print_key(key) for key in keys]


known_keys = {}


def print_key(key):
    known_keys[key] = orjson.dumps(key).decode()
    return known_keys[key]


def newest_counts(counts):
    """Follows a table of keys and counts; what it returns is filled while the program runs, in the first process only."""
    newest = {}

    def on_change(key, row, time, is_addition):
        if is_addition:
            newest[row["key"]] = row["count"]

    pw.io.subscribe(counts, on_change=on_change)
    return newest


def main():
    arguments = parse_arguments()
    if arguments.check:
        # The counts were in memory only, so the run has written them.
        write_checked(arguments.out, events_rows=None)
        return
    if "PATHWAY_PROCESS_ID" not in os.environ:
        spawn_processes(arguments.workers)
    records = pw.io.kafka.read(
        {
            "bootstrap.servers": arguments.brokers,
            # One for all processes of this run.
            "group.id": f"pathway-peer-{os.getppid()}",
            "auto.offset.reset": "earliest",
        },
        topic=arguments.topic,
        format="raw",
        mode="static",
        with_metadata=True,
    )
    keys = records.select(key=keys_of(pw.this.data, pw.this._metadata)).flatten(pw.this.key)
    counts = newest_counts(keys.groupby(pw.this.key).reduce(pw.this.key, count=pw.reducers.count()))
    read = newest_counts(records.reduce(key="records", count=pw.reducers.count()))

    started = time.monotonic()
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    seconds = time.monotonic() - started

    if os.environ["PATHWAY_PROCESS_ID"] != "0":
        return
    keys = [(orjson.loads(key), count) for key, count in counts.items()]
    write_counts(arguments.out, [(printed_day(day), *key, count) for (day, *key), count in keys])
    write_result(
        arguments.out,
        peer="pathway",
        version=pw.__version__,
        records=read.get("records", 0),
        stream_seconds=seconds,
        guarantee="None: persistence is off, so after a failure all is read again from the first offset.",
        leaves_out="Events, because Pathway writes Parquet only as a Delta table, which needs a licence key; counts are in memory "
        "only; records that cannot be read are dropped without a trace.",
    )


def spawn_processes(workers):
    """Becomes Pathway's launcher, which starts this program once for each worker: threads would share the interpreter's lock."""
    ports = ["--first-port", str(consecutive_ports(workers))]
    command = ["pathway", "spawn", "--processes", str(workers), "--threads", "1", *ports, sys.executable, *sys.argv]
    os.execvp(command[0], command)


main()
