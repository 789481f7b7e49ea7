// The page: one state, read from the address and the server, and the parts that show it.

import { ApiError, ask } from "./api.js";
import { Chart } from "./chart.js";
import { Counts } from "./counts.js";
import { byId, el } from "./dom.js";
import { rangeWords } from "./days.js";
import { Events } from "./events.js";
import { matcher } from "./filter.js";
import { Grid } from "./grid.js";
import { Header } from "./header.js";
import { Keys } from "./keys.js";
import { Live } from "./live.js";
import { Pipeline } from "./pipeline.js";
import { Speaker } from "./speak.js";
import { States } from "./states.js";
import { Toolbar } from "./toolbar.js";
import { askForToken } from "./token.js";
import { lookedAt, neighbour, parseView, presetOf, resolve, viewAddress } from "./view.js";
import { Clock, Zone } from "./zone.js";

/** The least time between two paintings, in milliseconds. */
const PAINT = 250;
const STATUS = 5000;
/** Where no stream is to be had, the numbers are asked for this often. */
const POLL = 5000;
/** A lag shorter than this is that of a run that keeps up, in seconds. */
const BEHIND = 10;

class App {
  constructor() {
    this.view = parseView(location.search);
    this.clock = new Clock();
    this.counts = null;
    this.states = new States([]);
    this.status = null;
    this.lostAt = null;
    this.refused = null;
    this.reading = false;
    this.changed = [];
    this.painted = -Infinity;
    this.arrivals = [];
    this.generation = 0;
    this.addressOf = (table, op) => viewAddress({ ...this.view, open: table === null ? { rejects: true } : { schema: table.schema, name: table.name, op } });
    this.live = new Live({
      onSnapshot: (answer) => this.onSnapshot(answer),
      onDelta: (answer) => this.onDelta(answer),
      onLost: () => this.lost(),
      onBack: () => this.back(),
      onRefused: (error) => this.onRefused(error),
    });
  }

  async start() {
    await this.firstStatus();
    resolve(this.view, this.today);
    this.speaker = new Speaker();
    this.header = new Header(this);
    this.toolbar = new Toolbar(this);
    this.chart = new Chart(this);
    this.grid = new Grid(this);
    this.pipeline = new Pipeline(this);
    this.events = new Events(this);
    this.keys = new Keys(this);
    addEventListener("popstate", () => this.show(resolve(parseView(location.search), this.today)));
    document.addEventListener("visibilitychange", () => this.onVisible());
    setInterval(() => document.hidden || this.tick(), 1000);
    setInterval(() => document.hidden || this.readStatus(), STATUS);
    this.toolbar.showRange();
    this.paint();
    this.load();
    this.events.open(false);
  }

