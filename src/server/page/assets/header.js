// The header and the strips under the toolbar: what the counts are complete to, and why not more.

import { clusterFault } from "./cluster.js";
import { byId, el, icon, setAttribute, setText } from "./dom.js";
import { dateWords, listWords } from "./days.js";
import { bytes, count, duration, plural, rate } from "./format.js";
import { allBehind, lagOf, secondsBehind, unitOf } from "./lag.js";
import { reasonParts, rejectsLink } from "./rejects.js";

// A run with a shorter lag keeps up.
const BEHIND = 10;
// A lost connection is shown in a strip after this time.
const LOST = 5;

// The partition that is furthest behind: `{topic, partition, seconds}`.
function worstPartition(status) {
	let worst = null;
	for (const topic of status.topics) {
		for (const part of topic.partitions) {
			const { partition, lag_seconds: seconds } = part;
			if (seconds !== null && lagOf(part) > 0 && (worst === null || seconds > worst.seconds))
				worst = { topic: topic.name, partition, seconds };
		}
	}
	return worst;
}

export class Header {
	constructor(app) {
		this.app = app;
		this.strips = byId("strips");
		const more = byId("more");
		more.addEventListener("click", () => {
			const open = byId("menu").classList.toggle("open");
			more.setAttribute("aria-expanded", String(open));
		});
		byId("theme").addEventListener("click", () => {
			window.walbookTheme.next();
			this.themeWords();
		});
		this.themeWords();
	}

	themeWords() {
		const theme = window.walbookTheme.current();
		setAttribute(byId("theme"), "aria-label", `Theme: ${theme}`);
		setAttribute(byId("theme"), "title", `Theme: ${theme}`);
		setText(byId("theme-word"), `Theme: ${theme}`);
	}

	paint() {
		const { app } = this;
		const { status, zone } = app;
		setText(byId("book"), status.book.name);
		document.title = `${app.view.of ? `${app.view.of} – ` : ""}${status.book.name} – walbook`;
		setText(byId("zone"), zone.said);
		setAttribute(byId("complete-to"), "title", `Times in ${zone.said}`);
		const [title, why, behind] = this.complete();
		setText(byId("complete-to"), title);
		setText(byId("complete-why"), why);
		document.querySelector(".as-of").classList.toggle("behind", behind);
		const [dot, word] = this.state();
		setAttribute(byId("state"), "data-dot", dot);
		setText(byId("state-word"), word);
		const rejects = app.rejects();
		const none = Number(rejects.book) === 0 ? "no rejects" : "no rejects in this range";
		const { worst, known } = secondsBehind(status);
		const lag =
			allBehind(status) === null
				? "pipeline"
				: worst === null
					? "lag not known"
					: `lag ${known ? "" : "at least "}${duration(worst)}`;
		setText(byId("fold-words"), `${lag} · ${Number(rejects.total) === 0 ? none : plural(rejects.total, "reject")}`);
		this.paintStrips();
	}

	state() {
		const { app } = this;
		if (app.lostAt !== null) return ["ring", "Not connected"];
		const empty = app.counts !== null && app.counts.tables.size === 0 && Number(app.rejects().book) === 0;
		return (
			{
				live: ["live", "Live"],
				catching_up: ["behind", "Catching up"],
				waiting: ["ring", empty ? "Waiting for the first record" : "Waiting"],
				disconnected: ["ring", "Not connected"],
				at_rest: ["ring", "At rest"],
			}[app.status.state] ?? ["ring", app.status.state]
		);
	}

