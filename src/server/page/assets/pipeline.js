// The pipeline beside the grid: completeness, lag, rate, last commit, files, rejects.

import { clusterFault, clusterWords } from "./cluster.js";
import { byId, el, svg } from "./dom.js";
import { dayWords } from "./days.js";
import { ago, bytes, count, duration, plural, rate } from "./format.js";
import { allBehind, lagOf, unitOf } from "./lag.js";
import { reasonParts, rejectsLink } from "./rejects.js";

const SHOWN = 8;
// The scale of the lag bars: the longest lag, but at least this much.
const LEAST = { records: 10_000, bytes: 16_000_000 };
const BEHIND = 10;
const FRESH = 24 * 3600;
const REASONS = 6;
// So many files of a day make questions about it slow.
const MANY_FILES = 2_000;

export class Pipeline {
	constructor(app) {
		this.app = app;
		this.panel = byId("pipeline");
		this.sections = ["complete", "lag", "rate", "commit", "cluster", "files", "rejects"].map((name) => {
			const section = el("section", { class: name });
			this.panel.append(section);
			return [name, section];
		});
		const fold = byId("fold");
		const narrow = matchMedia("(max-width: 720px)");
		const place = () => {
			// The document order follows the visual order: on a narrow screen it unfolds under the header.
			if (narrow.matches) byId("page").prepend(this.panel);
			else document.querySelector(".columns").append(this.panel);
			this.panel.classList.toggle("folded", narrow.matches && fold.getAttribute("aria-expanded") === "false");
		};
		fold.addEventListener("click", () => {
			fold.setAttribute("aria-expanded", String(fold.getAttribute("aria-expanded") === "false"));
			place();
		});
		narrow.addEventListener("change", place);
		place();
	}

	paint() {
		for (const [name, section] of this.sections) {
			const parts = this[name]();
			// Compare the content, so that an unchanged part is not replaced and keeps its focus.
			const said = parts.map((part) => part?.outerHTML ?? "").join("");
			if (section.said === said || section.contains(document.activeElement)) continue;
			section.said = said;
			section.replaceChildren(...parts.filter(Boolean));
		}
	}

	complete() {
		const { app } = this;
		const { status, zone, today } = app;
		const behind = status.state === "catching_up" && app.isBehind();
		const at = (instant) => el("b", { class: behind ? "warn" : null }, zone.words(instant, today));
		const parts = [heading("Complete to")];
		if (status.mode !== "serve") parts.push(line("Live, as shown", at(status.complete_at)));
		const commit = status.durable?.commit ? `On disk, #${count(status.durable.commit)}` : "On disk";
		parts.push(
			// Without a source that reports its end, a commit contains at best what existed when it was made.
			line(commit, at(status.durable.complete_at ?? (status.mode === "serve" ? status.durable.committed_at : null))),
		);
		parts.push(note(this.completeNote(behind)));
		return parts;
	}

	completeNote(behind) {
		const { app } = this;
		const { status } = app;
		if (app.counts?.tables.size === 0 && !status.complete_at) return "Nothing has been read yet.";
		if (!behind) return "On disk is what files and queries see.";
		const parts = partitions(status);
		const slowest = parts.reduce(
			(worst, part) => ((part.lag_seconds ?? 0) > (worst.lag_seconds ?? 0) ? part : worst),
			parts[0],
		);
		const done = parts.filter((part) => (part.lag_seconds ?? 0) < BEHIND).map((part) => part.partition);
		const named =
			done.length > 0 && done.length <= 4
				? ` ${done.length === 1 ? "Partition" : "Partitions"} ${words(done)} ${done.length === 1 ? "is" : "are"} read to the end.`
				: "";
		return `As far as the slowest partition, ${slowest.partition}.${named}`;
	}

