// The grid of tables by operation. Only visible rows (and some around) are in the document; rows keep their places while
// the pointer or the focus is in the grid, and only texts that changed are updated.

import { byId, el, setAttribute, setText, unseen } from "./dom.js";
import { compare } from "./exact.js";
import { count, plural } from "./format.js";
import { emptyBook } from "./empty.js";
import { monoWidth, widthOf } from "./measure.js";
import { rejectsLine } from "./rejects.js";
import { COLUMNS, Row, headCell } from "./row.js";
import { sparkLayout } from "./spark.js";
import { InUse, STILL } from "./use.js";
import { OPERATIONS } from "./view.js";

const AROUND = 20;
const MOST_FLASHES = 20;
// The widths of fixed columns, and the minimum for a name that is hardly truncated.
const [SHARE, PER_DAY, NAME] = [152, 144, 176];
const NARROW = matchMedia("(max-width: 720px)");

export class Grid {
	constructor(app) {
		this.app = app;
		this.section = byId("grid");
		this.heads = [
			headCell(app, undefined, "Table"),
			...OPERATIONS.map((op) => headCell(app, op, op)),
			headCell(app, null, "Total"),
		];
		const plain = (text, name) => el("th", { scope: "col", role: "columnheader", class: `${name} plain` }, text);
		const head = el(
			"tr",
			{ class: "head", role: "row" },
			...this.heads.map(({ node }) => node),
			plain("Share", "share"),
			plain("Per day", "per-day"),
		);
		this.all = new Row(null, "all");
		this.rest = new Row(null, "rest");
		this.before = el("tr", { class: "spacer", "aria-hidden": "true" }, el("td"));
		this.between = el("tr", { class: "spacer", "aria-hidden": "true" }, el("td"));
		this.after = el("tr", { class: "spacer", "aria-hidden": "true" }, el("td"));
		this.said = el("div", { hidden: true });
		this.body = el("tbody", { role: "rowgroup" }, ...waiting());
		this.caption = el("caption", { class: "unseen" });
		this.table = el(
			"table",
			{ role: "table" },
			this.caption,
			el("thead", { role: "rowgroup" }, head, this.all.tr),
			this.body,
		);
		this.section.append(this.table, this.said);
		// The tables in display order, and the rows in the document by key.
		this.order = [];
		this.rows = new Map();
		this.at = { key: null, column: COLUMNS.length - 1 };
		this.use = new InUse(this.section, () => this.dirty && this.paint());
		this.dirty = false;
		this.listen();
	}

	listen() {
		const { section } = this;
		section.addEventListener("focusin", (event) => this.onFocus(event.target));
		section.addEventListener("keydown", (event) => this.onKey(event));
		section.addEventListener("click", (event) => this.onClick(event));
		let asked = false;
		const again = () => {
			if (asked) return;
			asked = true;
			requestAnimationFrame(() => {
				asked = false;
				this.paint();
			});
		};
		addEventListener("scroll", again, { passive: true });
		const root = document.documentElement;
		const resized = () => {
			if (root.scrollHeight > root.clientHeight) root.classList.add("tall");
			again();
		};
		this.width = section.clientWidth;
		new ResizeObserver(([{ contentRect }]) => {
			this.width = contentRect.width;
			requestAnimationFrame(resized);
		}).observe(section);
	}

	// Sorts the rows; without `now` only while the grid is not in use.
	reorder(now) {
		const { counts, view } = this.app;
		// While a view is loading, the order is that of its groups.
		if (!counts || view.of !== null) return;
		this.dirty = true;
		if (!now && this.use.isInUse()) return;
		this.dirty = false;
		const down = view.sort[0] === "-";
		const key = view.sort.replace(/^-/, "");
		const op = OPERATIONS.findIndex((name) => name.toLowerCase() === key);
		const byName = (a, b) => (a.full < b.full ? -1 : a.full > b.full ? 1 : 0);
		const amount = (table) => (key === "total" ? table.total : table.sum[op]);
		const order = [...counts.tables.values()].filter((table) => table.shown);
		if (key === "name") order.sort(down ? (a, b) => byName(b, a) : byName);
		else order.sort((a, b) => (down ? compare(amount(b), amount(a)) : compare(amount(a), amount(b))) || byName(a, b));
		this.order = order;
	}

	top() {
		return this.table.getBoundingClientRect().top;
	}

	// Paints; the caller passes `top` if it has read it already, which saves one layout.
	paint(top = this.top()) {
		const { app } = this;
		const { counts } = app;
		if (!counts) return;
		if (this.dirty) this.reorder(false);
		this.fit();
		const largest = this.order.reduce((most, table) => (compare(table.total, most) > 0 ? table.total : most), 0);
		const drawings = !NARROW.matches;
		const layout = drawings ? sparkLayout(counts, app.states) : null;
		const context = { state: app.state, all: counts.all, largest, layout, drawings, addressOf: app.addressOf };
		for (const head of this.heads) head.paint(app.view.sort);
		setText(this.all.head, counts.tables.size === 1 ? "1 table" : `All ${plural(counts.tables.size, "table")}`);
		this.all.paint(counts.all, context);
		setText(this.caption, `Changes by table and operation, ${app.rangeWords()}`);
		setAttribute(this.table, "aria-rowcount", String(this.order.length + 2));
		this.message();
		this.all.tr.hidden = counts.tables.size === 0;
		this.window(context, -top);
		this.keyline();
	}

