// The panel of raw events or rejects beside the grid. Its content never moves by itself: newer events are announced in a
// reserved line, and shown on request.

import { ApiError, address, ask } from "./api.js";
import { byId, el, icon, mark, setText } from "./dom.js";
import { dateWords, rangeWords } from "./days.js";
import { details, keyCell, keyOf, rawLine, summary } from "./event.js";
import { minus, plus, whole } from "./exact.js";
import { count, plural } from "./format.js";
import { fullName, nameParts } from "./names.js";
import { rejectRow } from "./rejects.js";
import { STATE_WORDS } from "./states.js";
import { downloadButtons } from "./toolbar.js";
import { lookedAt } from "./view.js";

const PAGE = 50;
// The most rows of a download, and the timeout for it in milliseconds.
const MOST = 100_000;
const ANSWER_TIMEOUT = 90_000;
const MODES = [["changed", "Changed columns"], ["all", "All columns"], ["raw", "Raw line"]];

// The title of the columns, by operation.
const VALUES = { insert: "New row", update: "Old → new", delete: "Old row", truncate: "Options", any: "Row" };

export class Events {
	constructor(app) {
		this.app = app;
		this.panel = byId("events");
		this.mode = "changed";
		this.asked = null;
		// If the panel covers the page, nothing below it can be focused.
		this.covers = matchMedia("(max-width: 1180px)");
		this.covers.addEventListener("change", () => this.cover());
		this.panel.addEventListener("keydown", (event) => {
			if (event.key === "ArrowDown" && this.isRow(event.target)) this.move(1, event);
			if (event.key === "ArrowUp" && this.isRow(event.target)) this.move(-1, event);
		});
	}

	get isOpen() {
		return !this.panel.hidden;
	}

	cover() {
		byId("page").inert = this.isOpen && this.covers.matches;
	}

	// Shows what the view selects, from its newest page on; closes if it selects nothing.
	open(focus) {
		const { view } = this.app;
		document.body.classList.toggle("reading", view.open !== null);
		this.panel.hidden = view.open === null;
		this.cover();
		this.request?.abort();
		this.request = null;
		if (view.open === null) {
			this.panel.replaceChildren();
			return;
		}
		this.cursors = [[null, 0]];
		this.answer = null;
		this.counted = null;
		this.frame();
		if (focus) this.title.focus({ preventScroll: true });
		this.load();
	}

	parameters() {
		const { open } = this.app.view;
		const days = lookedAt(this.app.view);
		return open.rejects ? days : { ...days, ...open };
	}

	frame() {
		const { app } = this;
		const { open } = app.view;
		const range = lookedAt(app.view);
		const close = el(
			"button",
			{ class: "quiet square close", "aria-label": "Close", onclick: () => app.go({ open: null }) },
			icon("M4 4l8 8M12 4l-8 8"),
		);
		const back = el("button", { class: "quiet back", onclick: () => app.go({ open: null }) }, "‹ Back");
		this.title = el("h2", { tabindex: "-1", translate: open.rejects ? null : "no" });
		const chips = [];
		if (open.rejects) {
			this.title.append("Rejects");
		} else {
			this.title.append(...nameParts(open.schema, open.name, 46));
			this.title.title = fullName(open.schema, open.name);
			chips.push(el("span", { class: "chip" }, open.op ? mark(open.op) : null, open.op ?? "all operations"));
		}
		chips.push(el("span", { class: "chip" }, rangeWords(range.from, range.to, app.today)));
		const what = () => {
			const total = open.where ? undefined : this.counted?.total;
			return `${total > MOST ? `the newest ${count(MOST)} of ` : ""}${total === undefined ? "" : count(total)} events`;
		};
		this.cutNote = el("span", { class: "note" });
		const save = open.rejects
			? null
			: el(
					"span",
					{ class: "save" },
					this.cutNote,
					downloadButtons(app, (format) => this.file(format), what),
				);
		this.sum = el("p", { class: "sum" });
		const modes = MODES.map(([mode, words]) =>
			el("button", { "aria-pressed": String(mode === this.mode), onclick: () => this.setMode(mode) }, words),
		);
		this.modes = el("div", { class: "segments modes", role: "group", "aria-label": "Show" }, ...modes);
		const where = el("input", {
			value: open.where ?? "",
			placeholder: "Where, e.g. key.id = '42'",
			"aria-label": "SQL condition",
			spellcheck: "false",
			onchange: () => app.go({ open: { ...open, where: where.value } }),
		});
		this.newer = el("div", { class: "newer", hidden: true });
		this.list = el("div", { class: "list", tabindex: "-1" });
		const step = (words, direction, key) =>
			el(
				"button",
				{ class: "button", disabled: true, "aria-keyshortcuts": key, onclick: () => this.page(direction) },
				words,
			);
		this.back = step("‹ Newer", -1, "n");
		this.forth = step("Older ›", 1, "o");
		this.place = el("span", { class: "place" });
		const hint = (words, ...keys) => el("span", {}, ...keys.map((key) => el("kbd", {}, key)), ` ${words}`);
		const hints = el(
			"p",
			{ class: "hints", "aria-hidden": "true" },
			hint("move", "J", "K"),
			hint("open", "Enter"),
			hint("close", "Esc"),
		);
		const head = el("div", { class: "events-head" }, back, this.title, ...chips, save, close);
		const sub = el("div", { class: "events-sub" }, this.sum, ...(open.rejects ? [] : [this.modes, where]));
		this.panel.setAttribute("aria-label", open.rejects ? "Rejects" : "Events");
		this.panel.replaceChildren(
			head,
			sub,
			this.newer,
			this.list,
			el("div", { class: "events-foot" }, this.back, this.place, this.forth, hints),
		);
	}