	complete() {
		const { app } = this;
		const { status, zone, today } = app;
		const at = (instant) => zone.words(instant, today);
		if (app.lostAt !== null) return [`As of ${at(app.lostAt)}`, "No answer from walbook.", true];
		if (app.counts?.tables.size === 0) {
			const made = app.clock.since(status.book.made_at);
			if (status.state === "disconnected")
				return ["Nothing counted yet", status.state_reason ?? "Not connected.", true];
			if (allBehind(status) > 0) return ["Nothing counted yet", "There are records that have not been read.", true];
			const rejects = Number(app.rejects().book);
			if (rejects > 0) return ["Nothing counted yet", `${plural(rejects, "record")} could not be read.`, true];
			return [
				"Nothing to count yet",
				made === null ? "No change has arrived." : `The book was made ${duration(made)} ago.`,
				false,
			];
		}
		if (status.state === "disconnected")
			return [
				`As of ${at(status.complete_at ?? status.durable.committed_at)}`,
				status.state_reason ?? "Not connected.",
				true,
			];
		if (status.state === "at_rest")
			return [
				`As of ${at(status.complete_at ?? status.durable.committed_at)}`,
				status.state_reason ?? "No run is reading into this book now.",
				false,
			];
		const worst = worstPartition(status);
		if (status.state === "catching_up" && worst !== null && worst.seconds >= BEHIND) {
			return [
				`Complete to ${at(status.complete_at)}`,
				`Partition ${worst.partition} is ${duration(worst.seconds)} behind.`,
				true,
			];
		}
		const source = { slot: "the slot", file: "the file" }[status.topics[0]?.source] ?? "Kafka";
		const reason = status.state_reason ?? `Every record that ${source} held then has been read.`;
		return [`Complete to ${at(status.complete_at)}`, reason, status.state === "catching_up"];
	}

	paintStrips() {
		const strips = [this.lost(), this.refused(), this.cluster(), this.unreadable(), this.notComplete(), this.cut(), this.gone()].filter(Boolean);
		byId("page").classList.toggle("stripped", strips.length > 0);
		const keep = new Set(strips.map(({ key }) => key));
		for (const node of [...this.strips.children]) if (!keep.has(node.dataset.key)) node.remove();
		strips.forEach(({ key, bad, content, button }, index) => {
			let node = [...this.strips.children].find((child) => child.dataset.key === key);
			if (!node) {
				node = el(
					"div",
					{ class: `strip${bad ? " bad" : ""}`, "data-key": key },
					icon("M8 2.2 14.4 13.5H1.6Z", "M8 6.4v3.4M8 11.6v.1"),
					el("p"),
					button ?? null,
				);
			}
			const text = content.map((part) => (typeof part === "string" ? part : part.textContent)).join("");
			if (node.dataset.text !== text) {
				node.dataset.text = text;
				node.querySelector("p").replaceChildren(...content);
			}
			if (this.strips.children[index] !== node) this.strips.insertBefore(node, this.strips.children[index] ?? null);
		});
	}

	lost() {
		const { app } = this;
		const since = app.clock.since(app.lostAt);
		if (app.lostAt === null || since < LOST) return null;
		return {
			key: "lost",
			content: [
				el("strong", {}, `No answer from walbook since ${app.zone.words(app.lostAt, app.today)}.`),
				" These numbers are from then.",
			],
		};
	}

	refused() {
		const { app } = this;
		if (app.refused === null) return null;
		const [what, message] = app.refused;
		const isFile = what === "download" || what === "cut";
		const act = () => (isFile ? app.answered(what) : app.load());
		const button = el("button", { class: "button", onclick: act }, isFile ? "Close" : "Retry");
		const shown = what === "status" ? "The state shown is" : "What is shown is";
		const words = what === "cut" ? "" : isFile ? " Nothing was saved." : app.numbers ? ` ${shown} that of the last answer.` : " There are no numbers yet.";
		return { key: `refused ${what}`, content: [el("strong", {}, sentence(message)), words], button };
	}

	// A process of the run does not answer, or cannot read.
	cluster() {
		const { app } = this;
		const fault = app.lostAt === null ? clusterFault(app.status) : null;
		return fault && { key: "cluster", content: [el("strong", {}, `${fault.name} ${fault.said}.`), ` ${fault.means}`] };
	}

