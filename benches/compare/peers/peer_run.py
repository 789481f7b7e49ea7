"""What each peer's program is started with, and the files that it leaves for the comparison."""

import argparse
import csv
import json
import os
import socket
import sys


def parse_arguments():
    """The arguments that run.py passes on."""
    parser = argparse.ArgumentParser(description="One peer of the comparison; started by run.py.")
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--workers", required=True, type=int)
    parser.add_argument("--out", required=True)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    arguments.out = os.path.abspath(arguments.out)
    return arguments


def write_counts(out, counts):
    """Writes `counts.csv` from rows of day, schema, table, operation and count."""
    with open(os.path.join(out, "counts.csv"), "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["day", "schema", "table", "op", "count"])
        writer.writerows(sorted(counts))


def write_result(out, **result):
    """Writes `result.json` at the end of a run."""
    expected = {"peer", "version", "records", "stream_seconds", "guarantee", "leaves_out"}
    if set(result) != expected:
        sys.exit(f"result.json needs {sorted(expected)}, not {sorted(result)}")
    write_json(os.path.join(out, "result.json"), result)


def write_checked(out, events_rows):
    """Writes `checked.json` at the end of a check: how many rows the files of events have, `None` without any."""
    write_json(os.path.join(out, "checked.json"), {"events_rows": events_rows})


def write_json(path, content):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")


def consecutive_ports(count):
    """The first of some ports of the loopback that are free side by side."""
    for first in range(20_000, 32_000, count):
        held = [socket.socket() for _ in range(count)]
        try:
            for number, each in enumerate(held):
                each.bind(("127.0.0.1", first + number))
            return first
        except OSError:
            continue
        finally:
            for each in held:
                each.close()
    sys.exit(f"no {count} free ports side by side")
