// The chart as a table: day by operation, newest first.

import { el, setText } from "./dom.js";
import { dateWords, dayWords } from "./days.js";
import { count } from "./format.js";
import { STATE_WORDS } from "./states.js";
import { OPERATIONS } from "./view.js";

// The bars of a chart as rows. If `given` is a table of the same days, only its texts are updated.
export function dayTable(given, bars, counts, today) {
	const rows = [...bars].reverse().map((bar) => {
		const day = counts.days[bar.from];
		const words = bar.from === bar.to ? dayWords(day, today) : `from ${dateWords(day, today)}`;
		const least = bar.state === "incomplete" ? "≥ " : "";
		const numbers = [...bar.ops, bar.total].map((value) => (bar.state === "absent" ? "–" : least + count(value)));
		return [words, ...numbers, STATE_WORDS[bar.state]];
	});
	const key = `${counts.from} ${counts.to} ${rows.length}`;
	const table = given?.dataset.key === key ? given : build(key, rows);
	const lines = table.querySelector("tbody").rows;
	rows.forEach((texts, at) => texts.forEach((text, column) => setText(lines[at].cells[column], text)));
	return table;
}

function build(key, rows) {
	const head = ["Day", ...OPERATIONS, "Total", "State"].map((text) => el("th", { scope: "col" }, text));
	const lines = rows.map(([, ...others]) => el("tr", {}, el("th", { scope: "row" }), ...others.map(() => el("td"))));
	return el(
		"div",
		{ class: "plot-table", "data-key": key, tabindex: "0", role: "region", "aria-label": "Changes per day as a table" },
		el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...lines)),
	);
}
