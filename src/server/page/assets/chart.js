// The chart of changes per day: stacked bars, the state of each day, and a way to pick days by pointer or keys.

import { gather, highest, pieces, runs, ticks } from "./bars.js";
import { byId, el, mark, setAttribute, setText, svg } from "./dom.js";
import { dayTable } from "./day_table.js";
import { addDays, dayOfMonth, dayWords, monthWord, rangeWords, shortDay, weekday } from "./days.js";
import { count, short, tick } from "./format.js";
import { STATE_WORDS } from "./states.js";
import { OPERATIONS } from "./view.js";

const LEFT = 45;
const TOP = 21;
const BELOW = 23;
const CLASSES = ["ins", "upd", "del"];
const ABBREVIATED = { INSERT: "INS", UPDATE: "UPD", DELETE: "DEL", TRUNCATE: "TRN" };

export class Chart {
	constructor(app) {
		this.app = app;
		this.plot = byId("plot");
		this.readout = byId("readout");
		this.hovered = null;
		this.focused = null;
		this.axis = { key: null, most: 0 };
		this.drawing = svg("svg", { role: "img" });
		this.layers = Object.fromEntries(
			["absent", "bands", "lines", "hatches", "bars", "marks", "labels"].map((name) => [name, svg("g")]),
		);
		this.drawing.append(...Object.values(this.layers));
		this.days = el("div", { class: "days", role: "slider", tabindex: "0", "aria-label": "Day" });
		this.plot.append(this.drawing, this.days);
		this.asTable = false;
		this.table = null;
		this.bars = [];
		this.listen();
		// The size of the plot, cached: reading it at every repaint would force a layout.
		this.size = { width: 0, height: 0 };
		new ResizeObserver(([{ contentRect }]) => {
			this.size = { width: contentRect.width, height: contentRect.height };
			requestAnimationFrame(() => this.paint());
		}).observe(this.plot);
	}

	listen() {
		const { days } = this;
		const hover = (index) => {
			if (index === this.hovered) return;
			this.hovered = index;
			this.paint();
		};
		days.addEventListener("pointermove", (event) => event.pointerType !== "touch" && hover(this.at(event)));
		days.addEventListener("pointerleave", () => hover(null));
		days.addEventListener("click", (event) => this.pick(this.at(event), event.shiftKey));
		days.addEventListener("focus", () => {
			if (this.bars.length === 0) return;
			this.focused ??= this.bars.findIndex((bar) => bar.to >= this.app.counts.last);
			this.paint();
			this.speak();
		});
		days.addEventListener("blur", () => {
			this.focused = null;
			this.paint();
		});
		days.addEventListener("keydown", (event) => this.onKey(event));
		byId("chart-table").addEventListener("click", () => {
			this.asTable = !this.asTable;
			byId("chart-table").setAttribute("aria-pressed", String(this.asTable));
			setText(byId("chart-table"), this.asTable ? "Show as chart" : "Show as table");
			this.paint();
		});
	}

	at(event) {
		const { left, width } = this.days.getBoundingClientRect();
		const index = Math.floor(((event.clientX - left) / width) * this.bars.length);
		return Math.min(Math.max(index, 0), this.bars.length - 1);
	}

	onKey(event) {
		if (this.bars.length === 0) return;
		const last = this.bars.length - 1;
		const week = this.weekly ? 4 : 7;
		const at = this.focused ?? last;
		const to = {
			ArrowLeft: at - 1,
			ArrowDown: at - 1,
			ArrowRight: at + 1,
			ArrowUp: at + 1,
			Home: 0,
			End: last,
			PageUp: at - week,
			PageDown: at + week,
		}[event.key];
		if (to !== undefined) this.focused = Math.min(Math.max(to, 0), last);
		else if (event.key === "Enter" || event.key === " ") this.pick(at, event.shiftKey);
		else return;
		event.preventDefault();
		event.stopPropagation();
		this.paint();
		this.speak();
	}

	// Selects a bar's days; a second call clears the selection; `extend` adds to it.
	pick(index, extend) {
		if (this.bars.length === 0) return;
		const { counts, view } = this.app;
		const bar = this.bars[index];
		let [from, to] = [counts.days[bar.from], counts.days[bar.to]];
		if (extend && view.days) {
			if (view.days.from < from) from = view.days.from;
			if (view.days.to > to) to = view.days.to;
		} else if (view.days?.from === from && view.days.to === to) {
			this.app.go({ days: null });
			return;
		}
		this.app.go({ days: { from, to } });
	}

