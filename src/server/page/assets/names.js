// Identifiers in readable form: every character is visible, and none affects the text around it.

import { el } from "./dom.js";

const SYMBOLS = { "\n": "↵", "\r": "↵", "\t": "⇥" };
// Invisible characters, and marks that change the direction of text.
const UNSEEN =
	/[\u0000-\u001f\u007f-\u00a0\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\u{e0000}-\u{e007f}]|(?<![^\u0000-\u02ff])[\u200c\u200d]|[\u200c\u200d](?![^\u0000-\u02ff])/gu;

// Shows invisible characters and outer spaces as symbols: different names look different.
export function visible(name) {
	return name
		.replace(UNSEEN, (sign) => SYMBOLS[sign] ?? `‹${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›`)
		.replace(/^ +| +$/g, (spaces) => "␣".repeat(spaces.length));
}

// Removes the middle of a text so that `room` characters are left.
function middleCut(text, room) {
	const characters = Array.from(text);
	if (characters.length <= room) return text;
	const keep = Math.max(2, room - 1);
	const head = Math.ceil(keep * 0.42);
	return `${characters.slice(0, head).join("")}…${characters.slice(characters.length - (keep - head)).join("")}`;
}

// `schema.table` in one text, as a title or for a screen reader.
export function fullName(schema, table) {
	return `${visible(schema)}.${visible(table)}`;
}

// The two parts of a table's name, each isolated against bidirectional text; truncated to `room` characters.
export function nameParts(schema, table, room = Infinity) {
	let first = visible(schema);
	let second = visible(table);
	if (first.length + second.length + 1 > room) {
		// The schema is shortened only if it would leave the table less than half.
		first = middleCut(first, Math.max(6, Math.floor(room / 2) - 1));
		second = middleCut(second, Math.max(6, room - Array.from(first).length - 1));
	}
	return [el("span", { class: "schema" }, el("bdi", {}, first), "."), el("bdi", {}, second)];
}