	file(format) {
		return address("events", { ...this.parameters(), limit: MOST, format, download: 1 });
	}

	setMode(mode) {
		this.mode = mode;
		MODES.forEach(([name], index) => this.modes.children[index].setAttribute("aria-pressed", String(name === mode)));
		this.fill();
	}

	// Reads the current page; the old rows stay until the answer has arrived.
	async load() {
		const { open } = this.app.view;
		const request = new AbortController();
		this.request?.abort();
		this.request = request;
		const [cursor] = this.cursors.at(-1);
		const late = setTimeout(() => this.say("Reading …"), 300);
		try {
			const options = { signal: request.signal, timeout: ANSWER_TIMEOUT };
			const [answer, counted] = await Promise.all([
				ask(open.rejects ? "rejects" : "events", { ...this.parameters(), limit: PAGE, cursor }, options),
				cursor === null && !open.rejects ? this.durable(options) : this.counted,
			]);
			if (request.signal.aborted) return;
			this.answer = answer;
			this.counted = this.found = counted;
			this.unfolded = new Set();
			this.fill();
			this.list.scrollTop = 0;
			this.paint();
		} catch (error) {
			if (error.name === "AbortError") return;
			if (!(error instanceof ApiError)) throw error;
			if (request.signal.aborted || this.app.denied(error)) return;
			this.answer = null;
			const again = el("button", { class: "button", onclick: () => this.load() }, "Retry");
			this.list.replaceChildren(el("div", { class: "none" }, el("pre", {}, error.message), again));
			this.say("");
		} finally {
			clearTimeout(late);
			if (this.request === request) this.request = null;
		}
	}

	say(words) {
		delete this.sum.dataset.key;
		this.sum.replaceChildren(words);
	}

	// How many events are on disk, where the list also comes from, and at which commit.
	async durable(options) {
		const { from, to, schema, name, op } = this.parameters();
		const { rows, complete_to } = await ask(
			"counts",
			{ from, to, op, table: `${schema}.${name}`, by: "table,op", level: "durable" },
			options,
		);
		// A name may contain wildcard characters: of the matching tables use only the exact one.
		const total = rows
			.filter((row) => row.schema === schema && row.table === name)
			.reduce((sum, row) => plus(sum, whole(row.count)), 0);
		return { total, commit: complete_to.commit };
	}

	// Checks for newer events after a commit: live counts may not be on disk yet.
	async look() {
		const { answer } = this;
		if (this.looking === answer) return;
		this.looking = answer;
		const found = await this.durable().catch(() => null);
		this.looking = null;
		if (found === null || this.answer !== answer) return;
		this.found = found;
		// The first page was read at a later commit than the count.
		if (this.cursors.length === 1 && this.counted.commit < answer.complete_to.commit) this.counted = found;
		this.paint();
	}

	page(direction) {
		// Whether there are more is not known before the answer.
		if (this.request !== null) return;
		if (direction > 0 && this.answer?.next) this.cursors.push([this.answer.next, this.cursors.at(-1)[1] + this.answer.rows.length]);
		else if (direction < 0 && this.cursors.length > 1) this.cursors.pop();
		else return;
		this.load();
	}

	newest() {
		this.cursors = [[null, 0]];
		this.load();
	}

