// The small drawings of a row: its days as bars, and its share of the largest table.

import { compare, plus } from "./exact.js";
import { setAttribute, svg } from "./dom.js";
import { totalOf } from "./counts.js";

const WIDTH = 114;
const HEIGHT = 16;
const SHARE = 73;
// More days than this are grouped by week.
const MOST_DAYS = 60;
const CLASSES = ["ins", "upd", "del", "trn"];

// The positions of the bars of a range; the same for every row.
export function sparkLayout(counts, states) {
	const length = counts.days.length > MOST_DAYS ? 7 : 1;
	const bars = [];
	for (let from = 0; from < counts.days.length; from += length) {
		const to = Math.min(from + length, counts.days.length) - 1;
		bars.push({ from, to, state: states.over(counts.days.slice(from, to + 1)) });
	}
	const pitch = Math.min(14, WIDTH / bars.length);
	return { bars, pitch, width: Math.max(1, pitch - (pitch > 3 ? 1.5 : 0.5)) };
}

// A row's sparkline; `paint` updates only what differs.
export class Spark {
	constructor() {
		this.absent = svg("path", { class: "absent" });
		this.marks = svg("g");
		this.open = svg("path", { class: "open" });
		this.incomplete = svg("path", { class: "incomplete" });
		this.bars = svg("path", { class: "bars" });
		const shapes = [this.absent, this.marks, this.open, this.incomplete, this.bars];
		this.node = svg("svg", { width: WIDTH, height: HEIGHT, "aria-hidden": "true" }, ...shapes);
	}

	paint(sum, { bars, pitch, width }) {
		const totals = bars.map(({ from, to }) => {
			let total = 0;
			for (let day = from; day <= to; day++) {
				const ops = sum.cells.get(day);
				if (ops) total = plus(total, totalOf(ops));
			}
			return total;
		});
		const most = Number(totals.reduce((a, b) => (compare(a, b) < 0 ? b : a), 0));
		const paths = { absent: "", open: "", incomplete: "", bars: "" };
		let firstAbsent = null;
		bars.forEach(({ state }, index) => {
			const x = (index * pitch).toFixed(1);
			if (state === "absent") {
				firstAbsent ??= index;
				paths.absent += box(x, 0, pitch, HEIGHT);
				return;
			}
			const height = totals[index] === 0 ? 1 : Math.max(1.5, (Number(totals[index]) / most) * (HEIGHT - 1));
			paths.bars += box(x, HEIGHT - height, width, height);
			if (state !== "complete") paths[state] += box(x, 0, width, HEIGHT - height - 0.5);
		});
		for (const [name, d] of Object.entries(paths)) setAttribute(this[name], "d", d);
		this.dash(bars, pitch, firstAbsent);
	}

	dash(bars, pitch, first) {
		if (first === null) {
			this.marks.replaceChildren();
			return;
		}
		let last = first;
		while (bars[last + 1]?.state === "absent") last += 1;
		const x = String(((first + last + 1) / 2) * pitch);
		if (this.marks.firstChild === null) this.marks.append(svg("text", { y: HEIGHT - 4 }, "–"));
		setAttribute(this.marks.firstChild, "x", x);
	}
}

// A row's share of the largest table, in pieces by operation.
export class Share {
	constructor() {
		this.pieces = CLASSES.map((name) => svg("rect", { class: name, y: 0, height: 7, width: 0, x: 0 }));
		this.node = svg("svg", { width: SHARE, height: 7, "aria-hidden": "true" }, ...this.pieces);
	}

	paint(ops, largest) {
		const all = Number(largest);
		let x = 0;
		this.pieces.forEach((piece, op) => {
			const width =
				all === 0 || Number(ops[op]) === 0 ? 0 : Math.max(op === 3 ? 0 : 0.6, (Number(ops[op]) / all) * SHARE);
			setAttribute(piece, "x", x.toFixed(1));
			setAttribute(piece, "width", Math.min(width, SHARE - x).toFixed(1));
			x = Math.min(SHARE, x + width);
		});
	}
}

function box(x, y, width, height) {
	return `M${x} ${Number(y).toFixed(1)}h${width.toFixed(1)}v${height.toFixed(1)}h${(-width).toFixed(1)}Z`;
}
