// What the server says, and how it is asked: one stream of numbers, a status every few seconds, the states of the days.
//
// A range is taken over at once, when its numbers, the states of its days and the tables of the book are there. Until then
// they wait in `pending`, and what was shown before stays; answers to earlier questions are dropped (`generation`). A stream
// that begins anew brings only numbers. What is not answered is kept by what was asked for (`troubles`), until it is.

import { ApiError, ask } from "./api.js";
import { Counts } from "./counts.js";
import { byId } from "./dom.js";
import { matcher } from "./filter.js";
import { plural } from "./format.js";
import { lagOf, unitOf } from "./lag.js";
import { Live } from "./live.js";
import { States } from "./states.js";
import { askForToken } from "./token.js";
import { lookedAt } from "./view.js";
import { Clock, Zone } from "./zone.js";

// Where no stream is to be had, the numbers are asked for this often, in milliseconds.
const POLL = 5000;
// Numbers in one answer may take this long.
const LONG = 60_000;
// A lag shorter than this is that of a run that keeps up, in seconds.
const BEHIND = 10;

/**
 * The state that comes from the server. Who extends it has a `view`, and shows what changed: `onNumbers`, `onChanges`,
 * `onReading`, `onToken`, `midnight`, `say`, `schedule`, `paint`.
 */