  async firstStatus() {
    for (;;) {
      try {
        this.takeStatus(await ask("status"));
        return;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.status === 401 || error.status === 403) {
          byId("complete-to").textContent = "A token is needed";
          await askForToken();
          byId("complete-to").textContent = "Reading …";
          continue;
        }
        byId("complete-to").textContent = error.message;
        byId("complete-why").textContent = "Trying again every 2 s.";
        await new Promise((next) => setTimeout(next, 2000));
      }
    }
  }

  // What is known.

  get today() {
    return this.status.today;
  }

  /** The state of the days that are looked at. */
  get state() {
    const { from, to } = lookedAt(this.view);
    return this.states.over((this.counts?.days ?? []).filter((day) => day >= from && day <= to));
  }

  /** The number of the newest commit on disk. */
  commit() {
    return Number(this.status.durable?.commit ?? 0);
  }

  /** The rejects: in this range where the server tells, else in the book. */
  rejects() {
    const { rejects } = this.status;
    const inRange = rejects.in_range !== undefined && rejects.in_range !== null;
    return { total: inRange ? rejects.in_range : rejects.total, newest: rejects.newest, inRange };
  }

  /** Whether some partition is further behind than a run that keeps up. */
  isBehind() {
    return this.status.topics.some(({ partitions }) => partitions.some((part) => (part.lag_seconds ?? 0) >= BEHIND && Number(part.lag_records) > 0));
  }

  /** The records that arrive per second, by the ends of the partitions; null while that is not known. */
  arriving() {
    const [first, last] = [this.arrivals[0], this.arrivals[this.arrivals.length - 1]];
    if (this.arrivals.length < 2 || last.at - first.at < 10) return null;
    return (last.end - first.end) / (last.at - first.at);
  }

  rangeWords() {
    const { from, to } = lookedAt(this.view);
    return rangeWords(from, to, this.today);
  }

  /** The width of a text in the grid's face. */
  measure(text, weight) {
    this.pen ??= document.createElement("canvas").getContext("2d");
    this.face ??= getComputedStyle(document.body).fontFamily;
    this.pen.font = `${weight} 13px ${this.face}`;
    return this.pen.measureText(text).width;
  }

  /** The width of a character of a name. */
  measureMono() {
    if (this.mono === undefined) {
      const family = getComputedStyle(document.documentElement).getPropertyValue("--mono");
      this.pen.font = `12px ${family}`;
      this.mono = this.pen.measureText("0000000000").width / 10;
    }
    return this.mono;
  }

  // What the person does.

  /** Changes the view and its address. */
  go(change, { replace = false } = {}) {
    const next = { ...this.view, ...change };
    if ("preset" in change && change.preset === null) next.preset = presetOf(next.from, next.to, this.today);
    resolve(next, this.today);
    const address = viewAddress(next);
    if (replace) this.replaceAddress();
    else if (address !== viewAddress(this.view)) history.pushState(null, "", address);
    this.show(next);
  }

  /** Brings the address up to date a little later: browsers refuse to do so at every key that is pressed. */
  replaceAddress() {
    clearTimeout(this.addressing);
    this.addressing = setTimeout(() => history.replaceState(null, "", viewAddress(this.view)), 200);
  }

  neighbour(direction) {
    const next = neighbour(this.view, direction);
    if (direction < 0 || next.from <= this.today) this.go(next);
  }

  sortBy(key) {
    const { sort } = this.view;
    const down = key !== "name";
    const next = sort.replace(/^-/, "") === key ? (sort[0] === "-" ? key : `-${key}`) : down ? `-${key}` : key;
    this.go({ sort: next }, { replace: true });
  }

  /** Shows another view: only what differs is done anew. */
  show(next) {
    const before = this.view;
    this.view = next;
    const differs = (part) => JSON.stringify(before[part]) !== JSON.stringify(next[part]);
    const range = differs("from") || differs("to");
    const days = differs("days");
    if (range) {
      this.toolbar.showRange();
      this.load();
    } else if (this.counts) {
      if (days) this.counts.select(next.days);
      if (differs("filter")) this.counts.filter(matcher(next.filter));
      if (days || differs("filter") || differs("sort")) this.grid.reorder(true);
    }
    if (differs("open") || (next.open !== null && !next.open.rejects && (range || days))) {
      this.events.open(differs("open"));
    }
    this.paint();
    if (before.open !== null && next.open === null) this.grid.focusBack();
  }

  // What the server says.

  /** Reads the range of the view anew; the old numbers stay until the new ones are there. */
  async load() {
    const generation = ++this.generation;
    const { from, to } = this.view;
    this.refused = null;
    clearTimeout(this.poll);
    clearTimeout(this.late);
    this.late = setTimeout(() => {
      this.reading = true;
      this.chart.paintReadout();
    }, 300);
    this.pending = { from, to, days: null, tables: null, answer: null };
    this.live.open(from, to);
    this.readStatus();
    try {
      const [days, tables] = await Promise.all([ask("days", { from, to }), ask("tables")]);
      if (generation !== this.generation) return;
      this.pending.days = days;
      this.pending.tables = tables;
      this.arrive();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (generation !== this.generation) return;
      this.failed(error);
      if (error.status === 0) this.poll = setTimeout(() => this.load(), 2000);
    }
  }

  onSnapshot(answer) {
    this.takeLive(answer);
    if (this.pending) {
      this.pending.answer = answer;
      this.arrive();
      return;
    }
    // The stream began anew in the same range: what is known stays known, and only the numbers are compared.
    const { from, to } = this.view;
    this.pending = { from, to, days: null, tables: { tables: [] }, answer };
    this.arrive();
  }

  /** Takes over a range once its numbers and the states of its days are there. */
  arrive() {
    const { pending } = this;
    if (pending === null || pending.answer === null || pending.tables === null) return;
    const sameRange = this.counts !== null && this.counts.from === pending.from && this.counts.to === pending.to;
    if (pending.days === null && !sameRange) return;
    this.pending = null;
    clearTimeout(this.late);
    this.reading = false;
    const counts = sameRange ? this.counts : new Counts(pending.from, pending.to, this.view.days);
    if (!sameRange) counts.filter(matcher(this.view.filter));
    for (const { schema, table } of pending.tables.tables) counts.know(schema, table);
    counts.replace(pending.answer.rows);
    this.counts = counts;
    if (pending.days) this.takeDays(pending.days);
    if (!sameRange) this.grid.forgetWidths();
    this.grid.reorder(!sameRange);
    this.paint();
  }

  onDelta(answer) {
    this.takeLive(answer);
    if (this.counts === null || this.pending !== null) return;
    this.changed.push(...this.counts.apply(answer.rows));
    if (this.changed.length > 0) this.grid.dirty = true;
    this.schedule();
  }

  /** Takes over the few words about the state that come with the numbers. */
  takeLive(answer) {
    const { status } = answer;
    if (!status) return;
    const before = this.status;
    const now = { ...before };
    for (const part of ["state", "complete_at", "today"]) if (part in status) now[part] = status[part];
    if (status.durable) now.durable = { ...before.durable, ...status.durable };
    const perSecond = typeof status.rate === "number" ? status.rate : status.rate?.records_per_second;
    if (perSecond !== undefined) now.rate = { ...before.rate, records_per_second: perSecond };
    this.takeStatus(now, true);
    if (now.state !== before.state || now.today !== before.today) this.readStatus();
    else if (status.rejects_total !== undefined && String(status.rejects_total) !== String(before.rejects.total)) this.readStatusSoon();
  }

  readStatusSoon() {
    if (this.soon) return;
    this.soon = setTimeout(() => {
      this.soon = null;
      this.readStatus();
    }, 1000);
  }

  async readStatus() {
    const generation = this.generation;
    const { from, to } = lookedAt(this.view);
    const reader = this.counts !== null && (this.state !== "complete" || this.states.among(this.counts.days, "incomplete").length > 0);
    try {
      const [status, days] = await Promise.all([ask("status", { from, to }), reader ? ask("days", { from: this.view.from, to: this.view.to }) : null]);
      this.back();
      this.takeStatus(status);
      if (days !== null && generation === this.generation && this.pending === null) this.takeDays(days);
      this.schedule();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.failed(error);
    }
  }

  takeStatus(status, live = false) {
    const before = this.status;
    this.status = status;
    if (!live) {
      this.clock.set(status.now);
      const end = status.topics.flatMap(({ partitions }) => partitions.map((part) => Number(part.end_offset ?? 0))).reduce((a, b) => a + b, 0);
      this.arrivals = [...this.arrivals, { at: performance.now() / 1000, end }].slice(-12);
    }
    if (this.zone?.name !== status.book.time_zone) this.zone = new Zone(status.book.time_zone);
    if (before !== null && before.state !== status.state) this.sayState();
    if (before !== null && before.today !== status.today) this.midnight(before.today);
  }

  takeDays({ days, first_day: firstDay }) {
    this.states = new States(days);
    this.firstDay = firstDay;
  }

  /** A range that ended on the day that is over goes on with the new one. */
  midnight(before) {
    const { view } = this;
    if (view.preset === null && view.to !== before) return;
    const next = resolve({ ...view, to: view.preset === null ? this.today : view.to }, this.today);
    this.view = next;
    history.replaceState(null, "", viewAddress(next));
    this.toolbar?.showRange();
    this.load();
  }

  onRefused(error) {
    this.back();
    if (error.status === 401 || error.status === 403) this.failed(error);
    else this.pollCounts();
  }

  /** No stream is to be had (too many listen, or something between cannot carry it): asks for the numbers instead. */
  async pollCounts() {
    const generation = this.generation;
    const { from, to } = this.view;
    try {
      const answer = await ask("counts", { from, to, by: "day,table,op" });
      if (generation === this.generation) this.onSnapshot(answer);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.failed(error);
    }
    clearTimeout(this.poll);
    this.poll = setTimeout(() => document.hidden || this.pollCounts(), POLL);
  }

  async failed(error) {
    if (error.status === 0) {
      this.lost();
    } else if (error.status === 401 || error.status === 403) {
      if (this.asking) return;
      this.asking = true;
      this.live.close();
      await askForToken();
      this.asking = false;
      this.load();
      this.events.open(false);
    } else {
      this.refused = error.message;
      this.schedule();
    }
  }

  lost() {
    if (this.lostAt !== null) return;
    this.lostAt = this.clock.now();
    this.say("No answer from walbook. The numbers are from before.");
    this.paint();
  }

  back() {
    if (this.lostAt === null) return;
    this.lostAt = null;
    this.say("walbook answers again.");
    if (this.pending !== null && this.pending.days === null && this.counts === null) this.load();
    this.schedule();
  }

  onVisible() {
    if (document.hidden) {
      this.live.close();
    } else {
      this.live.open(this.view.from, this.view.to);
      this.readStatus();
      this.paint();
    }
  }

  sayState() {
    const words = { live: "Caught up.", catching_up: "Behind; catching up.", waiting: "Waiting for records.", disconnected: "Not connected to the source.", at_rest: "No run is reading into this book." };
    this.say(words[this.status.state] ?? "");
  }

  say(text) {
    this.speaker?.say(text);
  }

  // Painting: at most four times a second, in one frame.

  schedule() {
    if (this.timer || document.hidden) return;
    const wait = Math.max(0, this.painted + PAINT - performance.now());
    this.timer = setTimeout(() => requestAnimationFrame(() => this.paint()), wait);
  }

  paint() {
    clearTimeout(this.timer);
    this.timer = null;
    if (!this.grid) return;
    this.painted = performance.now();
    this.header.paint();
    this.toolbar.paint();
    this.pipeline.paint();
    const changed = this.changed;
    this.changed = [];
    if (this.counts === null) return;
    this.chart.paint();
    this.grid.paint();
    this.grid.flash(changed);
    this.events.paint();
  }

  /** What ticks by the server's clock. */
  tick() {
    if (this.timer) return;
    this.header.paint();
    this.pipeline.paint();
  }
}

/** A fault of the page itself is said, not swallowed: numbers might otherwise stand still unnoticed. */
function onFault(message) {
  if (byId("fault")) return;
  byId("strips").append(el("div", { class: "strip bad", id: "fault" }, el("p", {}, el("strong", {}, "This page failed and may stand still. "), String(message)), el("button", { type: "button", class: "button", onclick: () => location.reload() }, "Reload")));
}

addEventListener("error", (event) => onFault(event.message));
addEventListener("unhandledrejection", (event) => onFault(event.reason?.message ?? event.reason));
new App().start();
