// An invented book: the same counts at every start, served as the server would.

import { inventEvent } from "./invented_event.mjs";

const OPERATIONS = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"];
const DAY = 86_400_000;
const NOON = Date.parse("2026-11-22T13:20:06.400Z");
export const TODAY = "2026-11-22";
// The share of each of the fourteen days up to `TODAY`; earlier weeks repeat it.
const WEIGHTS = [673, 619, 621, 683, 794, 859, 767, 670, 602, 693, 670, 907, 965, 445];

export const addDays = (day, days) => new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY).toISOString().slice(0, 10);
const sumOf = (reasons) => reasons.reduce((sum, { count }) => sum + count, 0);
export const key = (...parts) => parts.join("\0");

/** A number in [0, 1), the same for the same texts. */
export function chance(...parts) {
  let hash = 2166136261;
  for (const character of parts.join("|")) hash = Math.imul(hash ^ character.codePointAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822519);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}

export class InventedBook {
  constructor({
    tables = null,
    names = null,
    firstDay,
    rejects,
    lagging = false,
    changesEvery = null,
    partitions = 4,
    token = null,
    full = false,
    mode = "run",
    lost = [],
    plain = false,
    cluster = null,
    views = () => new Map(),
    files = null,
  }) {
    Object.assign(this, { firstDay, lagging, token, full, mode, lost, partitions, plain, cluster, files });
    this.byReason = rejects;
    this.started = Date.now();
    this.epoch = 4120;
    this.commit = lagging ? 398 : firstDay === null ? 0 : 412;
    this.gone = false;
    this.delay = 0;
    /** A dead connection: streams stay open and send nothing. */
    this.silent = false;
    /** How many of the next requests are refused, by endpoint. */
    this.refusals = {};
    /** Why the source does not answer. */
    this.reason = null;
    this.today = TODAY;
    this.listeners = new Map();
    this.history = [];
    /** Counts by day, schema, table, operation; and those on disk, if they are lower. */
    this.cells = new Map();
    this.held = null;
    if (tables) for (const [name, ops] of Object.entries(tables)) this.spread(name.split(/\.(.*)/s).slice(0, 2), ops);
    if (names) for (const [schema, table] of names) this.scatter(schema, table);
    this.order = [...new Set([...this.cells.values()].map(({ schema, table }) => key(schema, table)))];
    /** The views by name. */
    this.views = views(this);
    if (changesEvery !== null) this.timer = setInterval(() => this.change(), changesEvery);
  }

  stop() {
    clearInterval(this.timer);
    for (const { listeners } of [this, ...this.views.values()]) for (const cut of listeners.values()) cut();
  }

  set(day, schema, table, op, count) {
    this.cells.set(key(day, schema, table, op), { day, schema, table, op, count });
  }

  /** Spreads the sums of two weeks over the days to today. */
  spread([schema, table], sums) {
    if (this.firstDay === null) return;
    const length = Math.round((Date.parse(TODAY) - Date.parse(this.firstDay)) / DAY) + 1;
    sums.forEach((sum, op) => {
      if (typeof sum === "bigint") {
        this.set(TODAY, schema, table, OPERATIONS[op], sum);
        return;
      }
      const rare = sum < 100 || table === "price_import";
      const days = Array.from({ length }, (_, index) => {
        const weight = WEIGHTS[(index + 14 * 100 - length) % 14];
        if (table === "price_import") return [0, 7, 9].includes(index % 14) && (op === 3 || op === 0) ? 1 : 0;
        return rare ? (chance(table, op, index) > 0.7 ? 1 : 0) : weight * (0.97 + 0.06 * chance(table, op, index));
      });
      if (days.every((weight) => weight === 0)) days[length > 4 ? 4 : 0] = 1;
      const all = days.reduce((a, b) => a + b, 0);
      let left = Math.round(sum * (length / 14 > 1 ? length / 14 : 1));
      days.forEach((weight, index) => {
        const last = days.slice(index + 1).every((later) => later === 0);
        let count = last ? left : Math.round((left * weight) / (all - days.slice(0, index).reduce((a, b) => a + b, 0)));
        count = Math.min(count, left);
        left -= count;
        const day = addDays(this.firstDay, index);
        if (this.lagging && day === addDays(TODAY, -1)) count = Math.round(count * 0.61);
        if (this.lagging && day === TODAY) count = Math.round(count * 0.06);
        if (count > 0) this.set(day, schema, table, OPERATIONS[op], count);
      });
    });
  }