	lag() {
		const { status } = this.app;
		const topics = status.topics;
		const all = partitions(status);
		const name = topics.length === 1 ? topics[0].name : plural(topics.length, "topic");
		const parts = [heading("Lag", el("span", { translate: "no", title: name }, name))];
		if (all.length === 0 || allBehind(status) === null) {
			parts.push(note(status.state === "at_rest" ? "No run is reading, so nobody knows." : "Not known."));
			return parts;
		}
		const shown = all.length > SHOWN ? [...all].sort((a, b) => lagOf(b) - lagOf(a)).slice(0, SHOWN) : all;
		const unit = unitOf(status);
		const longest = Math.max(LEAST[unit], ...all.map(lagOf));
		const row = (part) => {
			const lag = lagOf(part);
			const behind = lag > 0 && (part.lag_seconds ?? 0) >= BEHIND;
			const width = lag === 0 ? 0 : Math.max(1, (lag / longest) * 56);
			const bar = svg(
				"svg",
				{ width: 56, height: 5, "aria-hidden": "true" },
				svg("rect", { class: "track", x: 0.5, y: 0.5, width: 55, height: 4, rx: 2 }),
				svg("rect", { class: "fill", width: width.toFixed(1), height: 5, rx: Math.min(2, width / 2) }),
			);
			return el(
				"tr",
				{ class: behind ? "warn" : null },
				el("th", { scope: "row" }, String(part.partition)),
				el("td", {}, bar),
				el(
					"td",
					{},
					(part.lag_records ?? part.lag_bytes ?? null) === null ? "–" : unit === "bytes" ? bytes(lag) : count(lag),
				),
				el("td", {}, duration(part.lag_seconds)),
			);
		};
		const rows = topics.flatMap(({ name }) => {
			const own = shown.filter((part) => part.topic === name);
			if (topics.length === 1 || own.length === 0) return own.map(row);
			const topic = el("th", { scope: "rowgroup", colspan: 4, translate: "no", title: name }, name);
			return [el("tr", { class: "topic" }, topic), ...own.map(row)];
		});
		const head = el(
			"tr",
			{},
			el("th", { scope: "col", colspan: 2 }, "Partition"),
			el("th", { scope: "col" }, unit === "bytes" ? "Left" : "Records"),
			el("th", { scope: "col" }, "Behind"),
		);
		parts.push(
			el(
				"table",
				{},
				el("caption", { class: "unseen" }, "Lag by partition"),
				el("thead", {}, head),
				el("tbody", {}, ...rows),
			),
		);
		const rest = all.filter((part) => !shown.includes(part));
		if (rest.length > 0) {
			const told = rest.filter((part) => (part.lag_seconds ?? null) !== null);
			const most = Math.max(...told.map((part) => part.lag_seconds), 0);
			const which = told.length === rest.length ? "all" : "as far as known";
			parts.push(
				el(
					"p",
					{ class: "note" },
					`${count(rest.length)} more, ${which} under ${most < 9 ? `${Math.floor(most) + 1} s` : duration(most + 1)}`,
				),
			);
		}
		return parts;
	}

	rate() {
		const { status, clock } = this.app;
		if (status.state === "at_rest") return [];
		const { records_per_second: now = 0, history = [] } = status.rate ?? {};
		const rate_ = el("p", {}, el("b", {}, `${rate(now)} records/s`));
		if (status.state === "catching_up") rate_.append(" · catching up");
		const connected = clock.since(status.connected_at);
		if (now === 0 && connected !== null) rate_.append(` · connected ${ago(connected)}`);
		return [heading("Rate", "last 15 min"), rate_, curve(history, status.state === "catching_up")];
	}

	commit() {
		const { status, clock } = this.app;
		const { durable, slot } = status;
		const parts = [heading("Last commit", durable?.commit ? `#${count(durable.commit)}` : "none yet")];
		const since = clock.since(durable?.committed_at);
		if (durable?.commit && since !== null) {
			const written = since < 86_400 * 2 ? ago(since) : this.app.zone.words(durable.committed_at, this.app.today);
			parts.push(line("Written", written));
			// A value of a run has its line even while it is unknown: nothing below it moves.
			const { took_seconds: took, changes } = durable;
			if (status.mode === "run" && took !== undefined)
				parts.push(line("Took", took !== null && took < 1 ? `${Math.round(took * 1000)} ms` : duration(took)));
			if (status.mode === "run" && changes !== undefined)
				parts.push(line("Changes in it", changes === null ? "–" : count(changes)));
		} else if (status.commit_interval_seconds) {
			parts.push(line("First commit", `${duration(status.commit_interval_seconds)} after the first record`));
		}
		if (slot) {
			const label = el("span", {}, "Slot ", el("code", { translate: "no" }, slot.name));
			parts.push(
				line(label, slot.lag_bytes === null || slot.lag_bytes === undefined ? "–" : `${bytes(slot.lag_bytes)} behind`),
			);
		}
		return parts;
	}

	cluster() {
		const { status } = this.app;
		if (!status.cluster) return [];
		const [processes, words] = clusterWords(status.cluster);
		const fault = clusterFault(status);
		const name = fault && el("span", { title: fault.address }, `Process ${fault.process}`);
		return [heading("Cluster", processes), fault && line(name, el("b", { class: "warn" }, fault.short)), note(words)];
	}

