"""Reads the Delta tables of a book with deltalake (delta-rs) and Polars, as their users would.

delta.py versions BOOK ID        {"events": {entry: rows by key}, "counts": …} of every version that can be read, by the entry of the log that it
                                 covers, and the rows of the newest versions of views
delta.py watch BOOK ID           reads the newest versions until standard input closes, and the oldest ones again at the end; an error is a failure
delta.py bucket BOOK -            the same for a book in a bucket; an error is allowed if there is a newer version then: {"reads": …, "totals": {"events": …, "counts": …}}
"""

import json
import os
import select
import sys

import deltalake
import polars

KEY = ["day", "schema", "table", "op"]


def table(book, name, version=None):
    return deltalake.DeltaTable(f"{book}/{name}", version=version)


def by_key(of, name):
    frame = polars.scan_delta(of)
    if name == "events":
        frame = frame.group_by(KEY).len("count")
    rows = frame.select(*KEY, "count").collect().rows()
    return sorted([str(day), *rest] for day, *rest in rows)


def entry(of, book_id):
    return of.transaction_version(book_id)


def oldest(book, name):
    """The first version that can be read: that of the first checkpoint, where older ones were removed."""
    names = os.listdir(f"{book}/{name}/_delta_log")
    versions = [int(file[:20]) for file in names if file.endswith(".json")]
    return 0 if 0 in versions else min(int(file[:20]) for file in names if file.endswith(".checkpoint.parquet"))


def versions(book, book_id):
    found = {}
    for name in ["events", "counts"]:
        newest = table(book, name).version()
        each = [table(book, name, version) for version in range(oldest(book, name), newest + 1)]
        found[name] = {entry(of, book_id): by_key(of, name) for of in each}
        assert len(found[name]) == len(each), f"{name}: two versions cover the same entry"
    views = f"{book}/views"
    for name in os.listdir(views) if os.path.exists(views) else []:
        rows = polars.scan_delta(table(views, name)).collect()
        found[name] = {column: [str(value) for value in rows[column]] for column in rows.columns}
    return found


def watch(book, book_id):
    reads, newest = 0, {"events": 0, "counts": 0}
    first = {}
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        for name in newest:
            if not os.path.exists(f"{book}/{name}/_delta_log/{0:020}.json"):
                continue
            of = table(book, name)
            rows = by_key(of, name)
            total = sum(row[-1] for row in rows)
            assert total >= newest[name], f"{name}: {total} changes after {newest[name]}"
            newest[name] = total
            first.setdefault(name, (of, rows))
            reads += 1
    # Who has opened a version long ago reads the same.
    for name, (of, rows) in first.items():
        assert by_key(of, name) == rows, f"{name}: version {of.version()} has changed"
    return {"reads": reads, "versions": {name: table(book, name).version() for name in newest}}


def bucket(book, _):
    reads, totals = 0, {}
    while True:
        is_last = select.select([sys.stdin], [], [], 0.02)[0]
        for name in ["events", "counts"]:
            while True:
                try:
                    of = deltalake.DeltaTable(f"{book}/{name}", storage_options=STORAGE)
                except Exception as error:
                    # Before the first version.
                    assert name not in totals, error
                    break
                try:
                    frame = polars.scan_delta(of, storage_options=STORAGE)
                    rows = frame.select("op").collect().height if name == "events" else frame.select("count").sum().collect().item()
                    totals[name] = rows
                    reads += 1
                    break
                except Exception:
                    if deltalake.DeltaTable(f"{book}/{name}", storage_options=STORAGE).version() == of.version():
                        raise
        if is_last:
            return {"reads": reads, "totals": totals}


# Of a server for tests.
STORAGE = {"AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": os.environ.get("DELTA_ENDPOINT", "")}


if __name__ == "__main__":
    command, book, book_id = sys.argv[1:]
    json.dump({"versions": versions, "watch": watch, "bucket": bucket}[command](book, book_id), sys.stdout)
