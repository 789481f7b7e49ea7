// The geometry of a chart: days grouped into bars, an axis that starts at zero, whole pixels.

import { compare, plus } from "./exact.js";

// Days that have less room than this, in pixels, are drawn by week: a bar of two pixels and a gap.
const NARROWEST = 2.5;

/**
 * The bars of `sum` (its `cells` by number of the day) in `width` pixels: `{from, to, ops, height, total, state}` each, where
 * `from` and `to` are numbers of days. `total` counts every operation, `height` all but TRUNCATE.
 */
export function gather(counts, sum, states, width) {
	const perDay = width / counts.days.length;
	const length = perDay < NARROWEST ? 7 : 1;
	const bars = [];
	for (let from = 0; from < counts.days.length; from += length) {
		const to = Math.min(from + length, counts.days.length) - 1;
		const ops = [0, 0, 0, 0];
		for (let day = from; day <= to; day++) sum.cells.get(day)?.forEach((count, op) => (ops[op] = plus(ops[op], count)));
		const height = plus(plus(ops[0], ops[1]), ops[2]);
		bars.push({
			from,
			to,
			ops,
			height,
			total: plus(height, ops[3]),
			state: states.over(counts.days.slice(from, to + 1)),
		});
	}
	return { bars, weekly: length === 7, pitch: width / bars.length };
}

export function highest(bars) {
	return bars.reduce((most, bar) => (compare(bar.height, most) > 0 ? bar.height : most), 0);
}

// The ticks of an axis from 0 to at least `most`: at most `lines` above 0, at round numbers; only 0 when there is nothing.
export function ticks(most, lines) {
	const top = Number(most);
	if (top <= 0) return [0];
	for (let size = 10 ** Math.floor(Math.log10(top) - 1); ; size *= 10) {
		for (const step of [1, 2, 2.5, 5].map((factor) => factor * size)) {
			if (step < 1 || !Number.isInteger(step)) continue;
			const needed = Math.ceil(top / step);
			if (needed <= lines) return Array.from({ length: Math.max(needed, 2) + 1 }, (_, line) => line * step);
		}
	}
}

// The pieces of a bar from the bottom up: `[operation, y, height]`, `between` pixels between two, none lower than one.
export function pieces(ops, base, scale, between) {
	const drawn = [];
	let sum = 0;
	let floor = base;
	for (const op of [0, 1, 2]) {
		if (Number(ops[op]) === 0) continue;
		sum += Number(ops[op]);
		const gap = drawn.length > 0 ? between : 0;
		const y = Math.min(Math.round(base - sum * scale), floor - 1 - gap);
		drawn.push([op, y, floor - gap - y]);
		floor = y;
	}
	return drawn;
}

// Runs of bars with the same state: `[first, last]`.
export function runs(bars, state) {
	const found = [];
	bars.forEach((bar, index) => {
		if (bar.state !== state) return;
		const last = found[found.length - 1];
		if (last && last[1] === index - 1) last[1] = index;
		else found.push([index, index]);
	});
	return found;
}