	window(context, above) {
		const { app, order } = this;
		const height = this.rowHeight();
		const first = Math.max(0, Math.floor(above / height) - AROUND);
		const last = Math.min(order.length, Math.ceil((above + innerHeight) / height) + AROUND);
		const { open } = app.view;
		const indices = Array.from({ length: Math.max(0, last - first) }, (_, at) => first + at);
		// A focused row stays in the document: otherwise the focus would be lost.
		const kept = [...this.rows].find(([, row]) => row.tr.contains(document.activeElement))?.[0];
		const apart = kept === undefined ? -1 : order.findIndex(({ key }) => key === kept);
		if (apart >= 0 && apart < first) indices.unshift(apart);
		if (apart >= Math.max(first, last)) indices.push(apart);
		const free = this.free(new Set(indices.map((index) => order[index].key)));
		const nodes = [this.before];
		let end = indices[0] ?? first;
		this.before.firstChild.style.height = `${end * height}px`;
		for (const index of indices) {
			if (index > end) {
				this.between.firstChild.style.height = `${(index - end) * height}px`;
				nodes.push(this.between);
			}
			end = index + 1;
			const item = order[index];
			let row = this.rows.get(item.key);
			if (row === undefined) this.rows.set(item.key, (row = free.pop() ?? new Row(item, "table")));
			row.bind(item, this.room);
			row.paint(item, context);
			const isOpen = open !== null && open.schema === item.schema && open.name === item.name;
			row.tr.classList.toggle("current", isOpen);
			row.cells.forEach((cell) => cell.open(isOpen && open.op === cell.op));
			setAttribute(row.tr, "aria-rowindex", String(index + 3));
			nodes.push(row.tr);
		}
		this.after.firstChild.style.height = `${Math.max(0, order.length - end) * height}px`;
		if (end < order.length) nodes.push(this.after);
		const hidden = app.counts.hidden();
		if (hidden.tables > 0) {
			setText(this.rest.head, `${plural(hidden.tables, "table")} not shown`);
			this.rest.paint(hidden, { ...context, layout: null, drawings: context.drawings });
			nodes.push(this.rest.tr);
		}
		this.show(nodes);
		this.roving();
	}

	// Removes the rows of other tables for reuse, except a focused one.
	free(keys) {
		const free = [];
		for (const [key, row] of this.rows) {
			if (keys.has(key)) continue;
			this.rows.delete(key);
			if (!row.tr.contains(document.activeElement)) free.push(row);
		}
		return free;
	}

	// Sets the rows of the body, and moves none that is in its place.
	show(nodes) {
		const keep = new Set(nodes);
		for (const node of [...this.body.children]) if (!keep.has(node)) node.remove();
		let next = this.body.firstChild;
		for (const node of nodes) {
			if (node === next) next = next.nextSibling;
			else this.body.insertBefore(node, next);
		}
	}

	message() {
		const { app, said } = this;
		let message = null;
		if (app.counts.tables.size === 0) {
			message = emptyBook(app);
		} else if (app.counts.shown.tables === 0) {
			const clear = el(
				"button",
				{ class: "button", onclick: () => app.go({ filter: "" }, { replace: true }) },
				"Clear",
			);
			message = el("div", { class: "none" }, el("p", {}, "No table matches ", el("code", {}, app.view.filter)), clear);
		}
		said.hidden = message === null;
		if (message === null) said.replaceChildren();
		else if (said.firstChild?.textContent !== message.textContent) said.replaceChildren(message);
	}

	keyline() {
		const { app } = this;
		const { counts, view } = app;
		const unordered = counts.shown.tables - this.order.length;
		const parts = [];
		if (unordered > 0) parts.push(plural(unordered, "new table"));
		if (counts.all.total === 0 && counts.tables.size > 0 && ["complete", "open"].includes(app.state)) {
			parts.push(
				app.state === "complete"
					? "Nothing happened on these days. The book is complete for them."
					: "Nothing happened on these days so far.",
			);
		}
		if (counts.tables.size > 0)
			parts.push(
				`${count(view.filter === "" ? counts.tables.size : counts.shown.tables)} of ${plural(counts.tables.size, "table")}`,
			);
		rejectsLine(app, parts);
	}

