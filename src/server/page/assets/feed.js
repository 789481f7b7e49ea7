// The data from the server: one stream of counts or of a view's rows, a status every few seconds, the states of the days.
//
// Another range or view is shown once its numbers, the states of its days and the tables or views of the book have arrived.
// Until then they are kept in `pending`, and the old numbers stay; answers to earlier requests are dropped (`generation`). A
// stream that restarts sends only numbers. Failed requests are kept by topic (`troubles`) until they succeed.

import { ApiError, ask } from "./api.js";
import { clusterFault } from "./cluster.js";
import { Counts } from "./counts.js";
import { byId } from "./dom.js";
import { Faults } from "./faults.js";
import { matcher } from "./filter.js";
import { plural } from "./format.js";
import { Groups, MOST_GROUPS, orderText } from "./groups.js";
import { lagOf, unitOf } from "./lag.js";
import { Live } from "./live.js";
import { States } from "./states.js";
import { askForToken } from "./token.js";
import { lookedAt } from "./view.js";
import { Zone } from "./zone.js";

// Without a stream, the numbers are polled at this interval, in milliseconds.
const POLL = 5000;
// The timeout for all numbers in one answer.
const LONG_TIMEOUT = 60_000;
// A run with a shorter lag keeps up, in seconds.
const BEHIND = 10;

/**
 * The state that comes from the server. A subclass has a `view` (what the address selects) and shows what changed: `onNumbers`,
 * `onChanges`, `onReading`, `onToken`, `midnight`, `say`, `schedule`, `paint`.
 */
