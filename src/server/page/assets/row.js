// One row of the grid: a table's name, its counts as links, its share, its days.

import { compare } from "./exact.js";
import { el, mark, setAttribute, setText, svg, unseen } from "./dom.js";
import { count, share } from "./format.js";
import { fullName, nameParts } from "./names.js";
import { OPERATIONS } from "./view.js";
import { Share, Spark } from "./spark.js";

export const COLUMNS = [...OPERATIONS, null];

function columnClass(op) {
	return op === null ? "total" : `op ${op.toLowerCase()}`;
}

// A cell's content: a count, as a link if it is not zero.
class Cell {
	constructor(op, sum) {
		this.op = op;
		this.text = null;
		this.value = el("span", { class: "value" });
		const missing = svg(
			"svg",
			{ class: "missing", width: 18, height: 14, "aria-hidden": "true" },
			svg("use", { href: "#cell-incomplete" }),
		);
		this.node = el(
			"a",
			{ class: "cell", tabindex: sum ? null : "-1" },
			missing,
			el("span", { class: "ge" }, "≥"),
			this.value,
		);
		this.said = unseen("");
		this.td = el("td", { class: columnClass(op), role: "cell" }, this.node, this.said);
	}

	paint(value, { state, least, address, name }) {
		const zero = value === 0;
		const incomplete = state === "incomplete";
		// A change on a day whose state is not known yet also counts.
		const absent = state === "absent" && zero;
		const text = absent ? "–" : count(value);
		const href = zero ? null : (address?.() ?? null);
		setAttribute(this.node, "href", href);
		const classes = `cell${zero ? " zero" : ""}${zero && incomplete && !least ? " unsure" : ""}${incomplete && least ? " least" : ""}`;
		if (this.classes !== classes) {
			this.classes = classes;
			this.node.className = this.opened ? `${classes} opened` : classes;
		}
		setText(this.value, text);
		const atLeast = incomplete && least ? "at least " : "";
		setAttribute(
			this.node,
			"aria-label",
			href === null ? null : `${name}, ${this.op ?? "all operations"}, ${atLeast}${text}, open events`,
		);
		let said = "";
		if (absent) said = " not in the book";
		else if (incomplete && least) said = href === null ? " at least" : "";
		else if (incomplete && zero) said = " not complete";
		setText(this.said, said);
	}

	open(opened) {
		if (this.opened === opened) return;
		this.opened = opened;
		this.node.classList.toggle("opened", opened);
		setAttribute(this.node, "aria-current", opened ? "true" : null);
	}

	flash() {
		this.td.classList.remove("flash");
		void this.td.offsetWidth; // Restarts the animation of a cell that is still fading.
		this.td.classList.add("flash");
	}
}

// A table's row, or the row of a sum if there is no table.
export class Row {
	constructor(table, kind) {
		this.table = table;
		this.kind = kind;
		this.head = el("th", { scope: "row", class: "name", role: "rowheader" });
		this.cells = COLUMNS.map((op) => new Cell(op, table === null));
		this.share = new Share();
		this.percent = el("span");
		this.spark = new Spark();
		const drawings = [
			el("td", { class: "share", role: "cell" }, this.share.node, this.percent),
			el("td", { class: "per-day", role: "cell" }, this.spark.node),
		];
		this.tr = el(
			"tr",
			{ class: `row ${kind}`, role: "row" },
			this.head,
			...this.cells.map((cell) => cell.td),
			...drawings,
		);
		if (table !== null) this.head.setAttribute("translate", "no");
	}

	// Assigns the row to a table, its name in `room` characters.
	bind(table, room) {
		const same = this.table.key === table.key;
		this.table = table;
		if (same && this.room === room) return;
		this.room = room;
		if (!same) for (const { td } of this.cells) td.classList.remove("flash");
		const { schema, name } = table;
		this.head.replaceChildren(...nameParts(schema, name, room));
		this.head.title = fullName(schema, name);
	}

	paint(sum, context) {
		const { state, all, largest, layout, addressOf, drawings } = context;
		const name = this.table === null ? null : fullName(this.table.schema, this.table.name);
		const least = this.kind !== "table";
		COLUMNS.forEach((op, column) => {
			const value = op === null ? sum.total : sum.sum[column];
			const address = this.table === null ? null : () => addressOf(this.table, op);
			this.cells[column].paint(value, { state, least: least || op === null, address, name });
		});
		if (!drawings) return;
		this.share.paint(sum.sum, this.kind === "table" ? largest : all.total);
		setText(
			this.percent,
			state === "absent"
				? "–"
				: this.kind === "all"
					? compare(all.total, 0) > 0
						? "100 %"
						: "0 %"
					: share(sum.total, all.total),
		);
		if (sum.cells) this.spark.paint(sum, layout);
	}
}

export function headCell(app, op, word) {
	const key = op === undefined ? "name" : op === null ? "total" : op.toLowerCase();
	const arrow = el("span", { class: "arrow", "aria-hidden": "true" });
	const words =
		op === "TRUNCATE"
			? [
					el("span", { class: "word" }, word),
					el("abbr", { class: "trunc-word", title: word }, "TRUNC"),
					el("abbr", { class: "trn-word", title: word }, "TRN"),
				]
			: [el("span", { class: "word" }, word)];
	const button = el(
		"button",
		{ onclick: () => app.sortBy(key) },
		op ? mark(op) : null,
		...(op ? words : [word]),
		arrow,
	);
	const node = el(
		"th",
		{ scope: "col", role: "columnheader", class: op === undefined ? "name" : columnClass(op), "aria-sort": "none" },
		button,
	);
	return {
		node,
		paint(sort) {
			const mine = sort.replace(/^-/, "") === key;
			setAttribute(node, "aria-sort", mine ? (sort[0] === "-" ? "descending" : "ascending") : "none");
			setText(arrow, mine ? (sort[0] === "-" ? "↓" : "↑") : "");
		},
	};
}
