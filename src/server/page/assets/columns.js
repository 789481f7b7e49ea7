// The columns of a view: their values as they are kept, compared and written, by type.

import { compare, units } from "./exact.js";
import { count } from "./format.js";
import { visible } from "./names.js";

// Whether values of a type are numbers.
export function isNumber(type) {
	return /^(bigint|numeric|double)/.test(type);
}

export class Column {
	constructor({ name, type, is_group: isGroup, is_day: isDay = false, adds_up: addsUp = false }, place, zone) {
		Object.assign(this, { name, type, place, isGroup, isDay, addsUp, zone });
		this.isNumber = isNumber(type);
		this.isDouble = type === "double precision";
		// A bigint or a numeric is kept as a whole number of units of its last digit.
		this.digits = Number(/,(\d+)\)$/.exec(type)?.[1] ?? 0);
	}

	// The value of a row of the API.
	read(value) {
		if (value === null || value === undefined) return null;
		if (!this.isNumber) return value;
		if (!this.isDouble) return units(value, this.digits);
		return Number(String(value).replace(/inf$/, "Infinity"));
	}

	// A number of the size of a value, for drawing.
	size(value) {
		const size = Number(value) / 10 ** this.digits;
		return Number.isFinite(size) ? size : 0;
	}

	text(value) {
		if (value === null) return "null";
		if (value === "") return "''";
		if (this.isNumber) return this.number(value);
		if (this.type === "timestamptz" && /^\d{4}-/.test(value)) {
			const { day, time, ms } = this.zone.at(value);
			return `${day} ${time}.${ms}`;
		}
		return this.type === "timestamp" ? value.replace("T", " ") : visible(String(value));
	}

	number(value) {
		const sign = value < 0 ? "-" : "";
		let digits = String(value).replace("-", "");
		if (this.digits > 0) {
			digits = digits.padStart(this.digits + 1, "0");
			digits = `${digits.slice(0, -this.digits)}.${digits.slice(-this.digits)}`;
		}
		if (!/^\d+(\.\d+)?$/.test(digits)) return sign + digits;
		const [integer, fraction] = digits.split(".");
		return sign + count(integer) + (fraction === undefined ? "" : `.${fraction}`);
	}

	// As PostgreSQL: NULL is greater than any value, and so is NaN than any other number.
	compare(a, b) {
		if (a === null || b === null) return compare(a === null, b === null);
		return this.isDouble ? compare(Number.isNaN(a), Number.isNaN(b)) || compare(a, b) : compare(a, b);
	}
}
