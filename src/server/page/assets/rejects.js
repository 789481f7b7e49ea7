// Records that could not be read: the reason, what to do about it, and the record itself.

import { byId, copyButton, el, onPlainClick, setText } from "./dom.js";
import { rawLine } from "./event.js";
import { count, plural } from "./format.js";

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

// A link that opens the panel of rejects.
export function rejectsLink(app, words) {
	const link = el("a", { class: "link", href: app.addressOf(null) }, words);
	onPlainClick(link, () => app.go({ open: { rejects: true } }));
	return link;
}

// The line under the numbers: how many records are not in them, and other parts.
export function rejectsLine(app, parts) {
	const { total } = app.rejects();
	const words = `${plural(total, "reject")} ${Number(total) === 1 ? "is" : "are"} not in these numbers`;
	const link = Number(total) > 0 ? rejectsLink(app, words) : null;
	const end = byId("keyline-end");
	const content = el("span", {}, link, link && parts.length > 0 ? "  ·  " : "", parts.join("  ·  "));
	// A link that is replaced while it is clicked or focused would be lost.
	if (!end.firstChild?.isEqualNode(content)) end.replaceChildren(content);
	setText(byId("legend-incomplete"), app.state === "incomplete" ? "not complete, can still grow" : "not complete");
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
