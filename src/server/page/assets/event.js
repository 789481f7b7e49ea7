// One event: what changed, old → new, and all details when it is unfolded.

import { copyButton, el } from "./dom.js";
import { count } from "./format.js";
import { visible } from "./names.js";

const LONGEST = 120;
const LONGEST_LINE = 400;
const NO_OLD = "no old value in the line: it was null, or the table logs only its key";

// Short names of SQL types.
const TYPES = {
	"timestamp with time zone": "timestamptz",
	"timestamp without time zone": "timestamp",
	"character varying": "varchar",
	"time with time zone": "timetz",
	"time without time zone": "time",
};

// Whether a column differs between the old and the new row, as far as the line contains it.
function changed(column) {
	const { old: before, new: after } = column;
	if (after === undefined) return before !== undefined;
	if (after.unchanged) return false;
	// The old part omits nulls, so a column without an old value that is null now did not change.
	if (before === undefined) return !after.null;
	return before.text !== after.text || Boolean(before.null) !== Boolean(after.null);
}

// A text, truncated if it is long; a button shows the rest.
function cut(text, longest = LONGEST) {
	if (text.length <= longest + 20) return [text];
	const head = text.slice(0, longest).replace(/[\ud800-\udbff]$/, "");
	const more = el("button", { class: "link" }, `${count(text.length - head.length)} more`);
	const shown = document.createTextNode(head);
	const dots = document.createTextNode("… ");
	more.addEventListener("click", (event) => {
		event.stopPropagation();
		shown.nodeValue = text;
		dots.remove();
		more.remove();
	});
	return [shown, dots, more];
}

// A value: `null` and unknown values look different from any text.
function value(side, otherwise) {
	if (side === undefined) return el("span", { class: "absent", title: NO_OLD }, "–");
	if (side.null) return el("i", {}, "null");
	if (side.unchanged) return otherwise === undefined ? el("i", {}, "unchanged, not sent") : value(otherwise);
	if (side.text === "") return el("span", {}, "''");
	return el("bdi", {}, ...cut(side.text));
}

function fresh(side) {
	return el("span", { class: "new" }, value(side));
}

function arrow() {
	return el(
		"span",
		{ class: "to" },
		el("span", { "aria-hidden": "true" }, "→"),
		el("span", { class: "unseen" }, " to "),
	);
}

// The columns of an event in one line: those that changed, or all.
export function summary(event, all) {
	if (event.op === "TRUNCATE") return [el("span", {}, event.options || "no options")];
	const columns = event.columns ?? [];
	const parts = [];
	const pairs = event.op === "UPDATE" && event.has_old;
	for (const column of columns) {
		const differs = pairs && changed(column);
		if (pairs && !differs && !all) continue;
		const name = el("span", { class: "column", translate: "no" }, el("bdi", {}, visible(column.name)), " ");
		if (differs)
			parts.push(
				el(
					"span",
					{ class: "pair" },
					name,
					el("span", { class: "old" }, value(column.old)),
					arrow(),
					fresh(column.new),
				),
			);
		else if (event.op === "INSERT") parts.push(el("span", { class: "pair" }, name, fresh(column.new)));
		else parts.push(el("span", { class: "pair" }, name, value(column.new ?? column.old, column.old)));
	}
	if (parts.length === 0) {
		const words =
			columns.length > 0
				? "no column changed"
				: event.op === "DELETE"
					? "no columns in the line: the table has no replica identity"
					: "no columns in the line";
		return [el("i", { class: "absent" }, words)];
	}
	return parts;
}

export function keyOf(event) {
	const column = event.columns?.[0];
	if (column === undefined) return null;
	return { name: column.name, value: column.new?.unchanged ? column.old : (column.new ?? column.old) };
}

export function keyCell(event) {
	const key = keyOf(event);
	if (key === null || key.value === undefined) return el("span", { class: "absent" }, "–");
	return value(key.value);
}

export function rawLine(text) {
	return el("div", { class: "raw", translate: "no" }, ...cut(text, LONGEST_LINE));
}

export function details(event, zone) {
	const pairs = event.op === "UPDATE" && event.has_old;
	const rows = (event.columns ?? []).map((column) => {
		const differs = pairs && changed(column);
		const single = event.op === "INSERT" ? fresh(column.new) : value(column.new ?? column.old, column.old);
		const values = differs
			? [
					el("td", { class: "old" }, value(column.old)),
					el("td", { class: "to" }, arrow()),
					el("td", {}, fresh(column.new)),
				]
			: [el("td", { class: "old", colspan: 3 }, single)];
		const type = el("td", { class: "type", title: column.type }, TYPES[column.type] ?? column.type ?? "");
		const name = el("th", { scope: "row", translate: "no" }, el("bdi", {}, visible(column.name)));
		return el("tr", { class: differs ? "differs" : null }, name, type, ...values);
	});
	const fact = (name, text, mono) =>
		el("span", { class: "fact" }, name === "" ? null : `${name} `, mono ? el("code", {}, text) : el("b", {}, text));
	const kafka = event.kafka_time ? zone.at(event.kafka_time) : null;
	const facts = [
		el(
			"span",
			{ class: "fact", title: "topic / partition / offset / ordinal" },
			`${event.topic} / ${event.partition} / `,
			el("b", {}, count(event.offset)),
			` / ${event.ordinal}`,
		),
		event.lsn_text ? fact("LSN", event.lsn_text, true) : null,
		event.commit_lsn_text ? fact("commit LSN", event.commit_lsn_text, true) : null,
		event.seq === null || event.seq === undefined ? null : fact("seq", count(event.seq)),
		kafka ? fact("Kafka time", `${kafka.day} ${kafka.time}.${kafka.ms}`) : null,
	];
	const hint =
		event.op === "UPDATE" && !event.has_old
			? el(
					"p",
					{ class: "note" },
					"The log holds only the new row. ",
					el("code", {}, "REPLICA IDENTITY FULL"),
					" on this table would add old values.",
				)
			: null;
	const table =
		rows.length > 0
			? el(
					"table",
					{ class: "columns-of" },
					el("caption", { class: "unseen" }, "Columns"),
					el("colgroup", {}, ...["name", "type", "old", "to", ""].map((name) => el("col", { class: name }))),
					el("tbody", {}, ...rows),
				)
			: null;
	const raw = el("div", { class: "raw-box" }, rawLine(event.data), copyButton("Copy whole line", () => event.data));
	return el("div", { class: "details" }, table, hint, el("p", { class: "facts" }, ...facts.filter(Boolean)), raw);
}
