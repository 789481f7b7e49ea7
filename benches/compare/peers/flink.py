"""Flink SQL: one source, one job with two INSERTs: events as Parquet, counts by GROUP BY."""

import glob
import json
import os
import time

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from pyarrow import parquet
from pyflink.table import EnvironmentSettings, TableEnvironment
from pyflink.version import __version__

from change_line import CHANGE, NAME, SCHEMA_AND_TABLE
from peer_run import parse_arguments, write_checked, write_counts, write_result

# In the output folder: the name of the topic that the counts are in.
COUNTS_TOPIC_FILE = "counts-topic"

SETTINGS = {
    "execution.runtime-mode": "streaming",
    "execution.checkpointing.interval": "5 s",
    "execution.checkpointing.mode": "EXACTLY_ONCE",
    # Rows are not copied between operators of one task.
    "pipeline.object-reuse": "true",
    # Counts are added up locally before they are sent to the global aggregation.
    "table.exec.mini-batch.enabled": "true",
    "table.exec.mini-batch.allow-latency": "1 s",
    "table.exec.mini-batch.size": "50000",
    "table.optimizer.agg-phase-strategy": "TWO_PHASE",
    # What both INSERTs have in common is computed once.
    "table.optimizer.reuse-optimize-block-with-digest-enabled": "true",
    "table.local-time-zone": "UTC",
}

SOURCE = """
CREATE TABLE records (
  payload ROW<data STRING, commit_time TIMESTAMP_LTZ(6)>,
  data STRING,
  commit_time TIMESTAMP_LTZ(6),
  kafka_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  `partition` INT METADATA VIRTUAL,
  `offset` BIGINT METADATA VIRTUAL
) WITH (
  'connector' = 'kafka',
  'properties.bootstrap.servers' = '{brokers}',
  'properties.isolation.level' = 'read_committed',
  'topic' = '{topic}',
  'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset',
  'format' = 'json',
  'json.ignore-parse-errors' = 'true',
  'json.timestamp-format.standard' = 'ISO-8601'
)
"""

# Kafka Connect's JsonConverter with and without schemas, and fields beside the line.
LINES = """
CREATE TEMPORARY VIEW lines AS
SELECT `partition`, `offset`, kafka_time,
  COALESCE(payload.commit_time, commit_time) AS commit_time,
  COALESCE(payload.data, data) AS line
FROM records
"""

# Both INSERTs share the job up to here, so the patterns run once. What does not match has no names.
HEADS = """
CREATE TEMPORARY VIEW heads AS
SELECT `partition`, `offset`, kafka_time, commit_time, line,
  REGEXP_EXTRACT_ALL(REGEXP_EXTRACT(line, '{change}', 1), '{name}', 0) AS names,
  REGEXP_EXTRACT(line, '{change}', 2) AS op,
  CAST(COALESCE(commit_time, kafka_time) AS DATE) AS `day`
FROM lines
WHERE line LIKE 'table %'
"""

# One row for each change: of a TRUNCATE one for each of its tables.
CHANGES = """
CREATE TEMPORARY VIEW changes AS
SELECT `partition`, `offset`, kafka_time, commit_time,
  CASE WHEN POSITION('"' IN name) = 0 THEN SPLIT_INDEX(name, '.', 0) ELSE {schema} END AS `schema`,
  CASE WHEN POSITION('"' IN name) = 0 THEN SPLIT_INDEX(name, '.', 1) ELSE {table} END AS `table`,
  op, line AS data, `day`
FROM heads CROSS JOIN UNNEST(names) AS each_name (name)
"""

EVENTS = """
CREATE TABLE events (
  `partition` INT,
  `offset` BIGINT,
  kafka_time TIMESTAMP_LTZ(3),
  commit_time TIMESTAMP_LTZ(6),
  `schema` STRING,
  `table` STRING,
  op STRING,
  data STRING,
  `day` DATE
) PARTITIONED BY (`day`) WITH (
  'connector' = 'filesystem',
  'path' = '{out}/events',
  'format' = 'parquet',
  'parquet.compression' = 'SNAPPY'
)
"""

# A changelog, of which the last value of each key is the count.
COUNTS = """
CREATE TABLE counts (
  `day` DATE,
  `schema` STRING,
  `table` STRING,
  op STRING,
  `count` BIGINT,
  PRIMARY KEY (`day`, `schema`, `table`, op) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka',
  'properties.bootstrap.servers' = '{brokers}',
  'topic' = '{counts_topic}',
  'key.format' = 'json',
  'value.format' = 'json'
)
"""


def main():
    arguments = parse_arguments()
    if arguments.check:
        check(arguments)
    else:
        run(arguments)


