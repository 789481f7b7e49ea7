// Records that could not be read: the reason, what to do about it, and the record itself.

import { copyButton, el } from "./dom.js";
import { rawLine } from "./event.js";
import { count } from "./format.js";

// The name of a reason, and what to do about it: in the server's text a colon separates them.
export function reasonParts(reason) {
	if (reason.startsWith("streamed change names no table")) {
		return [
			"names no table (streamed change)",
			"The slot runs with stream-changes; turn it off so that the line names its table.",
		];
	}
	const colon = reason.indexOf(": ");
	if (colon < 0) return [reason, ""];
	const advice = reason.slice(colon + 2);
	return [reason.slice(0, colon), `${advice[0].toUpperCase()}${advice.slice(1)}.`];
}

// A link that opens the panel of rejects; with a modifier it is an ordinary link.
export function rejectsLink(app, words) {
	const link = el("a", { class: "link", href: app.addressOf(null) }, words);
	link.addEventListener("click", (event) => {
		if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
		event.preventDefault();
		app.go({ open: { rejects: true } });
	});
	return link;
}

// One reject in the panel.
export function rejectRow(row, time) {
	const [name, advice] = reasonParts(row.reason);
	const text = typeof row.value === "string" ? row.value : (row.value?.text ?? "");
	const place = el("td", {}, `${row.topic} / ${row.partition} / ${count(row.offset)}`);
	const reason = [
		el("p", {}, el("b", {}, name)),
		advice === "" ? null : el("p", { class: "note" }, advice),
		rawLine(text),
		copyButton("Copy", () => text),
	];
	return el(
		"tbody",
		{},
		el("tr", { class: "event" }, el("td", {}, time), place, el("td", { class: "what" }, ...reason)),
	);
}