	paint() {
		const { counts, states } = this.app;
		if (!counts || this.size.width === 0) return;
		const width = this.size.width - LEFT;
		const { height } = this.size;
		const { bars, weekly, pitch } = gather(counts, counts.shown, states, width);
		Object.assign(this, { bars, weekly, pitch, base: height - BELOW });
		for (const at of ["focused", "hovered"]) if (this[at] !== null) this[at] = Math.min(this[at], bars.length - 1);
		const key = `${counts.from} ${counts.to} ${this.app.view.filter} ${weekly}`;
		const most = highest(bars);
		// The axis grows at once; it shrinks only when the view changes.
		this.axis = { key, most: this.axis.key === key && this.axis.most > most ? this.axis.most : most };
		this.lines = ticks(this.axis.most, height < 140 ? 2 : 4);
		this.scale = this.axis.most > 0 ? (this.base - TOP) / this.lines[this.lines.length - 1] : 0;
		this.barWidth = Math.max(1, Math.min(64, Math.round(pitch * 0.59)));
		this.title();
		this.paintReadout();
		this.drawing.toggleAttribute("hidden", this.asTable);
		this.drawing.style.display = this.asTable ? "none" : "";
		this.days.hidden = this.asTable;
		if (this.asTable) {
			const table = dayTable(this.table, this.bars, counts, this.app.today);
			if (table !== this.table) this.table?.remove();
			if (!table.isConnected) this.plot.append(table);
			this.table = table;
			return;
		}
		this.table?.remove();
		this.table = null;
		this.days.style.left = `${LEFT}px`;
		this.days.style.width = `${width}px`;
		this.draw(width);
		// A screen reader reads a focused slider at every change: change its text only on focus and keys.
		if (document.activeElement !== this.days) this.speak();
	}

	left(index) {
		return LEFT + index * this.pitch;
	}

	draw(width) {
		const { app, bars, base } = this;
		const parts = { absent: [], bands: [], lines: [], hatches: [], bars: [], marks: [], labels: [] };
		for (const [first, last] of runs(bars, "absent")) this.absent(parts, first, last);
		const empty = this.lines.length === 1;
		const lines = empty ? [0, 1, 2, 3] : this.lines;
		lines.forEach((value, index) => {
			const y = Math.round(base - ((base - TOP) / (lines.length - 1)) * index) + 0.5;
			parts.lines.push(["line", { class: index === 0 ? "base" : "rule", x1: LEFT, x2: LEFT + width, y1: y, y2: y }]);
			if (!empty || index === 0) parts.lines.push(["text", { class: "axis", x: LEFT - 10, y: y + 4 }, tick(value)]);
		});
		const labels = bars.map((bar) => short(bar.total));
		const widest = Math.max(...labels.map((label) => label.length)) * 6.4 + 9;
		const labelled = bars.length <= 31 && widest <= this.pitch;
		const current = this.focused ?? this.hovered;
		const selected = app.view.days ? (bar) => bar.from >= app.counts.first && bar.to <= app.counts.last : () => true;
		bars.forEach((bar, index) => {
			const picked = app.view.days !== null && selected(bar);
			if (picked || index === current) {
				const inset = Math.min(4, this.pitch * 0.08);
				const band = {
					x: this.left(index) + inset,
					y: 0,
					width: this.pitch - 2 * inset,
					height: base + BELOW,
					rx: Math.min(6, this.pitch / 4),
				};
				parts.bands.push(["rect", { ...band, class: `band ${picked ? "picked" : "over"}` }]);
			}
			this.bar(parts, bar, index, selected(bar), labelled ? labels[index] : null);
		});
		this.axisLabels(parts.labels, current, selected);
		for (const [name, shapes] of Object.entries(parts)) redraw(this.layers[name], shapes);
		setAttribute(this.drawing, "aria-label", this.sentence());
	}

