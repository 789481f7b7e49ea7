// The rows of a view, a group each, kept up to date change by change.

import { chartOfGroups } from "./chart_of_groups.js";
import { Column } from "./columns.js";
import { daysOf } from "./days.js";
import { count, plural } from "./format.js";

// The most groups that are read.
export const MOST_GROUPS = 20_000;

// The column by which the rows of a view are ordered, and whether downwards.
export function orderOf({ columns }, sort) {
	const name = sort.replace(/^[-+]/, "");
	if (columns.some((column) => column.name === name)) return { name, down: sort[0] === "-" };
	const day = columns.find((column) => column.is_day);
	return { name: (day ?? columns[0]).name, down: day !== undefined };
}

// The same for the API; of equal ones by group.
export function orderText(view, sort) {
	const { name, down } = orderOf(view, sort);
	const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
	const groups = view.columns.filter((column) => column.is_group && column.name !== name);
	return [`${quoted(name)} ${down ? "DESC" : "ASC"}`, ...groups.map((column) => quoted(column.name))].join(", ");
}

export class Groups {
	constructor(view, from, to, days, zone) {
		Object.assign(this, { view, name: view.name, from, to });
		this.columns = view.columns.map((column, place) => new Column(column, place, zone));
		this.keys = this.columns.filter(({ isGroup }) => isGroup);
		this.day = view.has_days ? this.keys.find(({ isDay }) => isDay) : null;
		this.seriesKeys = this.keys.filter(({ isDay }) => !isDay);
		// The columns that a chart can show, the one that it shows, and which groups have shades in it.
		this.charted = this.day ? this.columns.filter(({ isGroup, isNumber }) => isNumber && !isGroup) : [];
		this.chartBy(null);
		this.days = daysOf(from, to);
		this.numbers = new Map(this.days.map((day, number) => [day, number]));
		// By key: `{key, values, names, day, series, words, shown}`: the texts of the group columns, the number of the day, and the
		// other group columns as a key and in words.
		this.rows = new Map();
		this.match = () => true;
		this.shown = 0;
		// The longest text of each column.
		this.longest = this.columns.map(() => "");
		// Whether the server has more groups than were read.
		this.isCut = false;
		this.select(days);
	}

	get isEmpty() {
		return this.rows.size === 0;
	}

	// A chart needs days, and a number.
	get isCharted() {
		return this.column !== null;
	}

	// How many of the groups the filter shows.
	found() {
		return `${count(this.shown)} of ${plural(this.rows.size, "group")}`;
	}

	// Applies whole rows; returns the cells that changed, as `[key, place of the column]`.
	apply(rows) {
		const changed = [];
		for (const row of rows) {
			const key = keyOf(this.keys, row);
			const known = this.rows.get(key);
			const values = this.columns.map((column) => column.read(row[column.name]));
			values.forEach((value, place) => {
				if (known && Object.is(known.values[place], value)) return;
				const text = this.columns[place].text(value);
				if (text.length > this.longest[place].length) this.longest[place] = text;
				changed.push([key, place]);
			});
			if (known) known.values = values;
			else if (!this.isCut) this.add(key, row, values);
		}
		return changed;
	}

	add(key, row, values) {
		const text = (column) => column.text(values[column.place]);
		const names = this.keys.map(text);
		const day = this.day ? this.numbers.get(values[this.day.place]) : 0;
		if (day === undefined) return;
		const shown = this.isMatch(names);
		const [series, words] = [keyOf(this.seriesKeys, row), this.seriesKeys.map(text).join(" · ")];
		this.rows.set(key, { key, values, names, day, series, words, shown });
		if (shown) this.shown += 1;
	}

	// Applies a complete answer: a group that it does not contain is gone.
	replace(rows) {
		const kept = new Set(rows.map((row) => keyOf(this.keys, row)));
		for (const key of [...this.rows.keys()]) if (!kept.has(key)) this.rows.delete(key);
		this.isCut = false;
		const changed = this.apply(rows);
		this.isCut = rows.length >= MOST_GROUPS;
		return changed;
	}

	// Restricts the rows to some days; null for all.
	select(days) {
		this.first = this.numbers.get(days?.from) ?? 0;
		this.last = this.numbers.get(days?.to) ?? this.days.length - 1;
	}

	isSelected({ day }) {
		return this.day === null || (day >= this.first && day <= this.last);
	}

	// Shows only groups of which a column matches.
	filter(match) {
		this.match = match;
		this.shown = 0;
		this.shades = [];
		for (const row of this.rows.values()) {
			row.shown = this.isMatch(row.names);
			if (row.shown) this.shown += 1;
		}
	}

	// A view without group columns has one row, which has no name.
	isMatch(names) {
		return names.length === 0 || names.some(this.match);
	}

	orderOf(sort) {
		const { name, down } = orderOf(this.view, sort);
		return { column: this.columns.find((column) => column.name === name), down };
	}

	// The shown rows of the selected days in order; equal ones by group.
	sorted(sort) {
		const { column, down } = this.orderOf(sort);
		const rows = [...this.rows.values()].filter((row) => row.shown && this.isSelected(row));
		const order = (by, a, b) => by.compare(a.values[by.place], b.values[by.place]);
		return rows.sort((a, b) => {
			const first = order(column, a, b);
			if (first !== 0) return down ? -first : first;
			for (const key of this.keys) {
				const next = order(key, a, b);
				if (next !== 0) return next;
			}
			return 0;
		});
	}

	// Charts the column of this name, else the first one that can be.
	chartBy(name) {
		const column = this.charted.find((column) => column.name === name) ?? this.charted[0] ?? null;
		if (column !== this.column) this.shades = [];
		this.column = column;
	}

	chart(states, width) {
		return chartOfGroups(this, states, width);
	}
}

function keyOf(columns, row) {
	return JSON.stringify(columns.map(({ name }) => row[name]));
}
