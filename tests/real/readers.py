"""Reads a book with DuckDB, Polars, pyarrow and fastparquet, as their users would: each in a process of its own, so that
a crash of native code names its reader.

readers.py read BOOK      counts by key that each finds in counts/ and, counted, in events/
readers.py watch BOOK     reads both over and over until standard input closes; fails when events shrink, repeat a row or show a
                          partial file, or when counts shrink; an error on counts is tried again, as the contract says
readers.py rejects BOOK   the rejects
"""

import contextlib
import faulthandler
import glob
import json
import os
import select
import subprocess
import sys
import time

KEY = ["day", "schema", "table", "op"]


def in_duckdb(sql, book, table):
    source = f"read_parquet('{book}/{table}/day=*/*.parquet', hive_partitioning=true)"
    import duckdb
    with duckdb.connect() as connection:
        return connection.sql(sql.format(source=source)).fetchall()


def polars_frame(book, table):
    import polars
    return polars.scan_parquet(f"{book}/{table}/day=*/*.parquet", hive_partitioning=True)


def pyarrow_table(book, table, columns=None):
    import pyarrow.dataset
    day = pyarrow.schema([("day", pyarrow.date32())])
    partitioning = pyarrow.dataset.partitioning(day, flavor="hive")
    return pyarrow.dataset.dataset(f"{book}/{table}", format="parquet", partitioning=partitioning).to_table(columns=columns)


def fastparquet_frame(book, table, columns):
    import fastparquet
    # It finds many files only by their absolute paths.
    root = os.path.abspath(f"{book}/{table}")
    files = sorted(glob.glob(f"{root}/day=*/*.parquet"))
    return fastparquet.ParquetFile(files, root=root).to_pandas(columns=columns)


def counts_by_duckdb(book, table):
    measure = "count" if table == "counts" else "count(*)"
    group = "" if table == "counts" else "group by all"
    return in_duckdb(f'select day, schema, "table", op, {measure} from {{source}} {group}', book, table)


def counts_by_polars(book, table):
    frame = polars_frame(book, table)
    if table == "events":
        frame = frame.group_by(KEY).len("count")
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


def read(name, book):
    return {table: rows(READERS[name](book, table)) for table in ("events", "counts")}


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
    """Lets one reader read after the other, so that the slowest gets round to it as often as the fastest."""
    readers = start_each("watch", book)
    reads = dict.fromkeys(READERS, 0)
    while not closed(sys.stdin):
        if not (has_files(book, "events") and has_files(book, "counts")):
            time.sleep(0.05)
            continue
        for name, reader in readers.items():
            with contextlib.suppress(BrokenPipeError):
                reader.stdin.write("read\n")
                reader.stdin.flush()
            # A reader that hangs would keep the test from ending.
            if not select.select([reader.stdout], [], [], 120)[0]:
                reader.kill()
            if not reader.stdout.readline():
                answers(readers)
            reads[name] += 1
    answers(readers)
    return reads


def watch_with(name, book):
    newest_events = newest_counts = 0
    for _ in sys.stdin:
        # No error is allowed here: an event file never changes and never goes.
        events, places = event_rows(name, book)
        assert events == places, f"{name}: {events} events in {places} places"
        assert events >= newest_events, f"{name}: {events} events after {newest_events}"
        newest_events = events
        counted = total_count(name, book)
        assert counted >= newest_counts, f"{name}: counts say {counted} after {newest_counts}"
        newest_counts = counted
        print(counted, flush=True)


def total_count(name, book):
    """The sum of all counts; a file that is replaced between listing and reading is an error, and read again."""
    for attempt in range(20):
        try:
            return sum(row[4] for row in READERS[name](book, "counts"))
        # Polars panics when the file it opens is shorter than the one it listed; its panic is no Exception.
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            print(f"{name} tries counts again: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
            time.sleep(0.01 * (attempt + 1))
    raise AssertionError(f"{name} cannot read counts in 20 attempts")


def closed(stream):
    return bool(select.select([stream], [], [], 0)[0])


def rejects(book):
    sql = 'select topic, partition, "offset", reason, hex(key), hex(value), hex(headers) from {source} order by 1, 2, 3'
    return in_duckdb(sql, book, "rejects")


def start_each(what, book):
    command = [sys.executable, __file__, what, book]
    pipe = subprocess.PIPE
    return {name: subprocess.Popen([*command, name], stdin=pipe, stdout=pipe, text=True) for name in READERS}


def answers(processes):
    """What each wrote last, once all have ended; exits when one of them failed."""
    texts = {name: process.communicate()[0] for name, process in processes.items()}
    failed = {name: process.returncode for name, process in processes.items() if process.returncode}
    if failed:
        sys.exit(f"readers that failed, with their exit codes or signals: {failed}")
    return texts


def read_with_each(book):
    return {name: json.loads(text) for name, text in answers(start_each("read", book)).items()}


if __name__ == "__main__":
    # A crash in native code prints where it was.
    faulthandler.enable()
    match sys.argv[1:]:
        case ["read", book]:
            json.dump(read_with_each(book), sys.stdout)
        case ["read", book, name]:
            json.dump(read(name, book), sys.stdout)
        case ["watch", book]:
            json.dump(watch(book), sys.stdout)
        case ["watch", book, name]:
            watch_with(name, book)
        case ["rejects", book]:
            json.dump(rejects(book), sys.stdout)
        case other:
            sys.exit(f"usage: see the head of this file; got {other}")
