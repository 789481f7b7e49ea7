// Invented rows of the events table, with columns as the server decodes them from a line.

import { chance } from "./invented.mjs";

const STATUS = ["new", "paid", "packed", "shipped", "delivered", "cancelled"];
const COUPONS = ["BLACK10", "WELCOME", "RETURN5"];
const BASKET = `{"items": [{"sku": "A-1180", "qty": 2}, ${'{"sku": "B-0042", "qty": 1}, '.repeat(170)}]}`;

const text = (value) => ({ text: String(value) });
const NULL = { null: true };

/** The event `index` (newest first) of a table on a day. */
export function inventEvent(schema, table, op, day, index, total) {
  const pick = (what) => chance(schema, table, day, index, what);
  // The newest event of a day is a second before its end, the others precede it through the day.
  const end = Date.parse(`${day}T22:59:58.912Z`) - (day === "2026-11-22" ? 9.68 * 3_600_000 : 0);
  const at = end - index * Math.max(180, Math.min(40_000, 80_000_000 / total)) - pick("ms") * 170;
  const commit = new Date(at).toISOString().replace("Z", "000Z");
  const columns = op === "TRUNCATE" ? [] : sides(op, pick, at);
  const offset = 88_190_412 + total - index;
  return {
    topic: "shop.changes",
    partition: Math.floor(pick("p") * 4),
    offset,
    ordinal: 0,
    kafka_time: new Date(at + 57).toISOString().replace("Z", "000Z"),
    commit_time: commit,
    lsn: 5_497_558_138_880 + offset,
    commit_lsn: 5_497_558_139_000 + offset,
    seq: Math.floor(pick("seq") * 8),
    xid: 7_731_904 - index,
    schema,
    table,
    op,
    data: line(schema, table, op, columns),
    lsn_text: `4C/${(2_585_634_000 + offset).toString(16).toUpperCase()}`,
    commit_lsn_text: `4C/${(2_585_634_120 + offset).toString(16).toUpperCase()}`,
    columns,
    has_old: op === "UPDATE" && pick("identity") > 0.04,
    ...(op === "TRUNCATE" ? { options: "restart_seqs cascade" } : {}),
  };
}

function sides(op, pick, at) {
  const id = 940_000 + Math.floor(pick("id") * 9000);
  const was = Math.floor(pick("status") * 5);
  const time = (moment) => `${new Date(moment).toISOString().replace("T", " ").replace("Z", "")}+00`;
  const row = [
    ["id", "bigint", text(id), text(id)],
    ["customer_id", "bigint", text(60_000 + Math.floor(pick("c") * 4000)), null],
    ["status", "text", text(STATUS[was]), pick("s") > 0.25 ? text(STATUS[was + 1]) : null],
    ["total_cents", "integer", text(12_900), pick("t") > 0.85 ? text(11_610) : null],
    ["coupon", "text", undefined, pick("k") > 0.8 ? text(COUPONS[Math.floor(pick("w") * 3)]) : NULL],
    [
      "note",
      "text",
      pick("n") > 0.5 ? text("") : undefined,
      pick("m") > 0.85 ? text("ring twice, then <b>knock</b>") : null,
    ],
    ["basket", "jsonb", text(BASKET), { unchanged: true }],
    [
      "ship_to",
      "text",
      text("Hauptstr. 5, 10827 Berlin"),
      pick("a") > 0.9 ? text("Kolonnenstr. 28, 10829 Berlin") : null,
    ],
    [
      "updated_at",
      "timestamp with time zone",
      text(time(at - 1_135_000)),
      pick("u") > 0.5 ? text(time(at - 11)) : null,
    ],
  ];
  const none = pick("none") > 0.96;
  return row.map(([name, type, before, after]) => {
    const now = none ? (before ?? NULL) : (after ?? before ?? NULL);
    if (op === "INSERT") return { name, type, new: now.unchanged ? before : now };
    if (op === "DELETE") return { name, type, old: before ?? NULL };
    return { name, type, ...(pick("identity") > 0.04 && before ? { old: before } : {}), new: now };
  });
}

function line(schema, table, op, columns) {
  const quoted = (name) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replace(/"/g, '""')}"`);
  const value = (side) =>
    side.null ? "null" : side.unchanged ? "unchanged-toast-datum" : `'${side.text.replace(/'/g, "''")}'`;
  const tuple = (side) =>
    columns
      .filter((column) => column[side])
      .map((column) => `${column.name}[${column.type}]:${value(column[side])}`)
      .join(" ");
  const head = `table ${quoted(schema)}.${quoted(table)}: ${op}: `;
  if (op === "TRUNCATE") return `${head}restart_seqs cascade`;
  const before = tuple("old");
  if (op === "DELETE") return head + before;
  return head + (before === "" ? "" : `old-key: ${before} new-tuple: `) + tuple("new");
}
