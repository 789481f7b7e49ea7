"""Debezium: a standalone worker of Kafka Connect, whose only connector reads the backlog of a slot into one topic."""

import argparse
import glob
import os
import re
import subprocess
import sys
import time
from collections import Counter
from urllib.parse import urlsplit

import orjson
from confluent_kafka import Consumer, KafkaException, TopicPartition

from peer_run import write_checked, write_counts, write_result

HEAP = "-Xmx2g"
# How often the end of the topic is asked for, and how long it may stay where it is: the first time includes the JVM's start.
POLL_SECONDS = 0.05
STALL_SECONDS = 120
# How long the worker may take to write its offsets and to end.
STOP_SECONDS = 60

WORKER = {
    # The REST interface cannot be switched off.
    "listeners": "http://127.0.0.1:0",
    "plugin.discovery": "service_load",
    "key.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "key.converter.schemas.enable": "false",
    "value.converter.schemas.enable": "false",
    # Large batches; as Connect sets it, a batch is acknowledged by all replicas, of which there is one here.
    "producer.linger.ms": "20",
    "producer.batch.size": "1000000",
    "producer.buffer.memory": "268435456",
    "producer.max.request.size": "8388608",
}

CONNECTOR = {
    "name": "debezium",
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "tasks.max": "1",
    "plugin.name": "pgoutput",
    # The slot has all changes: no snapshot of the tables' rows.
    "snapshot.mode": "no_data",
    "publication.autocreate.mode": "disabled",
    # The names of topics are made once for each table, so one topic for all of them costs nothing for each record.
    "topic.prefix": "debezium",
    "topic.naming.strategy": "io.debezium.schema.DefaultRegexTopicNamingStrategy",
    "topic.regex": ".*",
    "topic.key.enforce.uniqueness": "false",
    # Four times Debezium's defaults, and no pause between two batches while there are changes.
    "max.batch.size": "8192",
    "max.queue.size": "32768",
    "poll.interval.ms": "10",
}

OPERATIONS = {"c": "INSERT", "u": "UPDATE", "d": "DELETE", "t": "TRUNCATE"}
LOG = """
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %m (%c)%n
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
"""


def parse_arguments():
    parser = argparse.ArgumentParser(description="Debezium as a peer of walbook capture; started by run.py.")
    for name in ["brokers", "topic", "postgres", "slot", "publication", "out"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--changes", required=True, type=int)
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if arguments.check:
        write_counts(arguments.out, read_counts(arguments.brokers, arguments.topic))
        write_checked(arguments.out, events_rows=None)
    else:
        run(arguments)


def run(arguments):
    worker = start_worker(arguments)
    try:
        seconds, records = await_changes(arguments, worker)
    finally:
        stop(worker)
    write_result(
        arguments.out,
        peer="debezium",
        version=connector_version(),
        records=records,
        stream_seconds=seconds,
        guarantee="At least once: after a failure the worker reads again from the offsets that it wrote last, at most a minute before.",
        leaves_out="Counts, and PostgreSQL's own text of a change: rows are decoded into JSON fields.",
    )


def start_worker(arguments):
    server = urlsplit(arguments.postgres)
    worker = {
        **WORKER,
        "bootstrap.servers": arguments.brokers,
        "offset.storage.file.filename": f"{arguments.out}/offsets",
    }
    connector = {
        **CONNECTOR,
        "database.hostname": server.hostname,
        "database.port": server.port,
        "database.user": server.username,
        "database.dbname": server.path[1:],
        "slot.name": arguments.slot,
        "publication.name": arguments.publication,
        "topic.replacement": arguments.topic,
    }
    write_properties(f"{arguments.out}/worker.properties", worker)
    write_properties(f"{arguments.out}/connector.properties", connector)
    with open(f"{arguments.out}/log4j2.properties", "w", encoding="utf-8") as file:
        file.write(LOG)
    return subprocess.Popen(
        [
            "java",
            HEAP,
            f"-Dlog4j2.configurationFile={arguments.out}/log4j2.properties",
            "-cp",
            os.path.join(os.environ["PEER_JARS"], "*"),
            "org.apache.kafka.connect.cli.ConnectStandalone",
            f"{arguments.out}/worker.properties",
            f"{arguments.out}/connector.properties",
        ],
        stdout=sys.stderr,
    )


def write_properties(path, settings):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{key}={value}\n" for key, value in settings.items())


def await_changes(arguments, worker):
    """Waits until the topic has all changes; returns the seconds since its first one, and how many records there are."""
    consumer = new_consumer(arguments.brokers)
    first = None
    count, grown = 0, time.monotonic()
    while count < arguments.changes:
        if worker.poll() is not None:
            sys.exit(f"the worker ended with {worker.returncode} after {count} of {arguments.changes} changes")
        if time.monotonic() > grown + STALL_SECONDS:
            sys.exit(f"the topic has {count} of {arguments.changes} changes, and no more for {STALL_SECONDS} s")
        time.sleep(POLL_SECONDS)
        length = sum(end - begin for begin, end in ranges(consumer, arguments.topic).values())
        if length > count:
            count, grown = length, time.monotonic()
            first = first or grown
    consumer.close()
    return grown - (first or grown), count


def stop(worker):
    worker.terminate()
    try:
        worker.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def read_counts(brokers, topic):
    """The changes in the topic by table and operation; they have no day, because Debezium's time is that of the commit."""
    consumer = new_consumer(brokers)
    open_ranges = {number: end for number, (begin, end) in ranges(consumer, topic).items() if end > begin}
    consumer.assign([TopicPartition(topic, number, 0) for number in open_ranges])
    counts = Counter()
    while open_ranges:
        for message in consumer.consume(10_000, 1.0):
            if message.error():
                raise KafkaException(message.error())
            change = orjson.loads(message.value())
            source = change["source"]
            counts["", source["schema"], source["table"], OPERATIONS.get(change["op"], change["op"])] += 1
            if message.offset() + 1 >= open_ranges.get(message.partition(), 0):
                open_ranges.pop(message.partition(), None)
    consumer.close()
    return [(*key, count) for key, count in counts.items()]


def new_consumer(brokers):
    return Consumer({"bootstrap.servers": brokers, "group.id": "debezium-peer", "enable.auto.commit": False})


def ranges(consumer, topic):
    """The first offset and the end of each partition."""
    partitions = consumer.list_topics(topic).topics[topic].partitions
    return {number: consumer.get_watermark_offsets(TopicPartition(topic, number)) for number in partitions}


def connector_version():
    jars = glob.glob(os.path.join(os.environ["PEER_JARS"], "debezium-connector-postgres-*.jar"))
    return re.search(r"postgres-(.*)\.jar$", jars[0])[1]


main()