  /** A few changes on some days, for books whose names matter more than their numbers. */
  scatter(schema, table) {
    const size = 10 ** (chance(schema, table) * 5);
    for (let day = this.firstDay; day <= TODAY; day = addDays(day, 1)) {
      OPERATIONS.slice(0, 3).forEach((op) => {
        const here = chance(schema, table, day, op);
        if (here > 0.5) this.set(day, schema, table, op, Math.ceil(here * size));
      });
    }
    if (!this.cells.has(key(TODAY, schema, table, "INSERT"))) this.set(TODAY, schema, table, "INSERT", 3);
  }

  /** Some changes of today: those of `rows`, else a few at random. */
  change(rows = null) {
    const changed = (rows ?? this.randomChanges()).map(({ schema, table, op, by = 1 }) => {
      const at = key(this.today, schema, table, op);
      const count = (this.cells.get(at)?.count ?? 0) + by;
      this.set(this.today, schema, table, op, count);
      return { day: this.today, schema, table, op, count };
    });
    this.epoch += 1;
    if (this.epoch % 10 === 0) this.commit += 1;
    this.history.push({ epoch: this.epoch, rows: changed });
    if (this.history.length > 1000) this.history.shift();
    for (const listener of this.listeners.keys()) listener(changed);
    return changed;
  }

  /** Freezes what is on disk until the next write. */
  hold() {
    this.held = new Map(this.cells);
  }

  write() {
    this.held = null;
    this.commit += 1;
    this.change([]);
  }

  disk() {
    return this.held ?? this.cells;
  }

  randomChanges() {
    return [0, 1].map((which) => {
      const pick = chance(this.epoch, which) ** 2 * this.order.length;
      const [schema, table] = this.order[Math.floor(pick)].split("\0");
      return {
        schema,
        table,
        op: OPERATIONS[chance(this.epoch, which, "op") > 0.6 ? 0 : 1],
        by: 1 + Math.floor(chance(this.epoch, which, "by") * 4),
      };
    });
  }

  /** Sends every new change; `cut` ends the connection. */
  listen(listener, cut) {
    this.listeners.set(listener, cut);
    return () => this.listeners.delete(listener);
  }

  since(epoch, { from, to }) {
    const newest = new Map();
    for (const { epoch: at, rows } of this.history) {
      if (at > epoch) for (const row of rows) newest.set(key(row.day, row.schema, row.table, row.op), row);
    }
    return [...newest.values()].filter((row) => row.day >= from && row.day <= to);
  }

  now() {
    return new Date(NOON + Date.now() - this.started).toISOString().replace("Z", "000Z");
  }

  ago(seconds) {
    return new Date(Date.parse(this.now()) - seconds * 1000).toISOString().replace("Z", "000Z");
  }

  completeTo() {
    return {
      commit: this.commit,
      positions: { "shop.changes": { 0: 88_190_412 } },
      commit_time: this.ago(4),
      level: "live",
      epoch: this.epoch,
    };
  }

  counts({ from, to, table, op, by = "day,table,op", level }) {
    const answer = (rows) => ({
      complete_to: { ...this.completeTo(), level: level ?? "live" },
      time_zone: "Europe/Berlin",
      rows,
    });
    const cellsOf = () =>
      [...this.cells.values()].filter((cell) => (!from || cell.day >= from) && (!to || cell.day <= to));
    if (by === "day,table,op" && !table && !op && this.cells.size > 50_000) return answer(cellsOf());
    const parts = by.split(",");
    const regex =
      table &&
      new RegExp(
        `^${table
          .replace(/[.+^${}()|[\]\\]/g, "\\$&")
          .replace(/\*/g, "[^]*")
          .replace(/\?/g, "[^]")}$`,
        "u",
      );
    const sums = new Map();
    for (const cell of (level === "durable" ? this.disk() : this.cells).values()) {
      if ((from && cell.day < from) || (to && cell.day > to) || (op && cell.op !== op)) continue;
      if (regex && !regex.test(`${cell.schema}.${cell.table}`)) continue;
      const row = {};
      if (parts.includes("day")) row.day = cell.day;
      if (parts.includes("table")) Object.assign(row, { schema: cell.schema, table: cell.table });
      if (parts.includes("op")) row.op = cell.op;
      const at = Object.values(row).join("\0");
      if (!sums.has(at)) sums.set(at, { ...row, count: 0 });
      const sum = sums.get(at);
      sum.count =
        typeof cell.count === "bigint" || typeof sum.count === "bigint"
          ? BigInt(sum.count) + BigInt(cell.count)
          : sum.count + cell.count;
    }
    const order = [...sums.keys()].sort();
    return answer(order.map((at) => sums.get(at)));
  }

