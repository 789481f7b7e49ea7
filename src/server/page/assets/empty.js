// An empty book: which steps are done, and which come next.

import { copyButton, el } from "./dom.js";
import { duration, plural } from "./format.js";
import { allBehind } from "./lag.js";

// The steps to the first count.
export function emptyBook(app) {
	const { status } = app;
	const step = (number, done, title, rest, ...more) =>
		el(
			"li",
			{},
			el("span", { class: "number", "aria-hidden": "true" }, done ? "✓" : String(number)),
			el(
				"div",
				{},
				done ? el("span", { class: "done" }, title) : number === 3 ? el("b", {}, title) : title,
				rest ? ` · ${rest}` : null,
				...more,
			),
		);
	const by = status.book.day_from === "kafka" ? "by Kafka's time" : "by commit time";
	const topics = status.topics;
	const partitions = topics.reduce((sum, topic) => sum + topic.partitions.length, 0);
	const connected = topics.length > 0 && status.state !== "disconnected" && status.state !== "at_rest";
	const names = topics.map(({ name }) => name).join(", ");
	const rejects = Number(app.rejects().book);
	const source = topics[0]?.source ?? "kafka";
	const second = connected
		? ["Connected to ", el("code", {}, names)]
		: [status.state === "at_rest" ? "No run is reading into this book" : "Not connected yet"];
	const behind = allBehind(status);
	const isRead = topics.some((topic) => topic.partitions.some((part) => Number(part.next_offset ?? 0) > 0));
	const held =
		behind > 0 ? `${plural(behind, "record")} to be read` : isRead ? "no change in what was read" : "0 records";
	const records =
		rejects > 0 ? `${plural(rejects, "record")} could not be read` : `${plural(partitions, "partition")}, ${held}`;
	const command =
		source === "kafka"
			? `walbook capture --postgres URL --slot NAME --brokers BROKERS --topic ${topics[0]?.name ?? "TOPIC"}`
			: null;
	const steps = [
		step(1, true, "Book made", `days in ${app.zone.name}, ${by}`),
		step(
			2,
			connected,
			el("span", {}, ...second),
			connected ? (source === "kafka" ? records : null) : status.state_reason,
		),
		step(
			3,
			false,
			"First change",
			rejects > 0 ? `${plural(rejects, "record")} arrived and could not be read` : "waiting",
			...(command
				? [
						el("p", {}, "Is the capture running? It fills the topic from a slot:"),
						el("div", { class: "command" }, el("code", {}, command), copyButton("Copy", () => command)),
					]
				: []),
		),
		step(
			4,
			false,
			"First commit",
			status.commit_interval_seconds ? `at most ${duration(status.commit_interval_seconds)} later` : "soon after it",
		),
	];
	return el(
		"div",
		{ class: "none" },
		el("h3", {}, "No change has arrived yet"),
		el("p", {}, "This page fills by itself; there is nothing to reload."),
		el("ol", { class: "steps" }, ...steps),
	);
}
