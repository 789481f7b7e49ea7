// What the server says, and how it is asked: one stream of numbers, a status every few seconds, the states of the days.

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

/** Where no stream is to be had, the numbers are asked for this often, in milliseconds. */
const POLL = 5000;
/** A lag shorter than this is that of a run that keeps up, in seconds. */
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
		/** Since when the server does not answer; what it refused to answer; whether an answer is late. */
		this.lostAt = null;
		this.refused = null;
		this.reading = false;
		/** A range whose numbers and states have not all come. */
		this.pending = null;
		this.generation = 0;
		this.arrivals = [];
		this.live = new Live({
			onSnapshot: (answer) => this.onSnapshot(answer),
			onDelta: (answer) => this.onDelta(answer),
			onLost: () => this.lost(),
			onBack: () => this.streaming(),
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

	/** The days that the numbers are of: while others are being read, still those before. */
	get range() {
		const { counts, view } = this;
		const read = counts === null || (counts.from === view.from && counts.to === view.to);
		return read ? lookedAt(view) : { from: counts.from, to: counts.to };
	}

	/** The state of the days that are looked at. */
	get state() {
		const { from, to } = this.range;
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
		return this.status.topics.some(({ partitions }) =>
			partitions.some((part) => (part.lag_seconds ?? 0) >= BEHIND && lagOf(part) > 0),
		);
	}

	/** The records that arrive per second, by the ends of the partitions; null where these count something else, or none. */
	arriving() {
		if (unitOf(this.status) !== "records") return null;
		const [first, last] = [this.arrivals[0], this.arrivals[this.arrivals.length - 1]];
		if (this.arrivals.length < 2 || last.at - first.at < 10) return null;
		return (last.end - first.end) / (last.at - first.at);
	}

	/** Reads the range of the view anew; the old numbers stay until the new ones are there. */
	async load() {
		const generation = ++this.generation;
		const { from, to } = this.view;
		this.refused = null;
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
			this.pending.days = days;
			this.pending.tables = tables;
			this.arrive();
		} catch (error) {
			if (!(error instanceof ApiError)) throw error;
			if (generation !== this.generation) return;
			this.failed(error);
			if (error.status === 0) this.again = setTimeout(() => this.load(), 2000);
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
		this.onNumbers(sameRange);
	}

	onDelta(answer) {
		this.takeLive(answer);
		if (this.pending !== null) {
			// Totals, so that the later one holds; they wait with the snapshot for the states of the days.
			this.pending.answer?.rows.push(...answer.rows);
			return;
		}
		if (this.counts === null) return;
		this.onChanges(this.counts.apply(answer.rows));
		// The book has just begun, or a day has: its state is another one now.
		if (answer.rows.some(({ day }) => this.states.of(day) === "absent")) this.readStatusSoon(0);
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
		else if (status.rejects_total !== undefined && String(status.rejects_total) !== String(before.rejects.total))
			this.readStatusSoon();
	}

	readStatusSoon(delay = 1000) {
		if (this.soon) return;
		this.soon = setTimeout(() => {
			this.soon = null;
			this.readStatus();
		}, delay);
	}

	async readStatus() {
		const generation = this.generation;
		// A server that can count the rejects of a range has a place for that in every status; another refuses the question.
		const range = "in_range" in this.status.rejects ? lookedAt(this.view) : {};
		const reader =
			this.counts !== null &&
			(this.state !== "complete" || this.states.among(this.counts.days, "incomplete").length > 0);
		try {
			const [status, days] = await Promise.all([
				ask("status", range),
				reader ? ask("days", { from: this.view.from, to: this.view.to }) : null,
			]);
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
		clearTimeout(this.polling);
		this.polling = setTimeout(() => document.hidden || this.pollCounts(), POLL);
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
			this.onToken();
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

	/** The stream is there: no need to ask for the numbers. */
	streaming() {
		clearTimeout(this.polling);
		this.back();
	}

	back() {
		if (this.lostAt === null) return;
		this.lostAt = null;
		this.say("walbook answers again.");
		if (this.pending !== null && this.pending.days === null && this.counts === null) this.load();
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