	files() {
		const { status, today } = this.app;
		const files = status.files;
		if (!files) return [];
		const parts = [heading("Files", files.bytes === null ? null : bytes(files.bytes))];
		if (files.files !== null) parts.push(line("Events and rejects", count(files.files)));
		parts.push(line("Log entries", count(files.entries)));
		const { newest_compaction: merged, newest_prune: pruned } = files;
		if (merged) {
			const what = `${count(merged.files_before)} → ${count(merged.files_after)}`;
			parts.push(line(`Merged ${dayWords(merged.day, today)}`, what));
		}
		if (pruned) parts.push(line("Events from", dayWords(pruned.before, today)));
		if ((files.most_of_a_day ?? 0) >= MANY_FILES) {
			parts.push(note(`A day has ${count(files.most_of_a_day)} files. walbook compact merges those of days that are over.`));
		}
		return parts;
	}

	rejects() {
		const { app } = this;
		const { status, zone, today, clock } = app;
		const rejects = app.rejects();
		if (Number(rejects.book) === 0) {
			return [heading("Rejects", "none"), note("Records that cannot be read are kept here with the reason.")];
		}
		const age = clock.since(rejects.newest);
		const fresh = age !== null && age < FRESH;
		const parts = [
			heading(
				"Rejects",
				rejects.inRange && String(rejects.total) !== String(rejects.book)
					? `${Number(rejects.total) === 0 ? "none" : count(rejects.total)} in this range · ${count(rejects.book)} in the book`
					: `${count(rejects.total)} ${rejects.inRange ? "in this range" : "in the book"}`,
				fresh ? "bad" : null,
			),
		];
		const reasons = status.rejects.by_reason;
		for (const { reason, count: number } of reasons.slice(0, REASONS)) {
			parts.push(line(el("span", { title: reason }, reasonParts(reason)[0]), count(number)));
		}
		if (reasons.length > REASONS)
			parts.push(note(`${count(reasons.length - REASONS)} more reasons`));
		const newest = reasons
			.filter((part) => part.newest)
			.map((part) => ({ ...part.newest, reason: part.reason }))
			.sort((a, b) => ((a.kafka_time ?? "") < (b.kafka_time ?? "") ? 1 : -1))[0];
		if (fresh && newest) {
			parts.push(this.sample(newest));
		}
		const open = rejectsLink(
			app,
			Number(rejects.total) === 0 ? "Show rejects" : `Show all ${count(rejects.total)}${fresh ? " rejects" : ""}`,
		);
		const day = rejects.newest ? zone.at(rejects.newest).day : null;
		const when = day === null ? "" : day === today ? " · newest today" : ` · newest on ${dayWords(day, today)}`;
		parts.push(note(open, fresh ? " · kept in the book" : when));
		return parts;
	}

	sample(newest) {
		const { zone, today } = this.app;
		const [, advice] = reasonParts(newest.reason);
		const place = `partition ${newest.partition} · offset ${count(newest.offset)} · ${zone.words(newest.kafka_time, today)}`;
		const text = `${newest.value ?? "no value"}${newest.value_cut ? "…" : ""}`;
		return el(
			"div",
			{ class: "sample" },
			note(place),
			el("code", { translate: "no" }, text),
			advice === "" ? null : note(advice),
		);
	}
}

function partitions(status) {
	return status.topics.flatMap((topic) => topic.partitions.map((part) => ({ topic: topic.name, ...part })));
}

function note(...children) {
	return el("p", { class: "note" }, ...children);
}

function heading(text, end, kind) {
	return el("div", { class: "line" }, el("h2", { class: kind }, text), end ? el("span", { class: "end" }, end) : null);
}

function line(label, value) {
	return el(
		"div",
		{ class: "line" },
		el("span", { class: "label" }, label),
		typeof value === "string" ? el("span", { class: "value" }, value) : value,
	);
}

function words(numbers) {
	return numbers.length === 1
		? String(numbers[0])
		: `${numbers.slice(0, -1).join(", ")} and ${numbers[numbers.length - 1]}`;
}

function curve(history, behind) {
	const width = 268;
	const height = 26;
	const most = Math.max(...history, 0) * 1.15;
	const points = history.map(
		(value, index) =>
			`${((index / Math.max(1, history.length - 1)) * width).toFixed(1)} ${(height - (most === 0 ? 0 : (value / most) * (height - 2))).toFixed(1)}`,
	);
	const shape = svg("svg", {
		class: `curve${behind ? " warn" : ""}`,
		viewBox: `0 0 ${width} ${height + 1}`,
		width: "100%",
		height: height + 1,
		preserveAspectRatio: "none",
		role: "img",
		"aria-label": "Records per second over the last 15 minutes",
	});
	if (points.length > 1 && most > 0)
		shape.append(
			svg("path", { class: "area", d: `M0 ${height}L${points.join("L")}L${width} ${height}Z` }),
			svg("path", { class: "stroke", d: `M${points.join("L")}` }),
		);
	shape.append(svg("path", { class: "base", d: `M0 ${height + 0.5}H${width}` }));
	return shape;
}
