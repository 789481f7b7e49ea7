// The chart as a table: day by operation, newest first.

import { el } from "./dom.js";
import { dateWords, dayWords } from "./days.js";
import { count } from "./format.js";
import { STATE_WORDS } from "./states.js";
import { OPERATIONS } from "./view.js";

/** The bars of a chart as rows. */
export function dayTable(bars, counts, today) {
	const head = el(
		"tr",
		{},
		...["Day", ...OPERATIONS, "Total", "State"].map((text) => el("th", { scope: "col" }, text)),
	);
	const rows = [...bars].reverse().map((bar) => {
		const numbers = [...bar.ops, bar.total].map((value) =>
			el("td", {}, bar.state === "absent" ? "–" : `${bar.state === "incomplete" ? "≥ " : ""}${count(value)}`),
		);
		const words =
			bar.from === bar.to ? dayWords(counts.days[bar.from], today) : `from ${dateWords(counts.days[bar.from], today)}`;
		return el("tr", {}, el("th", { scope: "row" }, words), ...numbers, el("td", {}, STATE_WORDS[bar.state]));
	});
	return el(
		"div",
		{ class: "plot-table", tabindex: "0", role: "region", "aria-label": "Changes per day as a table" },
		el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows)),
	);
}
