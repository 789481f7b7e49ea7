"""Computes views by DuckDB from the events of a book, and compares them with the book's own files.

Standard input: {"book": …, "time_zone": …, "views": [{"name": …, "columns": [SQL …], "names": […], "groups": N, "where": SQL or null}, …]}
where SQL is DuckDB's, over the columns that the view `e` has. Standard output: a list of differences, and the number of rows compared.
"""

import glob
import json
import sys

import duckdb

asked = json.load(sys.stdin)
book = asked["book"]
db = duckdb.connect()
# Tables' lines are `NAME[TYPE]:VALUE`, with values that hold no quote.
value = lambda name: f"nullif(trim(regexp_extract(data, ' {name}\\[[a-z]+\\]:(null|''[^'']*''|[^ ]+)', 1), ''''), 'null')"
new = lambda name: f"CASE WHEN op IN ('INSERT', 'UPDATE') THEN nullif({value(name)}, '') END"
db.execute(f"""CREATE TABLE e AS SELECT day::DATE AS day, schema, "table", op, epoch_us(commit_time) AS commit_time, data,
    {new('region')} AS region, {new('amount')} AS amount, {new('customer')} AS customer, {new('ok')} AS ok, {value('id')} AS key_id
    FROM read_parquet('{book}/events/day=*/*.parquet', hive_partitioning = true)""")


def is_same(one, other):
    if isinstance(one, float) and isinstance(other, float):
        return one == other or abs(one - other) <= 1e-9 * max(abs(one), abs(other))
    return one == other


differences, compared = [], 0
for view in asked["views"]:
    columns = ", ".join(f'{sql} AS "{name}"' for sql, name in zip(view["columns"], view["names"]))
    where = f" WHERE {view['where']}" if view["where"] else ""
    groups = ", ".join(str(place + 1) for place in range(view["groups"]))
    group_by = f" GROUP BY {groups}" if groups else " HAVING count(*) > 0"
    order = ", ".join(f"{place + 1} NULLS FIRST" for place in range(max(view["groups"], 1)))
    expected = db.execute(f"SELECT {columns} FROM e{where}{group_by} ORDER BY {order}").fetchall()
    files = glob.glob(f"{book}/views/{view['name']}/**/view.parquet", recursive=True)
    found = []
    if files:
        names = ", ".join(
            f'epoch_us("{name}")' if name.startswith("time") else f'"{name}"' for name in view["names"]
        )
        found = db.execute(
            f"SELECT {names} FROM read_parquet({files}, hive_partitioning = false) ORDER BY {order}"
        ).fetchall()
    compared += len(expected)
    pairs = list(zip(expected, found))
    wrong = [pair for pair in pairs if not all(map(is_same, *pair))]
    if len(expected) != len(found) or wrong:
        differences.append(f"{view['name']}: {len(expected)} rows expected, {len(found)} found; first {wrong[:1]}")
print(json.dumps({"differences": differences, "compared": compared}))