	fill() {
		if (this.answer === null) return;
		const { rows } = this.answer;
		const rejects = this.app.view.open.rejects;
		if (rows.length === 0) {
			const words = rejects
				? "No record of these days was kept because it could not be read."
				: this.app.view.open.where
					? "It is true of no event."
					: "Nothing of this is on disk yet; a commit brings it.";
			this.list.replaceChildren(el("div", { class: "none" }, el("p", {}, words)));
			return;
		}
		const op = this.app.view.open.op?.toLowerCase() ?? "any";
		const dated = rejects || lookedAt(this.app.view).from !== lookedAt(this.app.view).to;
		const first = rejects ? null : keyOf(rows[0]);
		const sameKey = first !== null && rows.every((row) => keyOf(row)?.name === first.name);
		const heads = rejects
			? ["Kafka time", "Topic / partition / offset", "Reason and value"]
			: ["Committed", sameKey ? first.name : "First column", this.mode === "raw" ? "Line" : VALUES[op], "xid"];
		const head = el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text)));
		const bodies = rows.map((row, index) =>
			rejects ? rejectRow(row, this.time(row.kafka_time, true)) : this.row(row, index, dated),
		);
		const caption = el("caption", { class: "unseen" }, rejects ? "Rejects, newest first" : "Events, newest first");
		this.list.replaceChildren(
			el(
				"table",
				{ class: `event-table ${op}${dated ? " dated" : ""}${rejects ? " rejects" : ""}` },
				caption,
				el("thead", {}, head),
				...bodies,
			),
		);
	}

	time(instant, dated) {
		if (!instant) return "–";
		const { day, time, ms } = this.app.zone.at(instant);
		return `${dated ? `${dateWords(day, this.app.today)} ` : ""}${time}.${ms}`;
	}

	row(row, index, dated) {
		const time = el(
			"button",
			{
				class: "time",
				"aria-expanded": "false",
				title: row.commit_time ? null : "Kafka's time; the record has no commit time",
			},
			this.time(row.commit_time ?? row.kafka_time, dated),
		);
		const content = this.mode === "raw" ? [rawLine(row.data)] : summary(row, this.mode === "all");
		const label = this.app.view.open.op ? null : el("span", { class: "op-label" }, mark(row.op), row.op);
		const cells = [
			el("td", {}, time),
			el("td", { class: "key" }, keyCell(row)),
			el("td", { class: `what ${row.op.toLowerCase()}` }, label, ...content),
			el("td", { class: "xid" }, row.xid === null || row.xid === undefined ? "–" : String(row.xid)),
		];
		const line = el("tr", { class: "event" }, ...cells);
		const body = el("tbody", {}, line);
		const toggle = () => {
			const unfold = !this.unfolded.has(index);
			if (unfold) {
				this.unfolded.add(index);
				body.append(
					el(
						"tr",
						{ class: "unfolded" },
						el("td", { colspan: 4, class: row.op.toLowerCase() }, details(row, this.app.zone)),
					),
				);
			} else {
				this.unfolded.delete(index);
				body.lastChild.remove();
			}
			body.classList.toggle("is-open", unfold);
			time.setAttribute("aria-expanded", String(unfold));
		};
		line.addEventListener("click", (event) => {
			// A click on a link, or one that ends a text selection, does not open the row.
			if (event.target.closest("button:not(.time)") || String(getSelection()) !== "") return;
			toggle();
			time.focus({ preventScroll: true });
		});
		if (this.unfolded.has(index)) {
			this.unfolded.delete(index);
			toggle();
		}
		return body;
	}

	// Updates the sums and the line of newer events; never the list.
	paint() {
		if (!this.isOpen || this.answer === null) return;
		const { app } = this;
		const { view } = app;
		const { rows, next, bad_values: bad } = this.answer;
		const { where } = view.open;
		const start = this.cursors.at(-1)[1];
		const rejects = app.rejects();
		const total = view.open.rejects
			? whole(rejects.inRange ? rejects.total : rows.length)
			: this.counted.total;
		this.back.disabled = this.cursors.length === 1;
		this.forth.disabled = !next;
		setText(
			this.place,
			rows.length === 0 ? "0" : `${count(start + 1)} – ${count(start + rows.length)}${where ? "" : ` of ${count(total)}`}`,
		);
		if (view.open.rejects || where) {
			const said = where
				? `newest first${bad?.first ? `; ${plural(bad.count, "value")} could not be computed, as ${bad.first.expression} of '${bad.first.value}'` : ""}`
				: `${plural(total, "record")} that could not be read, newest first`;
			if (this.sum.textContent !== said) this.say(said);
			return;
		}
		const state = app.state;
		const key = `${total} ${state}`;
		if (this.sum.dataset.key !== key) {
			this.sum.dataset.key = key;
			const least = state === "incomplete" ? el("span", { class: "ge" }, "≥ ") : null;
			this.sum.replaceChildren(
				least ?? "",
				el("b", {}, count(total)),
				` event${Number(total) === 1 ? "" : "s"}, newest first  ·  `,
				el("span", { class: state === "incomplete" ? "ge" : null }, STATE_WORDS[state]),
			);
		}
		setText(this.cutNote, total > MOST ? `newest ${count(MOST)}` : "");
		const grows = state !== "complete" && state !== "absent";
		if (grows && Math.max(app.commit(), this.answer.complete_to.commit) > this.found.commit) this.look();
		const grown = whole(minus(this.found.total, total));
		this.newer.hidden = !grows;
		if (grows && grown > 0) {
			if (this.newer.firstChild === null)
				this.newer.append(el("button", { class: "link", onclick: () => this.newest() }));
			setText(this.newer.firstChild, `${plural(grown, "newer event")} – show`);
		} else {
			this.newer.replaceChildren();
		}
	}

	isRow(target) {
		return target.classList?.contains("time");
	}

	move(direction, event) {
		const times = [...this.list.querySelectorAll("button.time")];
		if (times.length === 0) return;
		const at = times.indexOf(document.activeElement);
		const to = at < 0 ? 0 : Math.min(Math.max(at + direction, 0), times.length - 1);
		times[to].focus();
		event?.preventDefault();
	}
}
