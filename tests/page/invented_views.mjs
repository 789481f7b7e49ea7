// Views of an invented book, served as the server would.

import { TODAY, addDays, chance, key } from "./invented.mjs";

const day = { name: "day", type: "date", is_group: true, is_day: true, adds_up: false };
const group = (name, type = "text") => ({ name, type, is_group: true, is_day: false, adds_up: false });
const value = (name, type, addsUp = true) => ({ name, type, is_group: false, is_day: false, adds_up: addsUp });

/** A view with rows that can change. */
class InventedView {
  constructor(book, name, columns, rows, { declared = declarationOf(name, columns), bad = { count: 0 }, isCurrent = true } = {}) {
    Object.assign(this, { book, name, columns, declared, bad, isCurrent });
    this.keys = columns.filter((column) => column.is_group).map((column) => column.name);
    this.hasDays = columns.some((column) => column.is_day);
    this.rows = new Map();
    this.history = [];
    this.listeners = new Map();
    for (const row of rows) this.rows.set(this.keyOf(row), row);
  }

  keyOf(row) {
    return key(...this.keys.map((name) => JSON.stringify(row[name])));
  }

  /** Sets whole rows, new ones among them. */
  change(rows) {
    for (const row of rows) this.rows.set(this.keyOf(row), row);
    this.book.epoch += 1;
    this.history.push({ epoch: this.book.epoch, rows });
    for (const listener of this.listeners.keys()) listener(rows);
  }

  listen(listener, cut) {
    this.listeners.set(listener, cut);
    return () => this.listeners.delete(listener);
  }

  inRange(rows, { from, to }) {
    return rows.filter((row) => !this.hasDays || ((!from || row.day >= from) && (!to || row.day <= to)));
  }

  since(epoch, asked) {
    const newest = new Map();
    for (const { epoch: at, rows } of this.history) if (at > epoch) for (const row of rows) newest.set(this.keyOf(row), row);
    return this.inRange([...newest.values()], asked);
  }

  answer(asked) {
    const { book, columns } = this;
    const rows = this.inRange([...this.rows.values()], asked);
    const [, by, direction] = /^"((?:[^"]|"")*)" (ASC|DESC)/.exec(asked.order ?? "") ?? [];
    if (by) rows.sort((a, b) => (a[by] < b[by] ? -1 : a[by] > b[by] ? 1 : 0) * (direction === "DESC" ? -1 : 1));
    if (asked.limit) rows.length = Math.min(rows.length, Number(asked.limit));
    return { complete_to: book.completeTo(), time_zone: "Europe/Berlin", rejects: { count: 0 }, columns, rows };
  }

  listed() {
    const { name, declared, isCurrent, bad, hasDays, columns, rows } = this;
    const files = hasDays ? new Set([...rows.values()].map((row) => row.day)).size : 1;
    return {
      name,
      declared,
      is_current: isCurrent,
      groups: isCurrent ? rows.size : 0,
      files: isCurrent ? files : 0,
      bad_values: bad,
      has_days: hasDays,
      columns,
    };
  }
}

function declarationOf(name, columns) {
  const groups = columns.filter((column) => column.is_group).map((column) => (column.is_day ? "day" : `new.${column.name}`));
  const values = columns.filter((column) => !column.is_group).map((column) => `count(*) AS "${column.name}"`);
  return `CREATE VIEW ${name} AS\nSELECT ${[...groups, ...values].join(", ")}\nFROM public.orders\nGROUP BY ${groups.join(", ")}`;
}

const daysTo = (length) => Array.from({ length }, (_, index) => addDays(TODAY, index - length + 1));
/** A number of two digits after the point, as a text that is written as it is. */
const money = (cents) => Number((cents / 100).toFixed(2));

const REGIONS = ["north", "south", "west", "islands", "", null];

/** Views of every kind; `size` is the number of groups of the largest. */
export function inventViews(book, size = 2000) {
  const random = (...parts) => chance("views", ...parts);
  const by = (regions, make) => daysTo(14).flatMap((day) => regions.map((region, at) => make(day, region, at)));
  const revenue = by(REGIONS, (day, region, at) => {
    const payments = Math.round((30 + 100 * random(day, region)) / (at + 1));
    return { day, region, revenue: money(payments * 5_000 + Math.floor(random(region, day) * 99_999)), payments };
  });
  const customers = daysTo(14).map((day) => ({ day, customers: Math.round(300 + 300 * random(day)) }));
  const states = ["placed", "paid", "shipped", "returned"].map((state, at) => ({
    state,
    changes: 120_000 / (at + 1),
    mean: 17.25 / (at + 1),
    last: `2026-11-22T13:1${at}:06.400123Z`,
    urgent: at === 1,
  }));
  const balance = by(["in", "out"], (day, way, at) => ({
    day,
    way,
    balance: money((at === 0 ? 1 : -1) * Math.floor(90_000 * random(day, way))),
  }));
  const means = by(["a", "b", "c", "d", "e", "f", "g"], (day, warehouse, at) => ({
    day,
    warehouse,
    mean_weight: 2 + at + random(day, warehouse),
  }));
  const evil = ["<script>alert(1)</script>", "line\nend", "\u202egnitset", " outer ", "null", null, ""].map((name, at) => ({
    "<script>": name,
    __proto__: null,
    ["__proto__"]: at,
    "-x": at === 0 ? 9_007_199_254_740_993n : at,
    'a "long" name, which no one has asked for': `${at}`.repeat(at * 30 + 1),
  }));
  const many = Array.from({ length: size }, (_, at) => ({
    day: addDays(TODAY, -(at % 14)),
    product: `product ${String(Math.floor(at / 14)).padStart(5, "0")}`,
    sold: Math.floor(random(at) ** 4 * 10_000),
    revenue: money(Math.floor(random(at, "r") * 1e8)),
  }));
  const views = [
    ["balance_per_day", [day, group("way"), value("balance", "numeric(38,2)")], balance],
    ["customers_per_day", [day, value("customers", "bigint", false)], customers],
    [
      "evil",
      [group("<script>"), value("__proto__", "bigint"), value("-x", "bigint"), value('a "long" name, which no one has asked for', "text")],
      evil,
      { bad: { count: 2, first: ["new.total::NUMERIC(18,2)", "<b>n/a</b>", "not a numeric"] } },
    ],
    ["mean_weights", [day, group("warehouse"), value("mean_weight", "double precision", false)], means],
    ["nothing_yet", [day, value("changes", "bigint")], []],
    ["products", [day, group("product"), value("sold", "bigint"), value("revenue", "numeric(38,2)")], many],
    ["revenue_by_region", [day, group("region"), value("revenue", "numeric(38,2)"), value("payments", "bigint")], revenue],
    [
      "states",
      [group("state"), value("changes", "bigint"), value("mean", "double precision", false), value("last", "timestamptz", false), value("urgent", "boolean", false)],
      states,
    ],
    ["unbuilt", [day, value("changes", "bigint")], [], { isCurrent: false }],
  ];
  return new Map(views.map(([name, ...rest]) => [name, new InventedView(book, name, ...rest)]));
}
