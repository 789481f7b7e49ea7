// What the page shows: range, selected days, filter, order, what is open, and which view of the book if not its counts. All of it
// is in the address, so that it can be shared and the browser's Back works.

import { PRESETS, addDays, daysBetween, isDay } from "./days.js";

// The operations, in display order.
export const OPERATIONS = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"];

const DEFAULT_RANGE = "7d";
const DEFAULT_SORT = "-total";
// Names of views that a book can have.
const NAME = /^[a-z_][a-z0-9_]{0,62}$/;
const SORTS = ["name", "insert", "update", "delete", "truncate", "total"];
// The longest range that the chart can draw.
const MAX_DAYS = 3660;

// Reads a view from the part of an address after `?`.
export function parseView(search) {
	const given = new URLSearchParams(search);
	const view = { preset: null, from: null, to: null, days: null, filter: given.get("filter") ?? "", open: null };
	const [from, to] = [given.get("from"), given.get("to")];
	if (isDay(from) && isDay(to) && from <= to && daysBetween(from, to) < MAX_DAYS) {
		view.from = from;
		view.to = to;
	} else {
		view.preset = Object.hasOwn(PRESETS, given.get("range")) ? given.get("range") : DEFAULT_RANGE;
	}
	const days = (given.get("day") ?? "").split("..");
	if (days.length <= 2 && days.every(isDay) && days[0] <= days[days.length - 1]) {
		view.days = { from: days[0], to: days[days.length - 1] };
	}
	view.of = NAME.test(given.get("view") ?? "") ? given.get("view") : null;
	view.number = view.of && given.get("number");
	const sort = given.get("sort") ?? defaultSort(view.of);
	view.sort = view.of !== null || SORTS.includes(sort.replace(/^-/, "")) ? sort : DEFAULT_SORT;
	if (given.has("rejects")) {
		view.open = { rejects: true };
	} else if (given.has("schema") && given.has("name")) {
		const op = given.get("op");
		view.open = { schema: given.get("schema"), name: given.get("name"), op: OPERATIONS.includes(op) ? op : null, where: given.get("where") };
	}
	return view;
}

// A view has an order of its own.
export function defaultSort(of) {
	return of === null ? DEFAULT_SORT : "";
}

// The address of a view, relative to the page.
export function viewAddress(view) {
	const given = new URLSearchParams();
	if (view.of !== null) given.set("view", view.of);
	if (view.number) given.set("number", view.number);
	if (view.preset === null) {
		given.set("from", view.from);
		given.set("to", view.to);
	} else if (view.preset !== DEFAULT_RANGE) {
		given.set("range", view.preset);
	}
	if (view.days)
		given.set("day", view.days.from === view.days.to ? view.days.from : `${view.days.from}..${view.days.to}`);
	if (view.filter !== "") given.set("filter", view.filter);
	if (view.sort !== defaultSort(view.of)) given.set("sort", view.sort);
	if (view.open?.rejects) given.set("rejects", "1");
	else for (const [key, value] of Object.entries(view.open ?? {})) if (value) given.set(key, value);
	const text = given.toString();
	return text === "" ? "./" : `./?${text}`;
}

// Resolves the days of a named range; drops a selection outside of it.
export function resolve(view, today) {
	if (view.preset !== null) {
		view.from = PRESETS[view.preset].from(today);
		view.to = today;
	}
	if (view.days && (view.days.from < view.from || view.days.to > view.to)) view.days = null;
	return view;
}

// The days of the grid and the events.
export function lookedAt(view) {
	return view.days ?? { from: view.from, to: view.to };
}

// The range of the same length just before (`-1`) or after (`1`).
export function neighbour(view, direction) {
	const length = (daysBetween(view.from, view.to) + 1) * direction;
	return { preset: null, from: addDays(view.from, length), to: addDays(view.to, length), days: null };
}

// The named range from one day to another, if any.
export function presetOf(from, to, today) {
	if (to !== today) return null;
	return Object.keys(PRESETS).find((name) => PRESETS[name].from(today) === from) ?? null;
}
