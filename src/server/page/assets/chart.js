// The chart per day: stacked bars, the state of each day, and a way to pick days by pointer or keys. What is drawn is a
// *subject*: `chartOfCounts`, or `chartOfGroups` of a view.

import { pieces, runs, ticks } from "./bars.js";
import { byId, el, setAttribute, setText, svg } from "./dom.js";
import { dayTable } from "./day_table.js";
import { addDays, dayOfMonth, dayWords, monthWord, rangeWords, shortDay, weekday } from "./days.js";
import { short, tick } from "./format.js";
import { STATE_WORDS } from "./states.js";

const LEFT = 45;
const TOP = 21;
const BELOW = 23;

export class Chart {
	constructor(app) {
		this.app = app;
		this.plot = byId("plot");
		this.readout = byId("readout");
		this.series = byId("series");
		this.hovered = null;
		this.focused = null;
		this.axis = { key: null, low: 0, high: 0 };
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
			this.focused ??= this.bars.findIndex((bar) => bar.to >= this.app.numbers.last);
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
		const { numbers, view } = this.app;
		const bar = this.bars[index];
		let [from, to] = [numbers.days[bar.from], numbers.days[bar.to]];
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
		const { numbers, states, view } = this.app;
		if (!numbers?.isCharted) return;
		// A plot that has just been shown has no size from its observer yet; a frame later it would push the grid down.
		if (this.size.width === 0) this.size = { width: this.plot.clientWidth, height: this.plot.clientHeight };
		if (this.size.width === 0) return;
		const width = this.size.width - LEFT;
		const { height } = this.size;
		this.subject = numbers.chart(states, width);
		const { bars, weekly, pitch, fractions } = this.subject;
		Object.assign(this, { bars, weekly, pitch });
		for (const at of ["focused", "hovered"]) if (this[at] !== null) this[at] = Math.min(this[at], bars.length - 1);
		const key = `${numbers.from} ${numbers.to} ${view.filter} ${this.subject.key} ${weekly}`;
		// The axis grows at once; it shrinks only when the view changes.
		const before = this.axis.key === key ? this.axis : { low: 0, high: 0 };
		const low = Math.min(before.low, ...bars.map((bar) => bar.low));
		const high = Math.max(before.high, ...bars.map((bar) => bar.high));
		this.axis = { key, low, high };
		this.lines = ticks(low, high, height < 140 ? 2 : 4, fractions);
		const [least, most] = [this.lines[0], this.lines[this.lines.length - 1]];
		this.bottom = height - BELOW;
		this.scale = most > least ? (this.bottom - TOP) / (most - least) : 0;
		this.base = Math.round(this.bottom + least * this.scale);
		this.barWidth = Math.max(1, Math.min(64, Math.round(pitch * 0.59)));
		this.title();
		this.paintReadout();
		this.drawing.toggleAttribute("hidden", this.asTable);
		this.drawing.style.display = this.asTable ? "none" : "";
		this.days.hidden = this.asTable;
		if (this.asTable) {
			const table = dayTable(this.table, this.subject, numbers, this.app.today);
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
		const { app, bars, bottom } = this;
		const parts = { absent: [], bands: [], lines: [], hatches: [], bars: [], marks: [], labels: [] };
		for (const [first, last] of runs(bars, "absent")) this.absent(parts, first, last);
		const empty = this.lines.length === 1;
		const lines = empty ? [0, 1, 2, 3] : this.lines;
		lines.forEach((value, index) => {
			const y = Math.round(bottom - ((bottom - TOP) / (lines.length - 1)) * index) + 0.5;
			parts.lines.push(["line", { class: value === 0 ? "base" : "rule", x1: LEFT, x2: LEFT + width, y1: y, y2: y }]);
			if (!empty || index === 0) parts.lines.push(["text", { class: "axis", x: LEFT - 10, y: y + 4 }, tick(value)]);
		});
		const labels = bars.map((bar) => bar.label ?? "");
		const widest = Math.max(...labels.map((label) => label.length)) * 6.4 + 9;
		const labelled = bars.length <= 31 && widest <= this.pitch;
		const current = this.focused ?? this.hovered;
		const selected = app.view.days ? (bar) => bar.from >= app.numbers.first && bar.to <= app.numbers.last : () => true;
		bars.forEach((bar, index) => {
			const picked = app.view.days !== null && selected(bar);
			if (picked || index === current) {
				const inset = Math.min(4, this.pitch * 0.08);
				const band = {
					x: this.left(index) + inset,
					y: 0,
					width: this.pitch - 2 * inset,
					height: bottom + BELOW,
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
		const { classes, points } = this.subject;
		const drawn = points ? [] : pieces(bar.heights, base, this.scale, barWidth < 4 ? 0 : 1);
		const top = points ? base - bar.high * this.scale - 3 : Math.min(base, ...drawn.map(([, y]) => y));
		if (bar.state === "open" || bar.state === "incomplete") {
			const thin = barWidth < 5 ? " thin" : "";
			const height = Math.max(0, top - 1 - TOP);
			parts.hatches.push(["rect", { class: bar.state + thin + faded, x, y: TOP, width: barWidth, height }]);
		}
		const rx = barWidth > 6 ? 1.5 : 0;
		for (const [at, y, height] of drawn) {
			parts.bars.push(["rect", { class: classes[at] + faded, x, y, width: barWidth, height, rx: height > 3 ? rx : 0 }]);
		}
		if (points) this.points(parts.bars, bar, middle, faded);
		if (bar.state === "absent") {
			if (this.pitch >= 10) parts.marks.push(["text", { class: "", x: middle, y: base - 6 }, "–"]);
		} else if (bar.isZero && this.pitch >= 10) {
			parts.marks.push(["text", { class: faded, x: middle, y: base - 5 }, "0"]);
		} else if (label && !bar.isZero) {
			parts.marks.push(["text", { class: `amount${faded}`, x: middle, y: top - 6 }, label]);
		}
		if (bar.truncates) {
			const size = this.pitch < 12 ? 3.5 : 5;
			const at = Math.min(x + barWidth + 7, this.left(index) + this.pitch - 1);
			const y = base - 6;
			parts.marks.push([
				"path",
				{ class: `trn${faded}`, d: `M${at} ${y - size}l${size} ${size}-${size} ${size}-${size}-${size}Z` },
			]);
			if (bar.truncates > 1 && this.pitch >= 30)
				parts.marks.push(["text", { class: faded, x: at, y: y - 9 }, short(bar.truncates)]);
		}
	}

	// The values of the largest groups, and a line that spans those of the others.
	points(shapes, { heights, span }, middle, faded) {
		const { base, scale } = this;
		const { classes } = this.subject;
		if (span) {
			const height = Math.max(1, (span[1] - span[0]) * scale);
			const line = { x: middle - 1, y: base - span[1] * scale, width: 2, height, rx: 0 };
			shapes.push(["rect", { class: classes[classes.length - 1] + faded, ...line }]);
		}
		heights.forEach((value, at) => {
			if (value === null) return;
			const r = Math.min(3.5, this.pitch / 2);
			shapes.push(["circle", { class: classes[at] + faded, cx: middle, cy: base - value * scale, r }]);
		});
	}

	absent(parts, first, last) {
		const { app } = this;
		const x = this.left(first);
		const width = this.left(last + 1) - x;
		if (!app.firstDay) return; // An empty book: the days are said to be absent by their marks alone.
		parts.absent.push(["rect", { class: "absent", x, y: TOP, width, height: this.bottom - TOP }]);
		const future = app.numbers.days[this.bars[first].from] > app.today;
		const words = future
			? [`These days have not begun`, `in ${app.zone.name}`]
			: ["Not in the book", `it begins on ${dayWords(app.firstDay, app.today)}`];
		if (width < 170) return;
		words.forEach((text, line) => {
			parts.labels.push([
				"text",
				{ class: "sentence", x: x + width / 2, y: TOP + (this.bottom - TOP) / 2 + line * 16 - 4 },
				text,
			]);
		});
	}

	axisLabels(labels, current, selected) {
		const { app, bars, bottom } = this;
		const { days } = app.numbers;
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
				{ class: picked ? "current" : day === app.today ? "today" : "", x, y: bottom + 17 },
				text,
			]);
		});
	}

	title() {
		const { numbers, view } = this.app;
		const { title } = this.subject;
		setText(byId("chart-title"), view.filter === "" ? title : `${title}, ${numbers.found()}`);
	}

	paintReadout() {
		const { app, readout } = this;
		const { numbers, view, today } = app;
		if (app.reading) {
			redo(readout, "reading", () => [el("span", {}, "Reading …")]);
			return;
		}
		if (!numbers || !this.subject) return;
		const { series, sums, exact } = this.subject;
		const empty = numbers.isEmpty;
		byId("chart-table").hidden = empty;
		readout.hidden = empty;
		const index = this.focused ?? this.hovered;
		const bar = index === null ? null : this.bars[index];
		const range = bar ? { from: numbers.days[bar.from], to: numbers.days[bar.to] } : app.range;
		const { values, total } = bar ?? sums();
		const state = bar ? bar.state : app.state;
		const words = rangeWords(range.from, range.to, today);
		const chip = !bar && view.days !== null;
		redo(readout, JSON.stringify([words, chip, state, total === null, this.subject.key, series.map(({ word }) => word)]), () => {
			const label = chip
				? el(
						"button",
						{ class: "chip", "aria-label": `${words}, free the selection`, onclick: () => app.go({ days: null }) },
						words,
						el("span", { "aria-hidden": "true" }, "×"),
					)
				: el("span", { class: "label" }, words);
			const parts = series.map(({ word, abbreviated, mark }) =>
				el(
					"span",
					{ class: "part", title: word },
					mark(),
					el("span", { class: "word" }, word),
					el("span", { class: "abbr", "aria-hidden": "true" }, abbreviated),
					el("b"),
				),
			);
			const least = this.least(state) ? el("span", { class: "ge", title: "at least" }, " ≥") : null;
			const sum = el("span", { hidden: total === null }, this.subject.totalWord, least, el("b"));
			// Names of any length have a line of their own.
			this.series.replaceChildren(...(this.subject.isNamed ? parts : []));
			return [label, ...(this.subject.isNamed ? [] : parts), sum];
		});
		const texts = [...this.series.querySelectorAll("b"), ...readout.querySelectorAll("b")];
		const unknown = state === "absent";
		const said = (value) => (value === undefined ? "" : unknown || value === null ? "–" : exact(value));
		series.forEach((_, at) => setText(texts[at], said(values[at])));
		setText(texts[series.length], said(total));
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
		const { numbers, view, today, states } = this.app;
		const { title, sums, exact } = this.subject;
		const { total } = sums();
		const parts = [`${title}, ${rangeWords(numbers.from, numbers.to, today)}`];
		if (total !== null) parts.push(`total ${this.least(this.app.state)}${exact(total)}`);
		const incomplete = states.among(numbers.days, "incomplete").length;
		if (incomplete > 0) parts.push(`${incomplete} days not complete`);
		if (view.days) parts.push(`${rangeWords(view.days.from, view.days.to, today)} selected`);
		return `${parts.join("; ")}.`;
	}

	// Only counts are sure to grow.
	least(state) {
		return state === "incomplete" && this.subject.grows ? "at least " : "";
	}

	speak() {
		const { numbers, today } = this.app;
		const { series, exact, totalWords } = this.subject;
		const index = this.focused ?? this.bars.findIndex((bar) => bar.to >= numbers.last);
		const bar = this.bars[index] ?? this.bars[this.bars.length - 1];
		const words = rangeWords(numbers.days[bar.from], numbers.days[bar.to], today);
		const least = this.least(bar.state);
		const said = bar.total === null ? [] : [totalWords(least + exact(bar.total))];
		if (series.length > 0)
			said.push(series.map(({ word }, at) => `${word} ${bar.values[at] === null ? "none" : least + exact(bar.values[at])}`).join(", "));
		const text =
			bar.state === "absent"
				? `${words}: not in the book`
				: `${words}: ${[...said, STATE_WORDS[bar.state]].join("; ")}`;
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
