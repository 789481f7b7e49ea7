"""Spark Structured Streaming: from_json once, a pattern on the line, one foreachBatch for events and counts."""

import glob
import os
import time
from datetime import datetime

import pyspark
from pyarrow import dataset
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from change_line import CHANGE, NAME, SCHEMA_AND_TABLE
from peer_run import parse_arguments, write_checked, write_counts, write_result

# Kafka Connect's JsonConverter with and without schemas, and fields beside the line. What has another type is null.
VALUE = "payload STRUCT<data: STRING, commit_time: TIMESTAMP>, data STRING, commit_time TIMESTAMP"
KEY = ["day", "schema", "table", "op"]
COUNTS = "day DATE, schema STRING, table STRING, op STRING, count LONG"
# About what the stream reads in ten seconds.
RECORDS_PER_BATCH = 1_000_000


def start_session(workers):
    return (
        SparkSession.builder.master(f"local[{workers}]")
        .config("spark.jars", ",".join(sorted(glob.glob(os.path.join(os.environ["PEER_JARS"], "*.jar")))))
        .config("spark.driver.memory", "3g")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", workers)
        # Days are written side by side: no sort by day before the files, up to so many of them.
        .config("spark.sql.maxConcurrentOutputFileWriters", 32)
        # Each batch reports how many records it read; all reports are added up at the end.
        .config("spark.sql.streaming.numRecentProgressUpdates", 100_000)
        .config("spark.ui.enabled", "false")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )


def read_topic(spark, arguments):
    return (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", arguments.brokers)
        .option("subscribe", arguments.topic)
        .option("startingOffsets", "earliest")
        .option("kafka.isolation.level", "read_committed")
        .option("minPartitions", arguments.workers)
        .option("maxOffsetsPerTrigger", RECORDS_PER_BATCH)
        .load()
    )


def changes_of(records):
    """One row for each change: of a TRUNCATE one for each of its tables."""
    values = records.select(
        "partition",
        "offset",
        F.col("timestamp").alias("kafka_time"),
        F.from_json(F.col("value").cast("string"), VALUE).alias("v"),
    )
    lines = values.select(
        "partition",
        "offset",
        "kafka_time",
        F.coalesce("v.payload.commit_time", "v.commit_time").alias("commit_time"),
        F.coalesce("v.payload.data", "v.data").alias("data"),
    )
    # The pattern decodes the line and costs as much as the JSON, so it runs once: the operation is what stands behind the names.
    names = lines.where(F.col("data").startswith("table ")).select("*", F.regexp_extract("data", CHANGE, 1).alias("names"))
    behind = F.col("data").substr(F.length("names") + len("table : ") + 1, F.lit(len("TRUNCATE:")))
    heads = names.where("names != ''").select("*", F.substring_index(behind, ":", 1).alias("op"))
    # Only a TRUNCATE has several names.
    several = F.when(F.col("op") == "TRUNCATE", F.regexp_extract_all("names", F.lit(NAME), F.lit(0)))
    changes = heads.select("*", F.explode(F.coalesce(several, F.array("names"))).alias("name"))
    is_plain = ~F.contains(F.col("name"), F.lit('"'))
    schema = F.when(is_plain, F.substring_index("name", ".", 1)).otherwise(
        unquoted(F.regexp_extract("name", SCHEMA_AND_TABLE, 1))
    )
    table = F.when(is_plain, F.substring_index("name", ".", -1)).otherwise(
        unquoted(F.regexp_extract("name", SCHEMA_AND_TABLE, 2))
    )
    return changes.select(
        "partition",
        "offset",
        "kafka_time",
        "commit_time",
        schema.alias("schema"),
        table.alias("table"),
        "op",
        "data",
        F.to_date(F.coalesce("commit_time", "kafka_time")).alias("day"),
    )


def unquoted(identifier):
    inner = F.replace(identifier.substr(F.lit(2), F.length(identifier) - 2), F.lit('""'), F.lit('"'))
    return F.when(identifier.startswith('"'), inner).otherwise(identifier)


def write_batches(changes, out):
    """Starts the query. A batch that is repeated after a failure replaces what its first attempt wrote."""

    def write_batch(batch, number):
        events = f"{out}/events/batch={number}"
        batch.write.mode("overwrite").partitionBy("day").parquet(events)
        spark = batch.sparkSession
        # Four narrow columns of the files just written: cheaper than to keep the batch, or to read it from Kafka again.
        counts = spark.read.schema(batch.schema).parquet(events).groupBy(KEY).count()
        if number > 0:
            counts = counts.union(spark.read.schema(COUNTS).parquet(f"{out}/counts/{number - 1}"))
        totals = counts.groupBy(KEY).agg(F.sum("count").alias("count"))
        totals.coalesce(1).write.mode("overwrite").parquet(f"{out}/counts/{number}")

    return (
        changes.writeStream.foreachBatch(write_batch)
        .option("checkpointLocation", f"{out}/checkpoint")
        .trigger(availableNow=True)
        .start()
    )


def check(out):
    """Reads the newest counts, and counts the rows of the files of events; none where no batch was run, as of an empty topic."""
    batches = sorted(int(number) for number in os.listdir(f"{out}/counts")) if os.path.isdir(f"{out}/counts") else []
    if not batches:
        write_counts(out, [])
        write_checked(out, events_rows=0)
        return
    counts = dataset.dataset(f"{out}/counts/{batches[-1]}", format="parquet").to_table(columns=[*KEY, "count"])
    rows = zip(*(column.to_pylist() for column in counts.columns))
    write_counts(out, [(str(day), *names, count) for day, *names, count in rows])
    write_checked(out, dataset.dataset(f"{out}/events", format="parquet").count_rows())


def main():
    arguments = parse_arguments()
    if arguments.check:
        check(arguments.out)
    else:
        run(arguments)


def run(arguments):
    out = arguments.out
    spark = start_session(arguments.workers)
    changes = changes_of(read_topic(spark, arguments))

    query = write_batches(changes, out)
    query.awaitTermination()
    finished = time.time()

    batches = query.recentProgress
    # The first batch begins when the query is set up.
    started = datetime.fromisoformat(batches[0]["timestamp"]).timestamp() if batches else finished
    write_result(
        out,
        peer="spark",
        version=pyspark.__version__,
        records=sum(batch["numInputRows"] for batch in batches),
        stream_seconds=finished - started,
        guarantee="A batch that is repeated after a failure replaces its files of events and counts, so each change is "
        "counted once; readers may see a batch that is not finished, and files are not synced to disk.",
        leaves_out="Records that cannot be read are dropped without a trace; no live answers, and no check that the "
        "files are whole.",
    )
    spark.stop()


main()