	bar(parts, bar, index, selected, label) {
		const { base, barWidth } = this;
		const middle = this.left(index) + this.pitch / 2;
		const x = Math.round(middle - barWidth / 2);
		const faded = selected ? "" : " aside";
		const drawn = pieces(bar.ops, base, this.scale, barWidth < 4 ? 0 : 1);
		const top = drawn.length > 0 ? drawn[drawn.length - 1][1] : base;
		if (bar.state === "open" || bar.state === "incomplete") {
			const thin = barWidth < 5 ? " thin" : "";
			const height = Math.max(0, top - 1 - TOP);
			parts.hatches.push(["rect", { class: bar.state + thin + faded, x, y: TOP, width: barWidth, height }]);
		}
		const rx = barWidth > 6 ? 1.5 : 0;
		for (const [op, y, height] of drawn) {
			parts.bars.push(["rect", { class: CLASSES[op] + faded, x, y, width: barWidth, height, rx: height > 3 ? rx : 0 }]);
		}
		if (bar.state === "absent") {
			if (this.pitch >= 10) parts.marks.push(["text", { class: "", x: middle, y: base - 6 }, "–"]);
		} else if (bar.total === 0 && this.pitch >= 10) {
			parts.marks.push(["text", { class: faded, x: middle, y: base - 5 }, "0"]);
		} else if (label !== null && bar.total !== 0) {
			parts.marks.push(["text", { class: `amount${faded}`, x: middle, y: top - 6 }, label]);
		}
		if (bar.ops[3] !== 0) {
			const size = this.pitch < 12 ? 3.5 : 5;
			const at = Math.min(x + barWidth + 7, this.left(index) + this.pitch - 1);
			const y = base - 6;
			parts.marks.push([
				"path",
				{ class: `trn${faded}`, d: `M${at} ${y - size}l${size} ${size}-${size} ${size}-${size}-${size}Z` },
			]);
			if (bar.ops[3] > 1 && this.pitch >= 30)
				parts.marks.push(["text", { class: faded, x: at, y: y - 9 }, short(bar.ops[3])]);
		}
	}

	absent(parts, first, last) {
		const { app } = this;
		const x = this.left(first);
		const width = this.left(last + 1) - x;
		if (!app.firstDay) return; // An empty book: the days are said to be absent by their marks alone.
		parts.absent.push(["rect", { class: "absent", x, y: TOP, width, height: this.base - TOP }]);
		const future = app.counts.days[this.bars[first].from] > app.today;
		const words = future
			? [`These days have not begun`, `in ${app.zone.name}`]
			: ["Not in the book", `it begins on ${dayWords(app.firstDay, app.today)}`];
		if (width < 170) return;
		words.forEach((text, line) => {
			parts.labels.push([
				"text",
				{ class: "sentence", x: x + width / 2, y: TOP + (this.base - TOP) / 2 + line * 16 - 4 },
				text,
			]);
		});
	}

	axisLabels(labels, current, selected) {
		const { app, bars, base } = this;
		const days = app.counts.days;
		const perDay = this.weekly ? 0 : this.pitch;
		const narrowest = perDay >= 56 ? "day" : perDay >= 17 ? "number" : perDay >= 7 ? "week" : "month";
		let free = 0;
		bars.forEach((bar, index) => {
			const day = days[bar.from];
			const middle = this.left(index) + this.pitch / 2;
			const picked = index === current || (app.view.days !== null && selected(bar));
			let text = null;
			if (narrowest === "day") text = day === app.today ? "today" : shortDay(day);
			else if (narrowest === "number") text = dayOfMonth(day);
			else if (narrowest === "week") text = weekday(day) === 1 ? `${dayOfMonth(day)} ${monthWord(day)}` : null;
			else if (day.slice(8) === "01" || (this.weekly && day.slice(0, 7) !== addDays(day, -7).slice(0, 7)))
				text = monthWord(day);
			if (text === null && !picked) return;
			if (text === null) text = `${dayOfMonth(day)} ${monthWord(day)}`;
			const half = text.length * 3.2;
			if (middle - half < free && !picked) return;
			free = middle + half + 6;
			const x = Math.min(middle, this.size.width - half);
			labels.push([
				"text",
				{ class: picked ? "current" : day === app.today ? "today" : "", x, y: base + 17 },
				text,
			]);
		});
	}

	title() {
		const { counts, view } = this.app;
		const unit = this.weekly ? "Changes per week" : "Changes per day";
		const of = view.filter === "" ? "" : `, ${count(counts.shown.tables)} of ${count(counts.tables.size)} tables`;
		setText(byId("chart-title"), unit + of);
	}

