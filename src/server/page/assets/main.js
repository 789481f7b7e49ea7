// The page: one state, read from the address and the server, and the parts that show it.

import { Chart } from "./chart.js";
import { byId, el } from "./dom.js";
import { rangeWords } from "./days.js";
import { Events } from "./events.js";
import { Feed } from "./feed.js";
import { matcher } from "./filter.js";
import { Grid } from "./grid.js";
import { GroupsGrid } from "./groups_grid.js";
import { Header } from "./header.js";
import { Keys } from "./keys.js";
import { Pipeline } from "./pipeline.js";
import { Announcer } from "./announcer.js";
import { Toolbar } from "./toolbar.js";
import { lookedAt, neighbour, parseView, presetOf, resolve, viewAddress } from "./view.js";
import { Views } from "./views.js";

// The shortest time between two repaints, in milliseconds.
const PAINT = 250;
// The interval of the status; that of a cluster ends some seconds after a process has become silent.
const STATUS = 5000;
const STATUS_OF_CLUSTER = 2000;

class App extends Feed {
	constructor() {
		super();
		this.view = parseView(location.search);
		this.changed = [];
		this.painted = -Infinity;
		this.addressOf = (table, op) =>
			viewAddress({
				...this.view,
				open: table === null ? { rejects: true } : { schema: table.schema, name: table.name, op },
			});
	}

	async start() {
		await this.firstStatus();
		// A list of views that came later would move the numbers.
		await this.askViews();
		resolve(this.view, this.today);
		this.announcer = new Announcer();
		this.header = new Header(this);
		this.toolbar = new Toolbar(this);
		this.chart = new Chart(this);
		this.grid = new Grid(this);
		this.groupsGrid = new GroupsGrid(this);
		this.viewList = new Views(this);
		this.pipeline = new Pipeline(this);
		this.events = new Events(this);
		this.keys = new Keys(this);
		addEventListener("popstate", () => this.show(resolve(parseView(location.search), this.today)));
		document.addEventListener("visibilitychange", () => this.onVisible());
		setInterval(() => document.hidden || this.tick(), 1000);
		setInterval(() => {
			if (document.hidden) return;
			this.readStatus();
			this.readViews();
		}, this.status.cluster ? STATUS_OF_CLUSTER : STATUS);
		this.toolbar.showRange();
		this.paint();
		this.load();
		this.events.open(false);
	}

	rangeWords() {
		const { from, to } = this.range;
		return rangeWords(from, to, this.today);
	}

	// Actions of the user.

	go(change, { replace = false } = {}) {
		const next = { ...this.view, ...change };
		if ("preset" in change && change.preset === null) next.preset = presetOf(next.from, next.to, this.today);
		resolve(next, this.today);
		const address = viewAddress(next);
		if (replace) this.replaceAddress();
		else if (address !== viewAddress(this.view)) history.pushState(null, "", address);
		this.show(next);
	}

	// Updates the address a little later: browsers limit how often it may change.
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

	// Shows another view: only what differs is updated.
	show(next) {
		const before = this.view;
		this.view = next;
		const differs = (part) => JSON.stringify(before[part]) !== JSON.stringify(next[part]);
		const range = differs("from") || differs("to") || differs("of");
		const days = differs("days");
		const looked = JSON.stringify(lookedAt(before)) !== JSON.stringify(lookedAt(next));
		if (range) {
			this.toolbar.showRange();
			this.load();
		} else if (this.numbers) {
			// The days of a range that is still loading are selected when it arrives.
			if (days && this.pending === null) this.numbers.select(next.days);
			if (differs("filter")) this.numbers.filter(matcher(next.filter));
			if (differs("number")) this.groups?.chartBy(next.number);
			if (days || differs("filter") || differs("sort")) this.shownGrid.reorder(true);
			// Other groups are the first in another order.
			if (differs("sort") && this.groups?.isCut) this.load();
			if (days) this.readStatus();
		}
		if (differs("open") || (next.open !== null && looked)) this.events.open(differs("open"));
		this.paint();
		if (before.open !== null && next.open === null && this.counts) this.grid.focusBack();
	}

	get shownGrid() {
		return this.groups ? this.groupsGrid : this.grid;
	}

	// Events of the feed.

	onNumbers(sameRange, asked) {
		if (!sameRange) this.grid.forgetWidths();
		this.shownGrid.reorder(asked);
		this.paint();
	}

	onChanges(changed) {
		if (changed.length > 0) this.shownGrid.dirty = true;
		// In a hidden tab there is nothing to highlight.
		if (!document.hidden) for (const cell of changed) this.changed.push(cell);
		this.schedule();
	}

	onReading() {
		this.chart.paintReadout();
	}

	onToken() {
		this.events.open(false);
	}

	// A range that ended with the past day is extended to the new one.
	midnight(before) {
		const { view } = this;
		if (view.preset === null && view.to !== before) return;
		const next = resolve({ ...view, to: view.preset === null ? this.today : view.to }, this.today);
		history.replaceState(null, "", viewAddress(next));
		this.show(next);
	}

	onVisible() {
		if (document.hidden) {
			this.live.close();
			clearTimeout(this.polling);
		} else {
			if (this.pending !== null) this.load();
			else if (this.numbers !== null) this.follow();
			this.readStatus();
			this.paint();
		}
	}

	say(text) {
		this.announcer?.announce(text);
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
		this.viewList.paint();
		const top = this.counts ? this.grid.top() : 0;
		this.header.paint();
		this.toolbar.paint();
		this.pipeline.paint();
		const changed = this.changed;
		this.changed = [];
		if (this.numbers === null) return;
		this.chart.paint();
		this.shownGrid.paint(top);
		this.shownGrid.flash(changed);
		this.events.paint();
	}

	tick() {
		if (this.timer) return;
		this.header.paint();
		this.pipeline.paint();
	}
}

// Show errors of the page itself: otherwise the counts might freeze unnoticed.
function onFault(message) {
	if (byId("fault")) return;
	byId("faults").append(
		el(
			"div",
			{ class: "strip bad", id: "fault" },
			el("p", {}, el("strong", {}, "This page failed and may stand still. "), String(message)),
			el("button", { class: "button", onclick: () => location.reload() }, "Reload"),
		),
	);
}

// Browsers report this when one resize causes another; it continues in the next frame.
const HARMLESS = /ResizeObserver loop/;
addEventListener("error", (event) => HARMLESS.test(event.message) || onFault(event.message));
addEventListener("unhandledrejection", (event) => onFault(event.reason?.message ?? event.reason));
new App().start();
