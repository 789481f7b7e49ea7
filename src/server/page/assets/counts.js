// The numbers: changes by table, day and operation, with the sums the page shows, kept up to date change by change.

import { chartOfCounts } from "./chart_of_counts.js";
import { daysOf } from "./days.js";
import { minus, plus, whole } from "./exact.js";
import { count, plural } from "./format.js";
import { OPERATIONS } from "./view.js";

const OP_INDEX = new Map(OPERATIONS.map((op, index) => [op, index]));
const none = () => [0, 0, 0, 0];

// The key of a table in maps; no PostgreSQL name contains a zero byte.
export function tableKey(schema, name) {
	return `${schema}\0${name}`;
}

export function totalOf(ops) {
	return ops.reduce(plus, 0);
}

export class Counts {
	constructor(from, to, days = null) {
		// Unlike those of a view, these numbers have no name.
		Object.assign(this, { name: null, from, to });
		this.days = daysOf(from, to);
		this.numbers = new Map(this.days.map((day, number) => [day, number]));
		// By key: `{key, schema, name, full, cells, sum, total, shown}`; `cells` by number of the day, four counts each.
		this.tables = new Map();
		this.all = { cells: new Map(), sum: none(), total: 0 };
		this.match = () => true;
		this.shown = { cells: new Map(), sum: none(), total: 0, tables: 0 };
		this.select(days);
	}

	get isEmpty() {
		return this.tables.size === 0;
	}

	get isCharted() {
		return true;
	}

	// How many of the tables the filter shows.
	found() {
		return `${count(this.shown.tables)} of ${plural(this.tables.size, "table")}`;
	}

	chart(states, width) {
		return chartOfCounts(this, states, width);
	}

	// Adds a table, possibly without changes.
	know(schema, name) {
		const key = tableKey(schema, name);
		let table = this.tables.get(key);
		if (table === undefined) {
			const full = `${schema}.${name}`;
			table = { key, schema, name, full, cells: new Map(), sum: none(), total: 0, shown: this.match(full) };
			this.tables.set(key, table);
			if (table.shown) this.shown.tables += 1;
		}
		return table;
	}

	// Applies new totals; returns what changed in the selected days, as `[table key, operation]`.
	apply(rows) {
		const changed = [];
		for (const row of rows) {
			const day = this.numbers.get(row.day);
			const op = OP_INDEX.get(row.op);
			if (op === undefined || day === undefined) continue;
			const table = this.know(row.schema, row.table);
			const count = whole(row.count);
			const before = table.cells.get(day)?.[op] ?? 0;
			if (count === before) continue;
			const difference = minus(count, before);
			const selected = day >= this.first && day <= this.last;
			const sums = table.shown ? [table, this.all, this.shown] : [table, this.all];
			for (const sum of sums) add(sum, day, op, difference, selected);
			if (selected) changed.push([table.key, op]);
		}
		return changed;
	}

	// Applies a complete answer: counts that it does not contain are zero.
	replace(rows) {
		const told = new Map();
		for (const { schema, table, day, op } of rows) {
			const key = tableKey(schema, table);
			if (!told.has(key)) told.set(key, new Set());
			told.get(key).add(`${day} ${op}`);
		}
		const gone = [];
		for (const { key, schema, name, cells } of this.tables.values()) {
			for (const [number, ops] of cells) {
				ops.forEach((count, op) => {
					const row = { day: this.days[number], schema, table: name, op: OPERATIONS[op], count: 0 };
					if (count !== 0 && !told.get(key)?.has(`${row.day} ${row.op}`)) gone.push(row);
				});
			}
		}
		return this.apply(gone.concat(rows));
	}

	// Restricts the sums to some days; null for all.
	select(days) {
		this.first = this.numbers.get(days?.from) ?? 0;
		this.last = this.numbers.get(days?.to) ?? this.days.length - 1;
		for (const sum of [...this.tables.values(), this.all, this.shown]) {
			sum.sum = none();
			for (const [day, ops] of sum.cells) {
				if (day >= this.first && day <= this.last) ops.forEach((count, op) => (sum.sum[op] = plus(sum.sum[op], count)));
			}
			sum.total = totalOf(sum.sum);
		}
	}

	// Shows only tables whose `schema.table` matches.
	filter(match) {
		this.match = match;
		this.shown = { cells: new Map(), sum: none(), total: 0, tables: 0 };
		for (const table of this.tables.values()) {
			table.shown = match(table.full);
			if (table.shown) this.shown.tables += 1;
		}
		if (this.shown.tables === this.tables.size) {
			const { cells, sum, total } = this.all;
			const copies = [...cells].map(([day, ops]) => [day, [...ops]]);
			Object.assign(this.shown, { cells: new Map(copies), sum: [...sum], total });
			return;
		}
		for (const table of this.tables.values()) {
			if (!table.shown) continue;
			for (const [day, ops] of table.cells) {
				const selected = day >= this.first && day <= this.last;
				ops.forEach((count, op) => count !== 0 && add(this.shown, day, op, count, selected));
			}
		}
	}

	hidden() {
		const sum = this.all.sum.map((count, op) => minus(count, this.shown.sum[op]));
		return { sum, total: totalOf(sum), tables: this.tables.size - this.shown.tables };
	}
}

function add(sum, day, op, difference, selected) {
	let ops = sum.cells.get(day);
	if (ops === undefined) sum.cells.set(day, (ops = none()));
	ops[op] = plus(ops[op], difference);
	if (!selected) return;
	sum.sum[op] = plus(sum.sum[op], difference);
	sum.total = plus(sum.total, difference);
}