export class Feed {
	constructor() {
		this.clock = new Clock();
		this.counts = null;
		this.states = new States([]);
		this.status = null;
		// What goes wrong, by what was asked for (stream, numbers, range, status, download): `{at, status, message}`.
		this.troubles = new Map();
		// Whether an answer is late; whether the numbers come by a stream; up to which state of the book they go.
		this.reading = false;
		this.streams = false;
		this.reached = null;
		// A range whose numbers and states have not all come.
		this.pending = null;
		this.generation = 0;
		this.arrivals = [];
		this.live = new Live({
			onSnapshot: (answer) => this.onSnapshot(answer),
			onDelta: (answer) => this.onDelta(answer),
			onLost: () => this.onStreamLost(),
			onBack: () => this.onStream(),
			onRefused: (error) => this.onRefused(error),
		});
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

	get today() {
		return this.status.today;
	}

	// Since when the server, or the stream, does not answer; null while both do.
	get lostAt() {
		return [...this.troubles.values()].find(({ status }) => status === 0)?.at ?? null;
	}

	// What the server refuses: `[what was asked for, message]`, or null.
	get refused() {
		const found = [...this.troubles].find(([, { status }]) => status !== 0);
		return found ? [found[0], found[1].message] : null;
	}

	// The days that the numbers are of: while others are being read, still those before.
	get range() {
		const { counts, view } = this;
		return counts === null ? lookedAt(view) : { from: counts.days[counts.first], to: counts.days[counts.last] };
	}

	get state() {
		const { from, to } = this.range;
		return this.states.over((this.counts?.days ?? []).filter((day) => day >= from && day <= to));
	}

	commit() {
		return Number(this.status.durable?.commit ?? 0);
	}

	// The rejects: in the days that are looked at where the server has told, else in the book.
	rejects() {
		const { rejects } = this.status;
		const { from, to } = lookedAt(this.view);
		const inRange = this.rejectsOf === `${from} ${to}` && (rejects.in_range ?? null) !== null;
		return { total: inRange ? rejects.in_range : rejects.total, book: rejects.total, newest: rejects.newest, inRange };
	}

	// Whether some partition is further behind than a run that keeps up.
	isBehind() {
		return this.status.topics.some(({ partitions }) =>
			partitions.some((part) => (part.lag_seconds ?? 0) >= BEHIND && lagOf(part) > 0),
		);
	}

	// The records that arrive per second, by the ends of the partitions; null where these count something else.
	arriving() {
		if (unitOf(this.status) !== "records") return null;
		const [first, last] = [this.arrivals[0], this.arrivals[this.arrivals.length - 1]];
		if (this.arrivals.length < 2 || last.at - first.at < 10) return null;
		return (last.end - first.end) / (last.at - first.at);
	}

	// Reads the range of the view anew; the old numbers stay until the new ones are there.
	async load() {
		const generation = ++this.generation;
		const { from, to } = this.view;
		clearTimeout(this.again);
		clearTimeout(this.polling);
		clearTimeout(this.late);
		this.late = setTimeout(() => {
			this.reading = true;
			this.onReading();
		}, 300);
		this.pending = { from, to, days: null, tables: null, answer: null };
		this.live.open(from, to);
		this.readStatus();
		try {
			const [days, tables] = await Promise.all([ask("days", { from, to }), ask("tables")]);
			if (generation !== this.generation) return;
			this.answered("range");
			this.pending.days = days;
			this.pending.tables = tables;
			this.arrive();
		} catch (error) {
			if (!(error instanceof ApiError)) throw error;
			if (generation !== this.generation) return;
			// Without the states of its days a range is not shown, and numbers must not gather meanwhile.
			this.live.close();
			this.pending.answer = null;
			clearTimeout(this.late);
			this.reading = false;
			this.failed("range", error);
			this.again = setTimeout(() => document.hidden || this.load(), error.status === 0 ? 2000 : POLL);
		}
	}

	onSnapshot(answer) {
		if (!this.takeLive(answer)) return;
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

	// Takes over a range once its numbers and the states of its days are there.
	arrive() {
		const { pending } = this;
		if (pending === null || pending.answer === null || pending.tables === null) return;
		const sameRange = this.counts !== null && this.counts.from === pending.from && this.counts.to === pending.to;
		if (pending.days === null && !sameRange) return;
		this.pending = null;
		clearTimeout(this.late);
		this.reading = false;
		const counts = sameRange ? this.counts : new Counts(pending.from, pending.to, this.view.days);
		for (const { schema, table } of pending.tables.tables) counts.know(schema, table);
		counts.replace(pending.answer.rows);
		// While the answers were on their way other days or tables may have been picked.
		counts.select(this.view.days);
		counts.filter(matcher(this.view.filter));
		this.counts = counts;
		if (pending.days) this.takeDays(pending.days);
		this.onNumbers(sameRange, pending.days !== null);
	}

	onDelta(answer) {
		if (!this.takeLive(answer)) return;
		if (this.pending !== null) {
			// Totals, so that the later one holds; they wait with the snapshot for the states of the days.
			if (this.pending.answer !== null) for (const row of answer.rows) this.pending.answer.rows.push(row);
			return;
		}
		if (this.counts === null) return;
		this.onChanges(this.counts.apply(answer.rows));
		// The book has just begun, or a day has: its state is another one now.
		if (answer.rows.some(({ day }) => this.states.of(day) === "absent")) this.readStatusSoon(0);
	}

	// Takes over the words about the state that come with numbers; false where another day begins, and another range.
	takeLive(answer) {
		const { generation } = this;
		const { status } = answer;
		this.reached = reachOf(answer);
		const before = this.status;
		const now = { ...before };
		for (const part of ["now", "state", "complete_at", "today"]) if (part in status) now[part] = status[part];
		if (status.durable) now.durable = { ...before.durable, ...status.durable };
		const perSecond = typeof status.rate === "number" ? status.rate : status.rate?.records_per_second;
		if (perSecond !== undefined) now.rate = { ...before.rate, records_per_second: perSecond };
		this.takeStatus(now, true);
		if (now.state !== before.state || now.today !== before.today) this.readStatus();
		else if (status.rejects_total !== undefined && String(status.rejects_total) !== String(before.rejects.total))
			this.readStatusSoon();
		return generation === this.generation;
	}

	readStatusSoon(delay = 1000) {
		if (this.soon) return;
		this.soon = setTimeout(() => {
			this.soon = null;
			this.readStatus();
		}, delay);
	}

	async readStatus() {
		const { generation } = this;
		const range = lookedAt(this.view);
		const of = `${range.from} ${range.to}`;
		// One question at a time: the same again brings nothing, and one for other days is of no use.
		if (this.statusRun?.of === of) return;
		this.statusRun?.abort();
		const run = Object.assign(new AbortController(), { of });
		this.statusRun = run;
		const asksDays =
			this.counts !== null &&
			(this.state !== "complete" || this.states.among(this.counts.days, "incomplete").length > 0);
		try {
			const [status, days] = await Promise.all([
				ask("status", range, run),
				asksDays ? ask("days", { from: this.view.from, to: this.view.to }, run) : null,
			]);
			this.answered("status");
			this.rejectsOf = of;
			const { now, state, complete_at, today } = this.status;
			// The stream may have told of a later time, even of another day; and the book may be ahead of the numbers.
			if (Date.parse(status.now) < Date.parse(now)) Object.assign(status, { now, state, complete_at, today });
			else if (this.reached !== null && reachOf(status) > this.reached) status.complete_at = complete_at;
			this.takeStatus(status);
			if (days !== null && generation === this.generation && this.pending === null) this.takeDays(days);
			this.schedule();
		} catch (error) {
			if (run.signal.aborted) return;
			if (!(error instanceof ApiError)) throw error;
			this.failed("status", error);
		} finally {
			if (this.statusRun === run) this.statusRun = null;
		}
	}

	takeStatus(status, live = false) {
		const before = this.status;
		this.status = status;
		if (!live) {
			this.clock.set(status.now);
			const end = status.topics
				.flatMap(({ partitions }) => partitions.map((part) => Number(part.end_offset ?? 0)))
				.reduce((a, b) => a + b, 0);
			this.arrivals = [...this.arrivals, { at: performance.now() / 1000, end }].slice(-12);
		}
		if (this.zone?.name !== status.book.time_zone) this.zone = new Zone(status.book.time_zone);
		if (before !== null && before.state !== status.state) this.sayState();
		else if (before !== null && Number(status.rejects.total) > Number(before.rejects.total)) {
			this.say(`${plural(status.rejects.total, "reject")} in the book now.`);
		}
		if (before !== null && before.today !== status.today) this.midnight(before.today);
	}

	takeDays({ days, first_day: firstDay }) {
		this.states = new States(days);
		this.firstDay = firstDay;
	}

	onRefused(error) {
		this.streams = false;
		this.answered("stream");
		if (!this.denied(error)) this.pollCounts();
	}

	onStreamLost() {
		this.streams = false;
		this.failed("stream", new ApiError(0, "The stream broke off."));
	}

	// The stream is there: no need to ask for the numbers.
	onStream() {
		this.streams = true;
		clearTimeout(this.polling);
		this.answered("stream");
		this.answered("numbers");
		if (this.troubles.has("status")) this.readStatus();
	}

	// No stream is to be had (too many listen, or something between cannot carry it): asks for the numbers instead.
	async pollCounts() {
		const { generation } = this;
		if (this.polled === generation) return;
		this.polled = generation;
		const { from, to } = this.view;
		try {
			// What is complete when it is asked first is in the numbers that are asked for then.
			const status = await ask("status", lookedAt(this.view));
			const answer = await ask("counts", { from, to, by: "day,table,op" }, { patience: LONG });
			if (generation !== this.generation || this.streams) return;
			this.answered("numbers");
			const { now, state, complete_at, today } = status;
			this.onSnapshot({ ...answer, status: { now, state, complete_at, today } });
		} catch (error) {
			if (!(error instanceof ApiError)) throw error;
			if (generation === this.generation) this.failed("numbers", error);
		} finally {
			this.polled = null;
		}
		clearTimeout(this.polling);
		this.polling = setTimeout(() => document.hidden || this.streams || this.pollCounts(), POLL);
	}

	// Asks for a token where the server wants one; says whether it does.
	denied(error) {
		if (error.status !== 401 && error.status !== 403) return false;
		this.giveToken();
		return true;
	}

	async giveToken() {
		if (this.asking) return;
		this.asking = true;
		this.live.close();
		await askForToken();
		this.asking = false;
		this.load();
		this.onToken();
	}

	// Something that was asked for is not to be had.
	failed(what, error) {
		if (this.denied(error)) return;
		const wasLost = this.lostAt !== null;
		const known = this.troubles.get(what);
		const at = known && (known.status === 0) === (error.status === 0) ? known.at : this.clock.now();
		this.troubles.set(what, { at, status: error.status, message: error.message });
		if (!wasLost && this.lostAt !== null) this.say("No answer from walbook. The numbers are from before.");
		this.schedule();
	}

	answered(what) {
		const wasLost = this.lostAt !== null;
		if (!this.troubles.delete(what)) return;
		if (wasLost && this.lostAt === null) this.say("walbook answers again.");
		this.schedule();
	}

	sayState() {
		const words = {
			live: "Caught up.",
			catching_up: "Behind; catching up.",
			waiting: "Waiting for records.",
			disconnected: "Not connected to the source.",
			at_rest: "No run is reading into this book.",
		};
		this.say(words[this.status.state] ?? "");
	}
}

// How far in the book an answer goes.
function reachOf({ complete_to: { epoch, commit } }) {
	return epoch ?? commit;
}
