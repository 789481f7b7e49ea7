// The subject of the chart of a view: one of its numbers per day, by group.
//
// A number that adds up (a count, a sum) is stacked: the groups with most, and the others. Any other, such as an average, is a
// point for each of these groups, and a line that spans the others.

import { gather } from "./bars.js";
import { el } from "./dom.js";
import { plus } from "./exact.js";
import { short } from "./format.js";
import { visible } from "./names.js";

// So many groups have a shade of their own.
const MOST = 4;
const CLASSES = ["s0", "s1", "s2", "s3", "s4"];

export function chartOfGroups(groups, states, width) {
	const { column } = groups;
	const { place, addsUp, isDouble } = column;
	const rows = [...groups.rows.values()].filter(({ shown }) => shown);
	const isGrouped = groups.seriesKeys.length > 0;
	const series = isGrouped ? largest(groups, rows).map(seriesOf) : [];
	const index = new Map(series.map(({ key }, at) => [key, at]));
	if (rows.some((row) => isGrouped && !index.has(row.series))) series.push(seriesOf(["", "others"], MOST));
	const points = isGrouped && !addsUp;
	// What does not add up over groups does not add up over days either.
	const { bars, weekly, pitch } = gather(groups.days, states, width, addsUp);
	const nothing = () => Array(Math.max(series.length, 1)).fill(addsUp ? 0 : null);
	const add = isDouble ? (a, b) => a + b : plus;
	const sum = nothing();
	for (const bar of bars) Object.assign(bar, { values: nothing(), span: null });
	for (const row of rows) {
		const value = row.values[place];
		if (value === null) continue;
		const bar = bars[Math.floor(row.day / (weekly ? 7 : 1))];
		const at = isGrouped ? (index.get(row.series) ?? index.size) : 0;
		if (addsUp) {
			bar.values[at] = add(bar.values[at], value);
			if (groups.isSelected(row)) sum[at] = add(sum[at], value);
		} else if (at < index.size || !isGrouped) {
			bar.values[at] = value;
		} else {
			const size = column.size(value);
			bar.span = [Math.min(size, bar.span?.[0] ?? size), Math.max(size, bar.span?.[1] ?? size)];
		}
	}
	const total = (values) => (points ? null : values.reduce(add));
	for (const bar of bars) {
		const heights = bar.values.map((value) => (value === null ? null : column.size(value)));
		const whole = total(bar.values);
		const ends = points ? [...heights, ...(bar.span ?? [])] : [sign(heights, 1), sign(heights, -1)];
		const label = whole === null ? null : short(column.size(whole));
		const isZero = whole !== null && Number(whole) === 0;
		Object.assign(bar, { heights, total: whole, label, isZero, low: Math.min(0, ...ends), high: Math.max(0, ...ends) });
	}
	const name = visible(column.name);
	return {
		key: name,
		title: `${name} per ${weekly ? "week" : "day"}`,
		series,
		isNamed: series.length > 0,
		classes: CLASSES,
		bars,
		weekly,
		pitch,
		points,
		fractions: isDouble || column.digits > 0,
		sums: () => ({ values: isGrouped && addsUp ? sum : [], total: addsUp ? total(sum) : null }),
		exact: (value) => column.text(value),
		totalWord: isGrouped ? "Total" : name,
		totalWords: (text) => `${name} ${text}`,
	};
}

// The sum of the values of one sign.
function sign(values, direction) {
	return values.reduce((sum, value) => (value * direction > 0 ? sum + value : sum), 0);
}

// Key and words of the groups with most over all days. One that has a shade keeps it while others change.
function largest(groups, rows) {
	const sizes = new Map();
	for (const { series, words, values } of rows) {
		const known = sizes.get(series) ?? [0, words];
		sizes.set(series, [known[0] + Math.abs(groups.column.size(values[groups.column.place] ?? 0)), words]);
	}
	const kept = groups.shades.filter((key) => sizes.has(key));
	const others = [...sizes.keys()].filter((key) => !kept.includes(key));
	others.sort((a, b) => sizes.get(b)[0] - sizes.get(a)[0]);
	groups.shades = [...kept, ...others].slice(0, MOST);
	return groups.shades.map((key) => [key, sizes.get(key)[1]]);
}

function seriesOf([key, words], at) {
	const mark = () => el("i", { class: `mark ${CLASSES[at]}`, "aria-hidden": "true" });
	const word = words.length > 24 ? `${words.slice(0, 23)}…` : words;
	return { key, word, abbreviated: "", mark };
}