  tableList() {
    const sums = new Map();
    for (const { schema, table, day, count } of this.cells.values()) {
      const at = key(schema, table);
      const sum = sums.get(at) ?? { schema, table, count: 0, first_day: day, last_day: day };
      sums.set(at, {
        ...sum,
        count: sum.count + Number(count),
        first_day: day < sum.first_day ? day : sum.first_day,
        last_day: day > sum.last_day ? day : sum.last_day,
      });
    }
    return { complete_to: this.completeTo(), tables: [...sums.values()].sort((a, b) => b.count - a.count) };
  }

  viewList() {
    const views = [...this.views.values()].map((view) => view.listed());
    return { complete_to: this.completeTo(), time_zone: "Europe/Berlin", views };
  }

  days({ from, to }) {
    const days = [];
    for (let day = from; day <= to; day = addDays(day, 1)) {
      let state = "complete";
      if (this.firstDay === null || day < this.firstDay || day > this.today) state = "absent";
      else if (this.lagging && day >= addDays(TODAY, -1)) state = "incomplete";
      else if (day === this.today) state = "open";
      days.push({ day, state });
    }
    return { complete_to: this.completeTo(), days, first_day: this.firstDay, today: this.today };
  }

  completeAt() {
    if (this.firstDay === null) return null;
    return this.lagging ? "2026-11-21T18:09:00.000000Z" : this.ago(0.4);
  }

  state() {
    if (this.mode === "serve") return "at_rest";
    if (this.reason) return "disconnected";
    if (this.firstDay === null) return "waiting";
    return this.lagging ? "catching_up" : "live";
  }

  durable() {
    if (this.firstDay === null) return { commit: 0, committed_at: null, entry: null };
    const past = 3 + (((Date.now() - this.started) / 1000) % 7);
    return {
      commit: this.commit,
      committed_at: this.ago(past),
      entry: `log/${this.commit}`,
      complete_at: this.lagging ? "2026-11-21T17:58:00.000000Z" : this.ago(past),
      took_seconds: 0.084,
      changes: 388,
    };
  }

  compact() {
    const rejects = sumOf(this.byReason);
    return {
      state: this.state(),
      complete_at: this.completeAt(),
      durable: this.durable(),
      rate: this.rate(),
      lag_records: this.lagging ? 1_606_636 : 4,
      rejects_total: rejects,
      now: this.now(),
      today: this.today,
    };
  }

  rate() {
    return this.lagging ? 9840 : this.firstDay === null ? 0 : 41;
  }

  status(asked) {
    const status = this.fullStatus(asked);
    if (!this.plain) return status;
    // Only fields that the server must send.
    const { commit, committed_at, entry } = status.durable;
    const { in_range: _, ...rejects } = status.rejects;
    const missing = { cluster: undefined, commit_interval_seconds: undefined, connected_at: undefined, slot: null };
    return {
      ...status,
      ...missing,
      book: { ...status.book, made_at: undefined },
      durable: { commit, committed_at, entry },
      rejects,
    };
  }

