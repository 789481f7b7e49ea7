// The subject of the chart of counts: changes per day by operation.

import { gather } from "./bars.js";
import { mark } from "./dom.js";
import { plus } from "./exact.js";
import { count, short } from "./format.js";
import { OPERATIONS } from "./view.js";

const CLASSES = ["ins", "upd", "del", "trn"];

const SERIES = OPERATIONS.map((op, at) => ({
	word: op,
	abbreviated: CLASSES[at].toUpperCase(),
	mark: () => mark(op),
}));

// `total` counts every operation; the height of a bar is that of all but TRUNCATE, which has a mark of its own.
export function chartOfCounts(counts, states, width) {
	const { shown } = counts;
	const { bars, weekly, pitch } = gather(counts.days, states, width);
	for (const bar of bars) {
		const values = [0, 0, 0, 0];
		for (let day = bar.from; day <= bar.to; day++)
			shown.cells.get(day)?.forEach((count, op) => (values[op] = plus(values[op], count)));
		const heights = values.slice(0, 3).map(Number);
		const high = heights.reduce((a, b) => a + b);
		const total = values.reduce(plus);
		Object.assign(bar, { values, heights, low: 0, high, total, label: short(total), isZero: total === 0, truncates: values[3] });
	}
	const title = `Changes per ${weekly ? "week" : "day"}`;
	const sums = () => ({ values: shown.sum, total: shown.total });
	const totalWords = (total) => `${total} changes`;
	const words = { key: "", title, exact: count, totalWord: "Total", totalWords, grows: true };
	return { ...words, series: SERIES, classes: CLASSES, bars, weekly, pitch, sums };
}
