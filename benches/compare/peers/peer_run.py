"""What each peer's program is started with, and the two files that it leaves for the comparison."""

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
    arguments = parser.parse_args()
    arguments.out = os.path.abspath(arguments.out)
    return arguments


def write_result(out, counts, **result):
    """Writes `counts.csv` from rows of day, schema, table, operation and count, then `result.json`."""
    with open(os.path.join(out, "counts.csv"), "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["day", "schema", "table", "op", "count"])
        writer.writerows(sorted(counts))
    expected = {"peer", "version", "records", "stream_seconds", "events_rows", "guarantee", "leaves_out"}
    if set(result) != expected:
        sys.exit(f"result.json needs {sorted(expected)}, not {sorted(result)}")
    with open(os.path.join(out, "result.json"), "w", encoding="utf-8") as file:
        json.dump(result, file, indent=2)
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
