// The geometry of a chart: days grouped into bars, an axis around zero, whole pixels.

// Days that have less room than this, in pixels, are drawn by week: a bar of two pixels and a gap.
const NARROWEST = 2.5;

/**
 * The bars of some days in `width` pixels: `{from, to, state}` each, where `from` and `to` are numbers of days. By week where
 * days have too little room, if `byWeek`.
 */
export function gather(days, states, width, byWeek = true) {
	const length = byWeek && width / days.length < NARROWEST ? 7 : 1;
	const bars = [];
	for (let from = 0; from < days.length; from += length) {
		const to = Math.min(from + length, days.length) - 1;
		bars.push({ from, to, state: states.over(days.slice(from, to + 1)) });
	}
	return { bars, weekly: length === 7, pitch: width / bars.length };
}

// The ticks of an axis from at most `low` to at least `high`, at round numbers: 0 and at most `lines` others; only 0 when
// there is nothing. Without `fractions` they are whole.
export function ticks(low, high, lines, fractions = false) {
	if (low === 0 && high === 0) return [0];
	for (let size = 10 ** Math.floor(Math.log10(high - low) - 1); ; size *= 10) {
		for (const step of [1, 2, 2.5, 5].map((factor) => factor * size)) {
			if (!fractions && !Number.isInteger(step)) continue;
			let [down, up] = [Math.ceil(-low / step), Math.ceil(high / step)];
			if (down + up > lines) continue;
			if (down === 0) up = Math.max(up, 2);
			else if (up === 0) down = Math.max(down, 2);
			return Array.from({ length: down + up + 1 }, (_, line) => (line - down) * step);
		}
	}
}

/**
 * The pieces of a bar: `[index, y, height]`, positive values upward from `base`, then negative ones downward; `between` pixels
 * between two, none lower than one.
 */
export function pieces(values, base, scale, between) {
	const drawn = [];
	for (const sign of [1, -1]) {
		let [sum, edge, gap] = [0, base, 0];
		values.forEach((value, index) => {
			const amount = sign * Number(value);
			if (!(amount > 0)) return;
			sum += amount;
			const start = edge - sign * gap;
			edge = sign * Math.min(sign * Math.round(base - sign * sum * scale), sign * start - 1);
			drawn.push([index, Math.min(edge, start), Math.abs(edge - start)]);
			gap = between;
		});
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
