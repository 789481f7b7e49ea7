// The grid of a view's groups: a scrolling box, of whose rows only the visible ones (and some around) are in the document.
// Rows keep their places while the pointer or the focus is in it.

import { byId, el, setAttribute, setText } from "./dom.js";
import { plural } from "./format.js";
import { monoWidth, widthOf } from "./measure.js";
import { visible } from "./names.js";
import { InUse, STILL } from "./use.js";

const AROUND = 20;
const MOST_FLASHES = 20;
const ROW = 28;
// The widths of a column, in pixels: around its text, and at most for a text, whose rest is in its title.
const PADDING = 26;
const [NARROWEST, WIDEST] = [56, 380];

export class GroupsGrid {
	constructor(app) {
		this.app = app;
		this.section = byId("groups");
		this.head = el("tr", { class: "head" });
		this.columns = el("colgroup");
		this.before = spacer();
		this.after = spacer();
		this.body = el("tbody", {}, this.before, this.after);
		this.caption = el("caption", { class: "unseen" });
		this.table = el("table", {}, this.caption, this.columns, el("thead", {}, this.head), this.body);
		this.box = el("div", { class: "box", tabindex: "0", role: "region", "aria-label": "Groups" }, this.table);
		this.section.append(this.box);
		this.use = new InUse(this.section, () => this.dirty && this.paint());
		this.box.addEventListener("scroll", () => requestAnimationFrame(() => this.paint()), { passive: true });
		new ResizeObserver(() => requestAnimationFrame(() => this.paint())).observe(this.box);
		this.forget();
	}

	// Another view, or other days: rows, columns and widths are new.
	forget() {
		this.of = null;
		this.dirty = false;
		this.order = [];
		this.rows = new Map();
		this.box.scrollTop = 0;
	}

	// Orders the rows; without `now` only while the grid is not in use.
	reorder(now) {
		const { groups, view } = this.app;
		if (groups?.name !== view.of) return;
		this.dirty = true;
		if (!now && this.use.isInUse()) return;
		this.dirty = false;
		this.order = groups.sorted(view.sort);
	}

	paint() {
		const { groups } = this.app;
		this.box.hidden = !groups || groups.isEmpty;
		if (this.box.hidden) return;
		if (this.of !== groups) this.build(groups);
		if (this.dirty) this.reorder(false);
		this.fit(groups);
		const { column, down } = groups.orderOf(this.app.view.sort);
		this.heads.forEach(([head, arrow], place) => {
			const mine = place === column.place;
			setAttribute(head, "aria-sort", mine ? (down ? "descending" : "ascending") : "none");
			setText(arrow, mine ? (down ? "↓" : "↑") : "");
		});
		setAttribute(this.table, "aria-rowcount", String(this.order.length + 1));
		setText(this.caption, `${plural(this.order.length, "group")} of view ${groups.name}`);
		this.window(groups);
	}

	build(groups) {
		this.forget();
		this.of = groups;
		this.heads = groups.columns.map((column) => {
			const arrow = el("span", { class: "arrow", "aria-hidden": "true" });
			const words = el("span", { class: "word", translate: "no" }, visible(column.name));
			const button = el("button", { title: column.type, onclick: () => this.sortBy(column) }, words, arrow);
			return [el("th", { scope: "col", class: column.isNumber ? "number" : null }, button), arrow];
		});
		this.head.replaceChildren(...this.heads.map(([head]) => head));
		this.columns.replaceChildren(...groups.columns.map(() => el("col")));
		this.widths = groups.columns.map(() => 0);
		this.reorder(true);
	}

	sortBy(column) {
		const { groups, view } = this.app;
		const { column: by, down } = groups.orderOf(view.sort);
		// Numbers begin with the greatest, names with the first.
		const next = by === column ? !down : column.isNumber || column.isDay;
		const sign = next ? "-" : /^[-+]/.test(column.name) ? "+" : "";
		this.app.go({ sort: sign + column.name }, { replace: true });
	}

