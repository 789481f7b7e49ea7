"""The head of test_decoding's lines, as one pattern for Java's regular expressions and for Python's.

    table public.orders: INSERT: id[integer]:1
    table public."a.b: x", shop."we""ird": TRUNCATE: (no-flags)

Only the head decides: values may hold anything, such as the text of another line. BEGIN, COMMIT, messages and whatever else
does not match are no changes.
"""

IDENTIFIER = r'(?:[a-z_][a-z0-9_$]*+|"(?:[^"]++|"")++")'
NAME = rf"{IDENTIFIER}\.{IDENTIFIER}"

# Group 1: the names, of which only TRUNCATE has several. Group 2: the operation.
CHANGE = rf"^table ({NAME}(?:(?:, {NAME})++(?=: TRUNCATE:))?+): (INSERT|UPDATE|DELETE|TRUNCATE):"

# A name by itself. Group 1: the schema, group 2: the table, both as they are printed, with their quotes.
SCHEMA_AND_TABLE = rf"^({IDENTIFIER})\.({IDENTIFIER})$"


def unquoted(identifier):
    """`"we""ird"` as `we"ird`; what is printed without quotes stays as it is."""
    return identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier
