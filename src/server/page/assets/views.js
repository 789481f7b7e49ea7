// The views of the book: the list of them, and beside the groups of the selected one its declaration, the number that is charted,
// what it could not compute, and why there is nothing to show.

import { isNumber } from "./columns.js";
import { byId, copyButton, el, onPlainClick, setAttribute, setText } from "./dom.js";
import { count, plural } from "./format.js";
import { rejectsLine } from "./rejects.js";
import { visible } from "./names.js";
import { defaultSort, viewAddress } from "./view.js";

export class Views {
	constructor(app) {
		this.app = app;
		this.list = byId("views");
		this.about = byId("about");
		this.message = el("div", { hidden: true });
		byId("groups").append(this.message);
		this.number = byId("number");
		this.number.addEventListener("change", () => app.go({ number: this.number.value }, { replace: true }));
		this.size = el("span", { class: "note" });
		this.bad = el("p", { class: "bad", hidden: true });
		this.sql = el("code", { translate: "no" });
		const copy = copyButton("Copy", () => this.sql.textContent);
		const declaration = el("details", {}, el("summary", {}, "Declaration"), el("pre", { tabindex: "0" }, this.sql), copy);
		this.title = el("h2", { translate: "no" });
		this.about.append(this.title, this.size, this.bad, declaration);
	}

	paint() {
		const { app } = this;
		const { groups } = app;
		// While another part loads, what was shown stays.
		const isView = app.numbers === null ? app.view.of !== null : groups !== null;
		document.body.classList.toggle("viewing", isView);
		document.body.classList.toggle("undated", groups?.day === null);
		this.paintList();
		const view = app.views.find(({ name }) => name === (groups?.name ?? app.view.of)) ?? groups?.view;
		this.about.hidden = !isView || !view;
		byId("chart").hidden = isView && !hasChart(view);
		// The line is there before the names, which would otherwise push the grid down.
		const isNamed = isView && Boolean(view?.columns.some((column) => column.is_group && !column.is_day));
		byId("series").hidden = !isNamed;
		byId("chart").classList.toggle("named", isNamed);
		byId("grid").hidden = isView;
		setAttribute(byId("skip"), "href", isView ? "#groups" : "#grid");
		byId("groups").hidden = !isView;
		this.number.hidden = !isView || groups === null || groups.charted.length < 2;
		byId("chart").classList.toggle("numbered", !this.number.hidden);
		if (!isView) return;
		if (view) this.paintAbout(view);
		if (groups) this.paintNumber(groups);
		else if (view) setText(byId("chart-title"), view.name);
		this.paintMessage(view);
		this.keyline();
	}

	// The counts and each view, as links whose addresses can be shared.
	paintList() {
		const { app } = this;
		const { views, view } = app;
		this.list.hidden = views.length === 0 && view.of === null;
		const entries = [null, ...views.map(({ name }) => name)];
		const key = JSON.stringify([entries, view.of, views.map(({ is_current: isCurrent }) => isCurrent)]);
		const links = () =>
			entries.map((of) => {
				const change = { of, sort: defaultSort(of), number: null, filter: "", open: null };
				const isBuilt = of === null || views.find(({ name }) => name === of).is_current;
				const link = el(
					"a",
					{
						"aria-current": view.of === of ? "page" : null,
						translate: of === null ? null : "no",
						title: isBuilt ? of : `${of}: not built yet`,
						class: isBuilt ? null : "unbuilt",
					},
					of ?? "Tables",
				);
				onPlainClick(link, () => app.go(change));
				link.change = change;
				return link;
			});
		if (this.list.dataset.key !== key) {
			const focused = [...this.list.children].indexOf(document.activeElement);
			this.list.dataset.key = key;
			this.list.replaceChildren(...links());
			this.address();
			this.list.children[focused]?.focus();
			// On a narrow screen the list scrolls sideways.
			const current = this.list.querySelector("[aria-current]");
			if (current) this.list.scrollLeft = current.offsetLeft - this.list.offsetLeft - 16;
		}
		this.address();
	}

	// The addresses keep the range.
	address() {
		for (const link of this.list.children) setAttribute(link, "href", viewAddress({ ...this.app.view, ...link.change }));
	}

	paintAbout({ name, declared, groups, files, is_current: isCurrent, bad_values: bad }) {
		setText(this.title, name);
		setText(this.size, isCurrent ? `${plural(groups, "group")} in ${plural(files, "file")} on disk` : "not built yet");
		setText(this.sql, declared);
		this.bad.hidden = !bad?.first;
		if (!bad?.first) return;
		const [expression, value, reason] = bad.first;
		const counted = `could not be computed and ${Number(bad.count) === 1 ? "counts" : "count"} as null`;
		const first = `${expression} of '${visible(value)}': ${reason}`;
		setText(this.bad, `${plural(bad.count, "value")} ${counted}, first ${first}`);
	}

	// The numbers that the chart can show.
	paintNumber({ charted, column }) {
		const names = charted.map(({ name }) => name);
		const key = JSON.stringify(names);
		if (this.number.dataset.key !== key) {
			this.number.dataset.key = key;
			this.number.replaceChildren(...names.map((name) => el("option", { value: name }, visible(name))));
		}
		if (column && this.number.value !== column.name) this.number.value = column.name;
	}

	paintMessage(view) {
		const { app, message } = this;
		const { groups } = app;
		let content = null;
		if (groups === null) {
			if (app.pending !== null) content = el("p", {}, "Reading …");
			else if (!view) content = el("p", {}, "There is no view ", el("code", {}, app.view.of), " in this book.");
			else if (!view.is_current) content = notBuilt();
			else content = el("p", {}, "This version of walbook cannot read the declaration.");
		} else if (groups.isEmpty) {
			const isNew = groups.day === null || view.groups === 0;
			content = el("p", {}, isNew ? "No change counts in this view yet." : "There are no groups on these days.");
		} else if (groups.shown === 0) {
			const clear = el("button", { class: "button", onclick: () => app.go({ filter: "" }, { replace: true }) }, "Clear");
			content = el("div", {}, el("p", {}, "No group matches ", el("code", {}, app.view.filter)), clear);
		}
		message.hidden = content === null;
		if (content === null) message.replaceChildren();
		else if (message.textContent !== content.textContent) message.replaceChildren(el("div", { class: "none" }, content));
	}

	keyline() {
		const { app } = this;
		const { groups } = app;
		const parts = [];
		if (groups) {
			const { size } = groups.rows;
			const ordered = app.groupsGrid.order.length;
			const isWhole = groups.first === 0 && groups.last === groups.days.length - 1;
			if (isWhole && groups.shown > ordered) parts.push(plural(groups.shown - ordered, "new group"));
			parts.push(ordered < size ? `${count(ordered)} of ${plural(size, "group")}` : plural(size, "group"));
		}
		rejectsLine(app, parts);
	}
}

// A chart needs days, and a number.
function hasChart(view) {
	const isCharted = ({ is_group: isGroup, type }) => !isGroup && isNumber(type);
	return Boolean(view?.is_current && view.has_days && view.columns.some(isCharted));
}

function notBuilt() {
	const command = "walbook view build BOOK";
	return el(
		"div",
		{},
		el("h3", {}, "This view is not built yet"),
		el("p", {}, "The next start of walbook run builds it from the events of the book, and keeps it from then on. Without a run:"),
		el("div", { class: "command" }, el("code", {}, command), copyButton("Copy", () => command)),
	);
}