	// Without this strip a book of rejects would look as if nothing had arrived.
	unreadable() {
		const { app } = this;
		const rejects = Number(app.rejects().book);
		if (rejects === 0 || app.counts === null || app.counts.tables.size > 0) return null;
		const [most] = app.status.rejects.by_reason;
		const words = [
			el("strong", {}, `${plural(rejects, "record")} could not be read, and no change is counted.`),
			most ? ` Most often: ${reasonParts(most.reason)[0]}.` : "",
		];
		return { key: "unreadable", bad: true, content: words, button: rejectsLink(app, "Show rejects") };
	}

	// Displayed days can still grow, because records that belong to them have not been read.
	notComplete() {
		const { app } = this;
		const { numbers, states, status, today } = app;
		if (!numbers || numbers.day === null || app.lostAt !== null) return null;
		const { range } = app;
		const open = states.among(numbers.days.filter((day) => day >= range.from && day <= range.to), "incomplete");
		if (open.length === 0) return null;
		const words = [
			el("strong", {}, `${listWords(open, today)} ${open.length === 1 ? "is" : "are"} not complete.`),
			" ",
		];
		const behind = allBehind(status);
		const records = unitOf(status) === "records" ? behind : null;
		const reading = status.rate?.records_per_second ?? 0;
		const arriving = app.arriving();
		if (arriving !== null && arriving > reading && reading > 0) {
			words.push(`Records arrive faster than they are read: ${rate(arriving)}/s against ${rate(reading)}/s. `);
		} else if (records !== null && records > 0) {
			const still = `${plural(records, "record")} ${records === 1 ? "is" : "are"} still to be read`;
			words.push(
				reading > 0
					? `${still}, about ${duration(Math.max(1, Math.round(records / reading)))} at the present rate. `
					: `${still}. `,
			);
		} else if (records === null && behind > 0) {
			words.push(`${bytes(behind)} are still to be read. `);
		}
		const before = numbers.days.filter((day) => day < open[0] && states.of(day) === "complete");
		const last = before[before.length - 1];
		if (app.counts) words.push("Numbers marked ", el("span", { class: "ge" }, "≥"), " can still grow");
		else words.push("Rows of these days can still change");
		words.push(last ? `; days up to ${dateWords(last, today)} are final.` : ".");
		const button =
			last &&
			el(
				"button",
				{
					class: "button",
					onclick: () => app.go({ preset: null, from: app.view.from <= last ? app.view.from : last, to: last, days: null }),
				},
				"Show complete days only",
			);
		return { key: `not-complete ${last ?? ""}`, content: words, button };
	}

	// A view with more groups than a page should read.
	cut() {
		const { groups } = this.app;
		if (!groups?.isCut) return null;
		const words = [
			el("strong", {}, `Only the first ${count(groups.rows.size)} groups in this order are shown.`),
			` The chart has only these${groups.day === null ? "" : "; fewer days have fewer"}. All are in the download.`,
		];
		return { key: "cut", content: words };
	}

	// Records that Kafka deleted before they were read, which was accepted.
	gone() {
		const { lost } = this.app.status;
		if (lost.length === 0) return null;
		const records = lost.reduce((sum, part) => sum + Number(part.records), 0);
		const { topic, partition, from, to } = lost[0];
		const more = lost.length > 1 ? ` and ${plural(lost.length - 1, "more range")}` : "";
		const words = [
			el(
				"strong",
				{},
				`${plural(records, "record")} ${records === 1 ? "was" : "were"} lost before walbook could read them`,
			),
			` (${topic}, partition ${partition}, between offsets ${count(from)} and ${count(to)}${more}). The days they belong to are too low.`,
		];
		return { key: "gone", bad: true, content: words };
	}
}

function sentence(message) {
	const text = `${message[0].toUpperCase()}${message.slice(1)}`;
	return /[.!?]$/.test(text) ? text : `${text}.`;
}
