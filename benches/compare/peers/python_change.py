"""A record's value read in Python, for the peers whose programs are Python functions."""

import re
from datetime import datetime, timedelta, timezone

import orjson

from change_line import CHANGE, NAME, SCHEMA_AND_TABLE, unquoted

DAY = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

match_change = re.compile(CHANGE).match
find_names = re.compile(NAME).findall
match_schema_and_table = re.compile(SCHEMA_AND_TABLE).match
# The tables of each text of names: it is taken apart once.
known_tables = {}


def read_change(value):
    """The tables as pairs of schema and table, the operation, the commit time in microseconds since 1970 and the line.

    `None` for what is no change or cannot be read. The commit time is `None` where there is none that can be read.
    """
    try:
        fields = orjson.loads(value)
        # Kafka Connect's JsonConverter with and without schemas.
        fields = fields.get("payload") or fields
        line = fields.get("data")
        change = match_change(line)
    except (orjson.JSONDecodeError, AttributeError, TypeError):
        return None
    if not change:
        return None
    names, operation = change.groups()
    tables = known_tables.get(names) or take_apart(names)
    return tables, operation, read_time(fields.get("commit_time")), line


def take_apart(names):
    parts = [match_schema_and_table(name).groups() for name in find_names(names)]
    known_tables[names] = [(unquoted(schema), unquoted(table)) for schema, table in parts]
    return known_tables[names]


def read_time(text):
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return (instant.replace(tzinfo=instant.tzinfo or timezone.utc) - EPOCH) // timedelta(microseconds=1)


def printed_day(number):
    """A number of days since 1970 as a date."""
    return str((EPOCH + timedelta(days=number)).date())