	// Widens the columns for the longest number, once for all rows; returns how long a name may be.
	fit() {
		const { counts, state } = this.app;
		const room = (value) => widthOf(`${state === "incomplete" ? "≥ " : ""}${count(value)}`, 600);
		const longest = Math.max(...counts.all.sum.map(room));
		const total = room(counts.all.total);
		this.widest ??= [0, 0];
		this.widest = [Math.max(longest, this.widest[0]), Math.max(total, this.widest[1])].map(Math.ceil);
		const [op, sum] = this.widest;
		const { style } = this.section;
		const sizes = {
			"--op-width": Math.max(98, op + 26),
			"--total-width": Math.max(106, sum + 26),
			"--op-width-tight": Math.max(85, op + 18),
			"--total-width-tight": Math.max(88, sum + 24),
		};
		// Reading a width forces a layout, so read it only when it may have changed.
		const key = [...Object.values(sizes), this.width, innerWidth, document.body.className].join(" ");
		if (this.fitted === key) return;
		this.fitted = key;
		for (const [name, size] of Object.entries(sizes)) style.setProperty(name, `${size}px`);
		// With long numbers there is no room for the share beside readable names.
		const rest = this.width - 4 * sizes["--op-width"] - sizes["--total-width"];
		this.section.classList.toggle("unshared", rest - PER_DAY - SHARE < NAME);
		// On a narrow screen four long numbers need two lines.
		this.section.classList.toggle("stacked", NARROW.matches && op * 0.93 + 14 > this.width / 4);
		const width = this.all.head.clientWidth - (NARROW.matches ? 24 : 28);
		this.room = Math.max(12, Math.floor(width / monoWidth()));
	}

	rowHeight() {
		if (!NARROW.matches) return 28;
		return this.section.classList.contains("stacked") ? 80 : 56;
	}

	forgetWidths() {
		this.widest = null;
	}

	// Highlights changed cells for a moment, if they are few.
	flash(changed) {
		if (STILL.matches || changed.length > MOST_FLASHES) return;
		for (const [key, op] of changed) this.rows.get(key)?.cells[op].flash();
	}

	// One tab stop; the arrows move it.

	roving() {
		if (!this.rows.has(this.at.key)) {
			// If the cell was removed from the document, use the first visible one.
			if (!this.order.some(({ key }) => key === this.at.key)) this.at.key = this.order[0]?.key ?? null;
		}
		const stop =
			this.rows.get(this.at.key)?.cells[this.at.column].node ??
			this.rows.values().next().value?.cells[this.at.column].node;
		if (this.stop !== stop) {
			this.stop?.setAttribute("tabindex", "-1");
			this.stop = stop;
		}
		if (stop) setAttribute(stop, "tabindex", "0");
	}

	placeOf(node) {
		for (const row of this.rows.values()) {
			const column = row.cells.findIndex((cell) => cell.node === node);
			if (column >= 0) return { key: row.table.key, column };
		}
		return null;
	}

	onFocus(target) {
		const place = this.placeOf(target);
		if (place === null) return;
		this.at = place;
		this.roving();
	}

	onKey(event) {
		const place = this.placeOf(event.target);
		if (place === null || event.ctrlKey || event.metaKey || event.altKey) return;
		const index = this.order.findIndex(({ key }) => key === place.key);
		const page = Math.max(1, Math.floor((innerHeight - 160) / this.rowHeight()));
		const last = this.order.length - 1;
		const moves = {
			ArrowUp: [index - 1, place.column],
			ArrowDown: [index + 1, place.column],
			ArrowLeft: [index, place.column - 1],
			ArrowRight: [index, place.column + 1],
			Home: event.shiftKey ? [0, place.column] : [index, 0],
			End: event.shiftKey ? [last, place.column] : [index, COLUMNS.length - 1],
			PageUp: [index - page, place.column],
			PageDown: [index + page, place.column],
		};
		if (!(event.key in moves)) return;
		event.preventDefault();
		const [row, column] = moves[event.key];
		this.focus(Math.min(Math.max(row, 0), last), Math.min(Math.max(column, 0), COLUMNS.length - 1));
	}

	// Scrolls to a row by its index and focuses its cell.
	focus(index, column) {
		const height = this.rowHeight();
		const top = this.before.getBoundingClientRect().top + index * height;
		const head = this.table.tHead.getBoundingClientRect().height + (NARROW.matches ? 0 : 60);
		if (top < head) scrollBy(0, top - head);
		else if (top + height > innerHeight - 8) scrollBy(0, top + height - innerHeight + 8);
		this.at = { key: this.order[index].key, column };
		this.paint();
		this.rows.get(this.at.key)?.cells[column].node.focus({ preventScroll: true });
	}

	focusBack() {
		const index = this.order.findIndex(({ key }) => key === this.at.key);
		if (index >= 0) this.focus(index, this.at.column);
		else this.section.focus();
	}

	onClick(event) {
		const link = event.target.closest("a.cell[href]");
		const place = link && this.placeOf(link);
		if (!place || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
		event.preventDefault();
		this.at = place;
		const { schema, name } = this.rows.get(place.key).table;
		this.app.go({ open: { schema, name, op: COLUMNS[place.column] } });
	}
}

// Placeholder rows in their final size, before the first answer.
function waiting() {
	return Array.from({ length: 8 }, () => {
		const cells = Array.from({ length: 6 }, () => el("td", {}, el("span", {}, unseen(""))));
		return el(
			"tr",
			{ class: "row waiting", "aria-hidden": "true" },
			...cells,
			el("td", { class: "share" }),
			el("td", { class: "per-day" }),
		);
	});
}