  fullStatus({ from, to } = {}) {
    const lags = this.lagging
      ? [
          [0, 0.3],
          [402_118, 25_320],
          [1_204_518, 69_060],
          [0, 0.2],
        ]
      : [
          [0, 0.2],
          [3, 0.3],
          [0, 0.2],
          [1, 0.4],
        ];
    const lag = (partition) => {
      if (this.mode === "serve") return [null, null];
      if (this.firstDay === null) return [0, null];
      return partition < 4 ? lags[partition] : [Math.floor(chance(partition) * 9), 0.2 + chance(partition, "s") * 0.6];
    };
    const partitions = Array.from({ length: this.partitions }, (_, partition) => {
      const [records, seconds] = lag(partition);
      const next = this.firstDay === null ? 0 : 88_190_000 + partition;
      return {
        partition,
        next_offset: next,
        end_offset: records === null ? null : next + records,
        lag_records: records,
        lag_bytes: null,
        lag_seconds: seconds,
        read_to: this.completeAt(),
      };
    });
    const history = Array.from({ length: 60 }, (_, index) =>
      this.firstDay === null
        ? 0
        : this.lagging
          ? index > 47
            ? 9000 + chance(index) * 900
            : 40
          : 38 + chance(index) * 8 + 4 * Math.sin(index / 6),
    );
    const total = sumOf(this.byReason);
    const newest =
      this.byReason
        .map((reason) => reason.newest?.kafka_time ?? null)
        .sort()
        .pop() ?? null;
    return {
      walbook: "0.1.0",
      book: {
        name: "shop",
        id: "5f0c",
        time_zone: "Europe/Berlin",
        day_from: "commit",
        generation: 1,
        first_day: this.firstDay,
        made_at: this.firstDay === null ? this.ago(40 + (Date.now() - this.started) / 1000) : null,
      },
      mode: this.mode,
      now: this.now(),
      today: this.today,
      state: this.state(),
      state_reason: this.reason,
      complete_at: this.mode === "serve" ? null : this.completeAt(),
      complete_to: this.completeTo(),
      durable: this.durable(),
      live: this.mode === "serve" ? null : { epoch: this.epoch, closed_at: this.ago(0.2) },
      commit_interval_seconds: 10,
      connected_at: this.firstDay === null ? this.ago(38) : null,
      rate: { records_per_second: this.rate(), history },
      topics: [{ name: "shop.changes", source: "kafka", partitions }],
      cluster: this.cluster,
      rejects: { total, newest, by_reason: this.byReason, in_range: from && to ? sumOf(this.rejectsIn({ from, to })) : null },
      slot:
        this.mode === "serve" || this.lagging || this.firstDay === null
          ? null
          : { name: "walbook_shop", confirmed_lsn: "4C/9A21A4F0", lag_bytes: 1_204_112 },
      lost: this.lost,
      files: this.files,
    };
  }

  /** The reasons whose newest record is of these days. */
  rejectsIn({ from = "0001-01-01", to = "9999-12-31" }) {
    return this.byReason.filter(({ newest }) => {
      const day = newest?.kafka_time.slice(0, 10) ?? from;
      return day >= from && day <= to;
    });
  }

  rejectList(asked) {
    const rows = this.rejectsIn(asked).flatMap(({ reason, newest }) => [{ ...newest, reason }]);
    return { complete_to: this.completeTo(), rows, next: null, previous: null };
  }

  events({ from, to, schema, name, op, limit = "50", cursor }) {
    const cells = [...this.disk().values()].filter(
      (cell) =>
        cell.schema === schema && cell.table === name && cell.day >= from && cell.day <= to && (!op || cell.op === op),
    );
    const days = [...new Set(cells.map(({ day }) => day))].sort().reverse();
    const start = Number(cursor ?? 0);
    const rows = [];
    let skipped = 0;
    for (const day of days) {
      const here = cells.filter((cell) => cell.day === day);
      const total = here.reduce((sum, { count }) => sum + Number(count), 0);
      for (let index = Math.max(0, start - skipped); index < total && rows.length < Number(limit); index++) {
        let within = index;
        const cell = here.find(({ count }) => (within < Number(count) ? true : ((within -= Number(count)), false)));
        rows.push(inventEvent(schema, name, cell.op, day, index, total));
      }
      skipped += total;
      if (rows.length === Number(limit)) break;
    }
    const all = cells.reduce((sum, { count }) => sum + Number(count), 0);
    const next = start + rows.length < all ? String(start + rows.length) : null;
    return {
      complete_to: { ...this.completeTo(), level: "durable" },
      time_zone: "Europe/Berlin",
      rows,
      next,
      previous: start > 0 ? String(Math.max(0, start - Number(limit))) : null,
    };
  }
}
