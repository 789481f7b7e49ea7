// Range, filter and downloads.

import { ApiError, address, download } from "./api.js";
import { byId, el, icon, setAttribute, setText } from "./dom.js";
import { PRESETS, daysBetween, isDay, rangeWords } from "./days.js";
import { count, plural } from "./format.js";
import { patternOf } from "./filter.js";
import { orderText } from "./groups.js";
import { lookedAt } from "./view.js";

// The most days that a chart can show.
const MOST_DAYS = 3660;

export class Toolbar {
	constructor(app) {
		this.app = app;
		this.presets = Object.entries(PRESETS).map(([name, { word }]) => {
			const button = el(
				"button",
				{
					"aria-pressed": "false",
					"aria-keyshortcuts": name === "today" ? "t" : null,
					onclick: () => app.go({ preset: name, days: null }),
				},
				word,
			);
			byId("presets").append(button);
			return [name, button];
		});
		for (const id of ["from", "to"]) byId(id).addEventListener("change", () => this.setRange());
		const filter = byId("filter");
		filter.addEventListener("input", () => app.go({ filter: filter.value }, { replace: true }));
		filter.addEventListener("keydown", (event) => {
			if (event.key !== "Escape") return;
			event.stopPropagation();
			if (filter.value !== "") app.go({ filter: "" }, { replace: true });
			else filter.blur();
		});
		filter.addEventListener("focus", () => byId("filter-box").classList.add("active"));
		filter.addEventListener("blur", () => this.paint());
		this.files = downloadButtons(app, (format) => this.file(format), () => this.what());
		byId("downloads").replaceWith(this.files);
		this.files.id = "downloads";
		this.files.classList.add("downloads");
		const short = matchMedia("(max-width: 720px)");
		this.words = () =>
			this.presets.forEach(([name, button]) =>
				setText(button, PRESETS[name][short.matches || app.view.open !== null ? "short" : "word"]),
			);
		short.addEventListener("change", () => this.paint());
		this.placeholder = () =>
			app.view.of ? "Filter groups" : short.matches ? "Filter tables" : "Filter tables, e.g. public.order*";
	}

	setRange() {
		const [from, to] = [byId("from").value, byId("to").value];
		const wrong =
			!isDay(from) || !isDay(to)
				? "A range has a first and a last day."
				: from > to
					? "The first day is after the last; the numbers are still those of the range before."
					: daysBetween(from, to) >= MOST_DAYS
						? "A range has at most ten years; the numbers are still those of the range before."
						: "";
		setText(byId("range-wrong"), wrong);
		for (const id of ["from", "to"]) setAttribute(byId(id), "aria-invalid", wrong === "" ? null : "true");
		if (wrong === "") this.app.go({ preset: null, from, to, days: null });
	}

	paint() {
		const { app } = this;
		const { view, numbers } = app;
		this.words();
		for (const [name, button] of this.presets) setAttribute(button, "aria-pressed", String(view.preset === name));
		byId("range").classList.toggle("own", view.preset === null);
		const filter = byId("filter");
		setAttribute(filter, "placeholder", this.placeholder());
		if (filter.value !== view.filter) filter.value = view.filter;
		byId("filter-box").classList.toggle("active", view.filter !== "" || document.activeElement === filter);
		setAttribute(filter, "aria-label", view.of ? "Filter groups" : "Filter tables");
		setText(byId("filter-found"), view.filter === "" || !numbers ? "" : numbers.found());
		const hasDays = view.of === null || (app.selectedView?.has_days ?? true);
		for (const id of ["presets", "range"]) byId(id).hidden = !hasDays;
		this.files.hidden = view.of === null ? numbers?.isEmpty === true : !app.groups;
		this.files.refresh();
	}

	// Shows the range in its fields; an invalid range is dropped.
	showRange() {
		const { from, to } = this.app.view;
		byId("from").value = from;
		byId("to").value = to;
		setText(byId("range-wrong"), "");
		for (const id of ["from", "to"]) setAttribute(byId(id), "aria-invalid", null);
	}

	file(format) {
		const { from, to } = lookedAt(this.app.view);
		const { groups, view } = this.app;
		if (groups) {
			if (format !== "csv") return null;
			const days = groups.day === null ? {} : { from, to };
			const order = orderText(groups.view, view.sort);
			return address(`views/${groups.name}`, { ...days, order, level: "durable", format, download: 1 });
		}
		return address("counts", {
			from,
			to,
			table: patternOf(view.filter),
			level: "durable",
			format,
			download: 1,
		});
	}

	what() {
		const { app } = this;
		const { from, to } = lookedAt(app.view);
		const { groups } = app;
		const of = groups ? `view ${groups.name}` : plural(app.counts?.shown.tables ?? 0, "table");
		const days = groups?.day === null ? "" : `, ${rangeWords(from, to, app.today)}`;
		return `${of}${days}, as on disk at commit ${count(app.commit())}`;
	}
}

// Two buttons that save the displayed data: links, whose addresses can be copied; a click requests them with the token.
export function downloadButtons(app, url, what) {
	const links = [["csv", "CSV"], ["parquet", "Parquet"]].map(([format, word]) => {
		const link = el(
			"a",
			{ download: "" },
			format === "csv" ? icon("M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.5h10") : null,
			word,
		);
		link.addEventListener("click", async (event) => {
			event.preventDefault();
			try {
				const isCut = await download(url(format));
				app.answered("download");
				if (isCut) app.failed("cut", new ApiError(200, "The file ends early: there are more events"));
				else app.answered("cut");
			} catch (error) {
				if (!(error instanceof ApiError)) throw error;
				app.failed("download", error);
				app.say(`The download failed: ${error.message}`);
			}
		});
		return [format, word, link];
	});
	const group = el(
		"div",
		{ class: "segments", role: "group", "aria-label": "Download what is seen" },
		...links.map(([, , link]) => link),
	);
	group.refresh = () => {
		for (const [format, word, link] of links) {
			link.hidden = url(format) === null;
			if (link.hidden) continue;
			setAttribute(link, "href", url(format));
			setAttribute(link, "title", `${word} of ${what()}`);
		}
	};
	group.refresh();
	return group;
}