	// Widens columns for their longest text, once for all rows; what is left goes to the last group column.
	fit(groups) {
		const wide = groups.columns.map((column, place) => {
			const text = groups.longest[place];
			const body = column.isNumber ? widthOf(text, 400) : text.length * monoWidth();
			const head = widthOf(visible(column.name), 600) + 15;
			return Math.ceil(Math.min(Math.max(body, head, NARROWEST - PADDING), WIDEST) + PADDING + (place === 0 ? 4 : 0));
		});
		if (wide.every((width, place) => width <= this.widths[place])) return;
		this.widths = wide.map((width, place) => Math.max(width, this.widths[place]));
		const rest = groups.keys[groups.keys.length - 1]?.place;
		this.widths.forEach((width, place) => {
			this.columns.children[place].style.width = place === rest ? "auto" : `${width}px`;
		});
		this.table.style.minWidth = `${this.widths.reduce((a, b) => a + b, 0)}px`;
	}

	window(groups) {
		const { box, order } = this;
		const first = Math.max(0, Math.floor(box.scrollTop / ROW) - AROUND);
		// The box is never higher than the window.
		const last = Math.min(order.length, Math.ceil((box.scrollTop + innerHeight) / ROW) + AROUND);
		const shown = order.slice(first, last);
		const keys = new Set(shown.map(({ key }) => key));
		const free = [];
		for (const [key, row] of this.rows) {
			if (keys.has(key)) continue;
			this.rows.delete(key);
			free.push(row);
		}
		this.before.firstChild.style.height = `${first * ROW}px`;
		this.after.firstChild.style.height = `${Math.max(0, order.length - last) * ROW}px`;
		let next = this.before.nextSibling;
		shown.forEach((row, at) => {
			let shownRow = this.rows.get(row.key);
			if (shownRow === undefined) this.rows.set(row.key, (shownRow = free.pop() ?? new GroupRow(groups)));
			shownRow.paint(row, groups, this.app);
			setAttribute(shownRow.tr, "aria-rowindex", String(first + at + 2));
			if (shownRow.tr === next) next = next.nextSibling;
			else this.body.insertBefore(shownRow.tr, next);
		});
		while (next !== this.after) {
			const gone = next;
			next = next.nextSibling;
			gone.remove();
		}
	}

	// Highlights changed cells for a moment, if they are few.
	flash(changed) {
		if (STILL.matches || changed.length > MOST_FLASHES) return;
		for (const [key, place] of changed) this.rows.get(key)?.flash(place);
	}
}

class GroupRow {
	constructor(groups) {
		this.cells = groups.columns.map((column) => {
			const name = column.isGroup ? "th" : "td";
			const scope = column.isGroup ? "row" : null;
			return el(name, { scope, class: column.isNumber ? "number" : "text", translate: "no" }, el("span", { class: "value" }));
		});
		this.tr = el("tr", { class: "row group" }, ...this.cells);
		this.key = null;
	}

	paint({ key, values, day }, { columns, days }, { states }) {
		const isOther = this.key !== key;
		this.key = key;
		this.cells.forEach((cell, place) => {
			const column = columns[place];
			const value = values[place];
			if (isOther) cell.classList.remove("flash");
			const text = column.text(value);
			setText(cell.firstChild, text);
			cell.classList.toggle("null", value === null);
			if (!column.isNumber) setAttribute(cell, "title", text.length > 12 ? text : null);
			if (column.isDay) cell.classList.toggle("unsure", states.of(days[day]) === "incomplete");
		});
	}

	flash(place) {
		const { classList } = this.cells[place];
		classList.remove("flash");
		void this.tr.offsetWidth; // Restarts the animation of a cell that is still fading.
		classList.add("flash");
	}
}

function spacer() {
	return el("tr", { class: "spacer", "aria-hidden": "true" }, el("td"));
}