def run(arguments):
    """Leaves the topic of the counts to the check, which deletes it."""
    os.environ.setdefault("JVM_ARGS", "-Xmx3g")
    brokers, counts_topic = arguments.brokers, f"{arguments.topic}-flink-counts-{os.getpid()}"
    admin = AdminClient({"bootstrap.servers": brokers})
    for created in admin.create_topics([NewTopic(counts_topic, 1, 1)]).values():
        created.result()
    try:
        records = topic_length(brokers, arguments.topic)
        seconds = run_job(arguments, counts_topic)
    except BaseException:
        delete_topic(admin, counts_topic)
        raise
    with open(os.path.join(arguments.out, COUNTS_TOPIC_FILE), "w", encoding="utf-8") as file:
        file.write(counts_topic)
    write_result(
        arguments.out,
        peer="flink",
        version=__version__,
        records=records,
        stream_seconds=seconds,
        guarantee="Exactly-once checkpoints every 5 s: files of events become visible with the checkpoint that names them; "
        "counts are upserts into a Kafka topic, which a restart may repeat, but not add up twice.",
        leaves_out="Records that cannot be read are dropped without a trace; counts and events become visible at different "
        "moments, and counts are no files.",
    )


def check(arguments):
    with open(os.path.join(arguments.out, COUNTS_TOPIC_FILE), encoding="utf-8") as file:
        counts_topic = file.read()
    try:
        write_counts(arguments.out, read_counts(arguments.brokers, counts_topic))
    finally:
        delete_topic(AdminClient({"bootstrap.servers": arguments.brokers}), counts_topic)
    write_checked(arguments.out, events_rows(arguments.out))


def delete_topic(admin, topic):
    for deleted in admin.delete_topics([topic]).values():
        deleted.result()


def run_job(arguments, counts_topic):
    """Seconds from the submitted job to its end, behind the last checkpoint."""
    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    jars = sorted(glob.glob(os.path.join(os.environ["PEER_JARS"], "*.jar")))
    for key, value in {
        **SETTINGS,
        "pipeline.jars": ";".join(f"file://{jar}" for jar in jars),
        "parallelism.default": str(arguments.workers),
        "execution.checkpointing.dir": f"file://{arguments.out}/checkpoints",
    }.items():
        environment.get_config().set(key, value)
    values = {
        "brokers": arguments.brokers,
        "topic": arguments.topic,
        "counts_topic": counts_topic,
        "out": f"file://{arguments.out}",
        "change": CHANGE,
        "name": NAME,
        "schema": unquoted(f"REGEXP_EXTRACT(name, '{SCHEMA_AND_TABLE}', 1)"),
        "table": unquoted(f"REGEXP_EXTRACT(name, '{SCHEMA_AND_TABLE}', 2)"),
    }
    for statement in [SOURCE, LINES, HEADS, CHANGES, EVENTS, COUNTS]:
        environment.execute_sql(statement.format(**values))
    statements = environment.create_statement_set()
    statements.add_insert_sql("INSERT INTO events SELECT * FROM changes")
    statements.add_insert_sql(
        "INSERT INTO counts SELECT `day`, `schema`, `table`, op, COUNT(*) FROM changes GROUP BY `day`, `schema`, `table`, op"
    )
    # Planning and the start of the local cluster are over when this returns.
    job = statements.execute()
    started = time.monotonic()
    job.wait()
    return time.monotonic() - started


def unquoted(identifier):
    quoted = f"REPLACE(SUBSTRING({identifier}, 2, CHAR_LENGTH({identifier}) - 2), '\"\"', '\"')"
    return f"CASE WHEN {identifier} LIKE '\"%' THEN {quoted} ELSE {identifier} END"


def topic_length(brokers, topic):
    """The offsets from first to end, of all partitions."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "flink-peer"})
    partitions = consumer.list_topics(topic).topics[topic].partitions
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, partition)) for partition in partitions]
    consumer.close()
    return sum(end - first for first, end in ends)


def read_counts(brokers, topic):
    """The last value of each key."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "flink-peer", "enable.auto.commit": False})
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0))
    consumer.assign([TopicPartition(topic, 0, 0)])
    counts, offset = {}, 0
    while offset < end:
        for message in consumer.consume(10_000, 1.0):
            offset = message.offset() + 1
            row = json.loads(message.value())
            counts[row["day"], row["schema"], row["table"], row["op"]] = row["count"]
    consumer.close()
    return [(*key, count) for key, count in counts.items()]


def events_rows(out):
    files = glob.glob(f"{out}/events/*/[!._]*")
    return sum(parquet.read_metadata(file).num_rows for file in files)


main()
