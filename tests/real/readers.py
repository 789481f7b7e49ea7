"""Reads a book with DuckDB, Polars, pyarrow and fastparquet, as their users would.

readers.py read BOOK      counts by key that each finds in counts/ and, counted, in events/
readers.py watch BOOK     reads both over and over until standard input closes; fails when events shrink, repeat a row or show a
                          partial file, or when counts shrink; an error on counts is tried again, as the contract says
readers.py rejects BOOK   the rejects
"""

import glob
import json
import os
import sys
import time

import duckdb
import fastparquet
import polars
import pyarrow
import pyarrow.dataset

KEY = ["day", "schema", "table", "op"]


def in_duckdb(sql, book, table):
    source = f"read_parquet('{book}/{table}/*/*.parquet', hive_partitioning=true)"
    with duckdb.connect() as connection:
        return connection.sql(sql.format(source=source)).fetchall()


def polars_frame(book, table):
    return polars.scan_parquet(f"{book}/{table}/*/*.parquet", hive_partitioning=True)


def pyarrow_table(book, table, columns=None):
    day = pyarrow.schema([("day", pyarrow.date32())])
    partitioning = pyarrow.dataset.partitioning(day, flavor="hive")
    return pyarrow.dataset.dataset(f"{book}/{table}", format="parquet", partitioning=partitioning).to_table(columns=columns)


def fastparquet_frame(book, table, columns):
    # It finds many files only by their absolute paths.
    root = os.path.abspath(f"{book}/{table}")
    files = sorted(glob.glob(f"{root}/*/*.parquet"))
    return fastparquet.ParquetFile(files, root=root).to_pandas(columns=columns)


def counts_by_duckdb(book, table):
    measure = "count" if table == "counts" else "count(*)"
    group = "" if table == "counts" else "group by all"
    return in_duckdb(f'select day, schema, "table", op, {measure} from {{source}} {group}', book, table)


def counts_by_polars(book, table):
    frame = polars_frame(book, table)
    if table == "events":
        frame = frame.group_by(KEY).agg(polars.len().alias("count"))
    return frame.select(*KEY, "count").collect().rows()


def counts_by_pyarrow(book, table):
    if table == "counts":
        found = pyarrow_table(book, table)
    else:
        found = pyarrow_table(book, table, KEY).group_by(KEY).aggregate([([], "count_all")]).rename_columns({"count_all": "count"})
    return [tuple(row[column] for column in [*KEY, "count"]) for row in found.to_pylist()]


def counts_by_fastparquet(book, table):
    if table == "counts":
        found = fastparquet_frame(book, table, [*KEY, "count"])
    else:
        # With the lines: each column must be readable, not only those of the key.
        found = fastparquet_frame(book, table, None)
        assert all(line.startswith("table ") for line in found["data"]), "a line is not one of test_decoding"
        found = found.groupby(KEY, observed=True).size().reset_index(name="count")
    # It makes an instant of a day.
    return [(str(row.day)[:10], row.schema, row.table, row.op, int(row.count)) for row in found[[*KEY, "count"]].itertuples(index=False, name="Row")]


READERS = {"duckdb": counts_by_duckdb, "polars": counts_by_polars, "pyarrow": counts_by_pyarrow, "fastparquet": counts_by_fastparquet}


def rows(found):
    return [[str(day), *rest] for day, *rest in found]


def read(book):
    return {name: {table: rows(reader(book, table)) for table in ("events", "counts")} for name, reader in READERS.items()}


def event_rows(name, book):
    """The number of events, and of distinct places, which a partial or repeated file would make unequal."""
    if name == "duckdb":
        return in_duckdb("select count(*), count(distinct (topic, partition, \"offset\", ordinal)) from {source}", book, "events")[0]
    place = ["topic", "partition", "offset", "ordinal"]
    if name == "polars":
        found = polars_frame(book, "events").select(place).collect()
        return found.height, found.n_unique()
    if name == "fastparquet":
        found = fastparquet_frame(book, "events", place)
        return len(found), len(found.drop_duplicates())
    found = pyarrow_table(book, "events", place)
    return found.num_rows, found.group_by(place).aggregate([]).num_rows


def has_files(book, table):
    try:
        return any(os.scandir(day) for day in os.scandir(f"{book}/{table}"))
    except FileNotFoundError:
        return False


def watch(book):
    reads = dict.fromkeys(READERS, 0)
    newest_events = dict.fromkeys(READERS, 0)
    newest_counts = dict.fromkeys(READERS, 0)
    while not closed(sys.stdin):
        if not (has_files(book, "events") and has_files(book, "counts")):
            time.sleep(0.05)
            continue
        for name in READERS:
            # No error is allowed here: an event file never changes and never goes.
            events, places = event_rows(name, book)
            assert events == places, f"{name}: {events} events in {places} places"
            assert events >= newest_events[name], f"{name}: {events} events after {newest_events[name]}"
            newest_events[name] = events
            counted = total_count(name, book)
            assert counted >= newest_counts[name], f"{name}: counts say {counted} after {newest_counts[name]}"
            newest_counts[name] = counted
            reads[name] += 1
    return reads


def total_count(name, book):
    """The sum of all counts; a file that is replaced between listing and reading is an error, and read again."""
    for attempt in range(20):
        try:
            return sum(row[4] for row in READERS[name](book, "counts"))
        # Polars panics when the file it opens is shorter than the one it listed; its panic is no Exception.
        except (Exception, polars.exceptions.PanicException) as error:
            print(f"{name} tries counts again: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
            time.sleep(0.01 * (attempt + 1))
    raise AssertionError(f"{name} cannot read counts in 20 attempts")


def closed(stream):
    import select
    return bool(select.select([stream], [], [], 0)[0])


def rejects(book):
    sql = 'select topic, partition, "offset", reason, hex(key), hex(value), hex(headers) from {source} order by 1, 2, 3'
    return in_duckdb(sql, book, "rejects")


if __name__ == "__main__":
    what, book = sys.argv[1:]
    json.dump({"read": read, "watch": watch, "rejects": rejects}[what](book), sys.stdout)
