// The chart as a table: the values of each day, newest first.

import { el, setText } from "./dom.js";
import { dateWords, dayWords } from "./days.js";
import { STATE_WORDS } from "./states.js";

// The bars of a chart as rows. If `given` is a table of the same days and series, only its texts are updated.
export function dayTable(given, { key, title, bars, series, exact, totalWord, grows }, { days, from, to }, today) {
	const totals = bars.some(({ total }) => total !== null);
	const head = ["Day", ...series.map(({ word }) => word), ...(totals ? [totalWord] : []), "State"];
	const rows = [...bars].reverse().map(({ values, total, state, ...bar }) => {
		const day = days[bar.from];
		const words = bar.from === bar.to ? dayWords(day, today) : `from ${dateWords(day, today)}`;
		const least = state === "incomplete" && grows ? "≥ " : "";
		const text = (value) => (state === "absent" || value === null ? "–" : least + exact(value));
		return [words, ...values.map(text), ...(totals ? [text(total)] : []), STATE_WORDS[state]];
	});
	const identity = JSON.stringify([key, from, to, rows.length, head]);
	const table = given?.dataset.key === identity ? given : build(identity, title, head, rows);
	const lines = table.querySelector("tbody").rows;
	rows.forEach((texts, at) => texts.forEach((text, column) => setText(lines[at].cells[column], text)));
	return table;
}

function build(key, title, head, rows) {
	const heads = head.map((text) => el("th", { scope: "col" }, text));
	const lines = rows.map(([, ...others]) => el("tr", {}, el("th", { scope: "row" }), ...others.map(() => el("td"))));
	return el(
		"div",
		{ class: "plot-table", "data-key": key, tabindex: "0", role: "region", "aria-label": `${title} as a table` },
		el("table", {}, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...lines)),
	);
}
