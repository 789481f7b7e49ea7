// Numbers of any size. Offsets, LSNs, counts and sums may exceed 2^53, where a JavaScript number is not exact.

const NUMBER = /-?\d[\d.eE+-]*/g;
// Shorter numbers are exact as JavaScript numbers.
const LONG = /^-?\d{16,}$/;
const LONG_DECIMAL = /^(?=.{17})-?\d+\.\d+$/;
const isRounded = (part) => LONG.test(part) || (LONG_DECIMAL.test(part) && String(Number(part)) !== part);

// Parses JSON; integers of 16 digits and more, and decimals that a number would round, become strings.
export function parseExactly(text) {
	if (!/[\d.]{16}/.test(text)) return JSON.parse(text);
	const pieces = [];
	for (let at = 0; at < text.length; ) {
		const quote = text.indexOf('"', at);
		const open = quote < 0 ? text.length : quote;
		pieces.push(text.slice(at, open).replace(NUMBER, (part) => (isRounded(part) ? `"${part}"` : part)));
		at = endOfText(text, open);
		pieces.push(text.slice(open, at));
	}
	return JSON.parse(pieces.join(""));
}

// The end of the JSON string that begins at `open`.
function endOfText(text, open) {
	for (let at = open + 1; at < text.length; at++) {
		if (text[at] === '"') return at + 1;
		if (text[at] === "\\") at++;
	}
	return text.length;
}

// A count (a number or a string of digits) as a number if that is exact, else as a bigint.
export function whole(value) {
	if (typeof value === "number") return value;
	const exact = BigInt(value ?? 0);
	return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
}

// A decimal as a whole number of units of its last digit: `12.5` of two digits is 1250.
export function units(value, digits) {
	const text = typeof value === "string" ? value : /e/.test(value) ? value.toFixed(digits) : String(value);
	const [integer, fraction = ""] = text.split(".");
	return whole(integer + fraction.padEnd(digits, "0"));
}

export function plus(a, b) {
	if (typeof a === "number" && typeof b === "number") {
		const sum = a + b;
		if (Number.isSafeInteger(sum)) return sum;
	}
	return whole(BigInt(a) + BigInt(b));
}

export function minus(a, b) {
	if (typeof a === "number" && typeof b === "number" && Number.isSafeInteger(a - b)) return a - b;
	return whole(BigInt(a) - BigInt(b));
}

export function compare(a, b) {
	return a < b ? -1 : a > b ? 1 : 0;
}