	paintReadout() {
		const { app, readout } = this;
		const { counts, view, today } = app;
		if (app.reading) {
			redo(readout, "reading", () => [el("span", {}, "Reading …")]);
			return;
		}
		if (!counts) return;
		const empty = counts.tables.size === 0;
		byId("chart-table").hidden = empty;
		readout.hidden = empty;
		const index = this.focused ?? this.hovered;
		const bar = index === null ? null : this.bars[index];
		const range = bar ? { from: counts.days[bar.from], to: counts.days[bar.to] } : app.range;
		const ops = bar ? bar.ops : counts.shown.sum;
		const total = bar ? bar.total : counts.shown.total;
		const state = bar ? bar.state : app.state;
		const words = rangeWords(range.from, range.to, today);
		const chip = !bar && view.days !== null;
		redo(readout, `${words} ${chip} ${state}`, () => {
			const label = chip
				? el(
						"button",
						{ class: "chip", "aria-label": `${words}, free the selection`, onclick: () => app.go({ days: null }) },
						words,
						el("span", { "aria-hidden": "true" }, "×"),
					)
				: el("span", { class: "label" }, words);
			const parts = OPERATIONS.map((op) =>
				el(
					"span",
					{ class: "part", title: op },
					mark(op),
					el("span", { class: "word" }, op),
					el("span", { class: "abbr", "aria-hidden": "true" }, ABBREVIATED[op]),
					el("b"),
				),
			);
			const least = state === "incomplete" ? el("span", { class: "ge", title: "at least" }, " ≥") : null;
			return [label, ...parts, el("span", {}, "Total", least, el("b"))];
		});
		const numbers = readout.querySelectorAll("b");
		const unknown = state === "absent";
		[...ops, total].forEach((value, at) => setText(numbers[at], unknown ? "–" : count(value)));
		this.tighten(`${this.size.width} ${readout.dataset.key} ${readout.textContent.length}`);
	}

	// With little room the operations are hidden, never the total.
	tighten(key) {
		const { classList } = this.readout;
		if (this.readout.dataset.room === key) return;
		this.readout.dataset.room = key;
		classList.remove("tight", "tighter");
		const over = () => this.readout.scrollWidth > this.readout.clientWidth;
		if (over()) classList.add("tight");
		if (over()) classList.add("tighter");
	}

	// What the chart shows, for screen readers.
	sentence() {
		const { counts, view, today, states } = this.app;
		const parts = [`Changes per ${this.weekly ? "week" : "day"}, ${rangeWords(counts.from, counts.to, today)}`];
		parts.push(`total ${this.app.state === "incomplete" ? "at least " : ""}${count(counts.shown.total)}`);
		const incomplete = states.among(counts.days, "incomplete").length;
		if (incomplete > 0) parts.push(`${incomplete} days not complete`);
		if (view.days) parts.push(`${rangeWords(view.days.from, view.days.to, today)} selected`);
		return `${parts.join("; ")}.`;
	}

	speak() {
		const { counts, today } = this.app;
		const index = this.focused ?? this.bars.findIndex((bar) => bar.to >= counts.last);
		const bar = this.bars[index] ?? this.bars[this.bars.length - 1];
		const words = rangeWords(counts.days[bar.from], counts.days[bar.to], today);
		const least = bar.state === "incomplete" ? "at least " : "";
		const ops = OPERATIONS.map((op, at) => `${op} ${least}${count(bar.ops[at])}`).join(", ");
		const text =
			bar.state === "absent"
				? `${words}: not in the book`
				: `${words}: ${least}${count(bar.total)} changes; ${ops}; ${STATE_WORDS[bar.state]}`;
		setAttribute(this.days, "aria-valuemin", "1");
		setAttribute(this.days, "aria-valuemax", String(this.bars.length));
		setAttribute(this.days, "aria-valuenow", String(this.bars.indexOf(bar) + 1));
		setAttribute(this.days, "aria-valuetext", text);
	}
}

// Rebuilds the children of an element only when `key` has changed.
function redo(element, key, children) {
	if (element.dataset.key === key) return;
	element.dataset.key = key;
	element.replaceChildren(...children());
}

// Sets the children of a layer to `[name, attributes, text]`; elements with the same name are updated.
function redraw(layer, shapes) {
	shapes.forEach(([name, attributes, text], index) => {
		let node = layer.childNodes[index];
		if (node?.localName !== name) {
			const fresh = svg(name);
			if (node) node.replaceWith(fresh);
			else layer.append(fresh);
			node = fresh;
		}
		for (const [key, value] of Object.entries(attributes)) setAttribute(node, key, String(value));
		if (text !== undefined) setText(node, text);
	});
	while (layer.childNodes.length > shapes.length) layer.lastChild.remove();
}