export class Feed extends Faults {
	constructor() {
		super();
		// What is shown: `Counts`, or `Groups` of a view, or null; and the views of the book.
		this.numbers = null;
		this.views = [];
		this.states = new States([]);
		this.status = null;
		// Whether an answer is late; whether the numbers come from a stream; what they are complete to.
		this.reading = false;
		this.streams = false;
		this.reached = null;
		// A range whose numbers and states have not all arrived.
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

	// The counts by table, if they are shown.
	get counts() {
		return this.numbers?.name === null ? this.numbers : null;
	}

	// The groups of a view, if they are shown.
	get groups() {
		return this.numbers?.name ? this.numbers : null;
	}

	// The view that is selected, if the book has it.
	get selectedView() {
		return this.views.find(({ name }) => name === this.view.of) ?? null;
	}

	// The days of the displayed numbers: the old ones while a new range is loading.
	get range() {
		const { numbers, view } = this;
		return numbers === null ? lookedAt(view) : { from: numbers.days[numbers.first], to: numbers.days[numbers.last] };
	}

	get state() {
		const { from, to } = this.range;
		return this.states.over((this.numbers?.days ?? []).filter((day) => day >= from && day <= to));
	}

	commit() {
		return Number(this.status.durable?.commit ?? 0);
	}

	// The rejects of the displayed days if the server has sent them, else of the book.
	rejects() {
		const { rejects } = this.status;
		const { from, to } = lookedAt(this.view);
		const inRange = this.rejectsOf === `${from} ${to}` && (rejects.in_range ?? null) !== null;
		return { total: inRange ? rejects.in_range : rejects.total, book: rejects.total, newest: rejects.newest, inRange };
	}

	// Whether a partition is further behind than a run that keeps up.
	isBehind() {
		return this.status.topics.some(({ partitions }) =>
			partitions.some((part) => (part.lag_seconds ?? 0) >= BEHIND && lagOf(part) > 0),
		);
	}

	// The records that arrive per second, from the ends of the partitions; null if these count bytes.
	arriving() {
		if (unitOf(this.status) !== "records") return null;
		const [first, last] = [this.arrivals[0], this.arrivals[this.arrivals.length - 1]];
		if (this.arrivals.length < 2 || last.at - first.at < 10) return null;
		return (last.end - first.end) / (last.at - first.at);
	}

	// The view that is selected, if it has rows to show: one that is built, whose declaration this version can read.
	get readableView() {
		const view = this.selectedView;
		return view?.is_current && view.columns.length > 0 ? view : null;
	}

	// What is asked of the stream, or of one answer.
	parameters() {
		const { from, to, of } = this.view;
		if (of === null) return { from, to };
		return this.selectedView?.has_days ? { view: of, from, to } : { view: of };
	}

	// Follows what is selected: by a stream or, where a view has more groups than a page should hold, by reading the first of them.
	follow() {
		if (this.selectedView?.groups > MOST_GROUPS) {
			this.streams = false;
			this.poll(true);
		} else {
			this.live.open(this.parameters());
		}
	}

	// Reloads what the address selects; the old numbers stay until the new ones have arrived.
	async load() {
		const generation = ++this.generation;
		const { from, to, of } = this.view;
		clearTimeout(this.again);
		clearTimeout(this.polling);
		clearTimeout(this.late);
		this.late = setTimeout(() => {
			this.reading = true;
			this.onReading();
		}, 300);
		this.pending = { from, to, of, days: null, tables: null, answer: null };
		// Whether a view has days is known only from the list of views.
		if (of === null) this.follow();
		else this.live.close();
		this.readStatus();
		try {
			const [days, { tables, views }] = await Promise.all([ask("days", { from, to }), ask(of === null ? "tables" : "views")]);
			if (generation !== this.generation) return;
			this.answered("range");
			this.pending.days = days;
			this.pending.tables = tables ?? [];
			if (views) this.views = views;
			if (of !== null && this.readableView === null) return this.showNothing();
			if (of !== null) this.follow();
			this.arrive();
		} catch (error) {
			if (!(error instanceof ApiError)) throw error;
			if (generation !== this.generation) return;
			// Without the states of its days a range is not shown, and numbers must not accumulate meanwhile.
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
		// The stream restarted in the same range: keep the states and compare only the numbers.
		const { from, to, of } = this.view;
		this.pending = { from, to, of, days: null, tables: [], answer };
		this.arrive();
	}

	// Shows a range once its numbers and the states of its days have arrived.
	arrive() {
		const { numbers, pending, view } = this;
		if (pending === null || pending.answer === null || pending.tables === null) return;
		const { from, to, of } = pending;
		const same = numbers?.from === from && numbers.to === to && numbers.name === of;
		// A view of this name may have been declared again.
		const sameRange = same && (of === null || numbers.view.declared === this.selectedView?.declared);
		if (pending.days === null && !sameRange) return;
		this.arrived();
		if (!sameRange) {
			const { selectedView, zone } = this;
			this.numbers = of === null ? new Counts(from, to, view.days) : new Groups(selectedView, from, to, view.days, zone);
		}
		for (const { schema, table } of pending.tables) this.numbers.know(schema, table);
		this.numbers.replace(pending.answer.rows);
		// While the answers were in flight, other days or names may have been selected.
		this.numbers.select(view.days);
		this.numbers.filter(matcher(view.filter));
		this.groups?.chartBy(view.number);
		if (pending.days) this.takeDays(pending.days);
		this.onNumbers(sameRange, pending.days !== null);
	}

	arrived() {
		this.pending = null;
		clearTimeout(this.late);
		this.reading = false;
	}

	// The selected view has no rows to show.
	showNothing() {
		this.answered("numbers");
		this.takeDays(this.pending.days);
		this.arrived();
		this.numbers = null;
		this.onNumbers(false, true);
	}

	// Asks which views there are.
	async askViews() {
		try {
			this.views = (await ask("views")).views;
		} catch (error) {
			// The status says so, too.
			if (!(error instanceof ApiError)) throw error;
		}
	}

	// One that was built, dropped or declared again is loaded anew.
	async readViews() {
		const before = this.selectedView;
		await this.askViews();
		const now = this.selectedView;
		const differs = before?.declared !== now?.declared || before?.is_current !== now?.is_current;
		if (this.view.of !== null && differs && this.pending === null) this.load();
		this.schedule();
	}

	onDelta(answer) {
		if (!this.takeLive(answer)) return;
		if (this.pending !== null) {
			// Totals: the later one replaces the earlier; both wait with the snapshot for the states of the days.
			if (this.pending.answer !== null) for (const row of answer.rows) this.pending.answer.rows.push(row);
			return;
		}
		if (this.numbers === null) return;
		this.onChanges(this.numbers.apply(answer.rows));
		// The book or a day has just begun: its state has changed.
		if (this.counts && answer.rows.some(({ day }) => this.states.of(day) === "absent")) this.readStatusSoon(0);
	}

	// Applies the status that comes with numbers; returns false if a new day begins, and with it a new range.
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
		// One request at a time: a second one returns the same, and one for other days would not be used.
		if (this.statusRun?.of === of) return;
		this.statusRun?.abort();
		const run = Object.assign(new AbortController(), { of });
		this.statusRun = run;
		const asksDays =
			this.numbers !== null &&
			(this.state !== "complete" || this.states.among(this.numbers.days, "incomplete").length > 0);
		try {
			const [status, days] = await Promise.all([
				ask("status", range, run),
				asksDays ? ask("days", { from: this.view.from, to: this.view.to }, run) : null,
			]);
			this.answered("status");
			this.rejectsOf = of;
			const { now, state, complete_at, today } = this.status;
			// The stream may have sent a later time or even day meanwhile; and the book may be ahead of the numbers.
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
		const [fault, faultBefore] = [clusterFault(status), before && clusterFault(before)];
		if (fault !== null && !faultBefore) this.say(`${fault.name} ${fault.said}.`);
		else if (before !== null && before.state !== status.state) this.sayState();
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
		if (!this.denied(error)) this.poll();
	}

	onStreamLost() {
		this.streams = false;
		this.failed("stream", new ApiError(0, "The stream broke off."));
	}

	// The stream works: stop polling the numbers.
	onStream() {
		this.streams = true;
		clearTimeout(this.polling);
		this.answered("stream");
		this.answered("numbers");
		if (this.troubles.has("status")) this.readStatus();
	}

	// No stream is available (too many clients, or a proxy blocks it): poll the numbers instead.
	async poll(canStream = false) {
		const { generation } = this;
		if (this.polled === generation) return;
		this.polled = generation;
		const { view, ...parameters } = this.parameters();
		const [path, more] = view
			? [`views/${view}`, { limit: MOST_GROUPS, order: orderText(this.selectedView, this.view.sort) }]
			: ["counts", { by: "day,table,op" }];
		try {
			// What the status calls complete is in the counts that are requested after it.
			const status = await ask("status", lookedAt(this.view));
			const answer = await ask(path, { ...parameters, ...more }, { timeout: LONG_TIMEOUT });
			if (generation !== this.generation || this.streams) return;
			this.answered("numbers");
			const { now, state, complete_at, today } = status;
			this.onSnapshot({ ...answer, status: { now, state, complete_at, today } });
			// All groups of these days can be held.
			if (canStream && answer.rows.length < MOST_GROUPS) this.live.open(this.parameters());
		} catch (error) {
			if (!(error instanceof ApiError)) throw error;
			if (generation === this.generation) this.failed("numbers", error);
		} finally {
			this.polled = null;
		}
		clearTimeout(this.polling);
		this.polling = setTimeout(() => document.hidden || this.streams || this.poll(), this.groups?.isCut ? 3 * POLL : POLL);
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

// The commit that an answer is complete to.
function reachOf({ complete_to: { epoch, commit } }) {
	return epoch ?? commit;
}
