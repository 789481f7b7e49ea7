// Days as ISO texts, and ranges of them. No clock is used here: *today* comes from the server.

const DAY = 86_400_000;
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// The named ranges: name, short name for narrow screens, and days up to `today`.
export const PRESETS = {
	today: { word: "Today", short: "Today", from: (today) => today },
	"7d": { word: "7 days", short: "7 d", from: (today) => addDays(today, -6) },
	"30d": { word: "30 days", short: "30 d", from: (today) => addDays(today, -29) },
	"90d": { word: "90 days", short: "90 d", from: (today) => addDays(today, -89) },
	month: { word: "This month", short: "Month", from: (today) => `${today.slice(0, 8)}01` },
};

export function isDay(text) {
	if (!/^\d{4}-\d\d-\d\d$/.test(text ?? "")) return false;
	const time = Date.parse(`${text}T00:00:00Z`);
	return !Number.isNaN(time) && iso(time) === text;
}

export function addDays(day, days) {
	return iso(Date.parse(`${day}T00:00:00Z`) + days * DAY);
}

// The number of days between two days; 0 for the same day.
export function daysBetween(from, to) {
	return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY);
}

export function daysOf(from, to) {
	return Array.from({ length: daysBetween(from, to) + 1 }, (_, index) => addDays(from, index));
}

// 0 for Sunday to 6 for Saturday.
export function weekday(day) {
	return new Date(`${day}T00:00:00Z`).getUTCDay();
}

// `Fri 20 Nov`, with the year if it differs from that of `today`.
export function dayWords(day, today) {
	return `${WEEKDAYS[weekday(day)]} ${dateWords(day, today)}`;
}

// `20 Nov`, likewise.
export function dateWords(day, today) {
	const year = today && day.slice(0, 4) === today.slice(0, 4) ? "" : ` ${day.slice(0, 4)}`;
	return `${dayOfMonth(day)} ${monthWord(day)}${year}`;
}

// `20`.
export function dayOfMonth(day) {
	return String(Number(day.slice(8)));
}

// `Nov`.
export function monthWord(day) {
	return MONTHS[Number(day.slice(5, 7)) - 1];
}

// `Fri 20`.
export function shortDay(day) {
	return `${WEEKDAYS[weekday(day)]} ${dayOfMonth(day)}`;
}

// A range in words: `Fri 20 Nov`, `9 – 22 Nov`, `30 Oct – 2 Nov`.
export function rangeWords(from, to, today) {
	if (from === to) return dayWords(from, today);
	const sameMonth = from.slice(0, 7) === to.slice(0, 7);
	const sameYear = from.slice(0, 4) === to.slice(0, 4);
	const end = dateWords(to, today);
	if (sameMonth) return `${dayOfMonth(from)} – ${end}`;
	return `${sameYear ? `${dayOfMonth(from)} ${monthWord(from)}` : dateWords(from, today)} – ${end}`;
}

// Consecutive days in words: `21 and 22 Nov`, `3 to 22 Nov`.
export function listWords(days, today) {
	const first = days[0];
	const last = days[days.length - 1];
	if (days.length === 1) return dateWords(first, today);
	const joint = days.length === 2 ? "and" : "to";
	const start = first.slice(0, 7) === last.slice(0, 7) ? dayOfMonth(first) : dateWords(first, today);
	return `${start} ${joint} ${dateWords(last, today)}`;
}

function iso(time) {
	return new Date(time).toISOString().slice(0, 10);
}
