// Instants in the book's time zone, never in the browser's.

import { dayWords } from "./days.js";

// Converts instants to the day and the time of day in one zone.
export class Zone {
	constructor(name) {
		this.name = name;
		// The zone as text: a browser that does not know the zone shows times in UTC, but the days are those of the zone.
		this.said = name;
		const parts = {
			year: "numeric",
			month: "2-digit",
			day: "2-digit",
			hour: "2-digit",
			minute: "2-digit",
			second: "2-digit",
		};
		try {
			this.format = new Intl.DateTimeFormat("en-GB", { ...parts, hourCycle: "h23", timeZone: name });
		} catch {
			this.said = `${name}, times in UTC`;
			this.format = new Intl.DateTimeFormat("en-GB", { ...parts, hourCycle: "h23", timeZone: "UTC" });
		}
	}

	// The ISO day, `HH:MM:SS`, and the milliseconds of an instant as RFC 3339 in UTC.
	at(instant) {
		const parts = {};
		for (const { type, value } of this.format.formatToParts(new Date(seconds(instant)))) parts[type] = value;
		const day = `${parts.year.padStart(4, "0")}-${parts.month}-${parts.day}`;
		const fraction = /\.(\d+)/.exec(instant)?.[1] ?? "";
		return { day, time: `${parts.hour}:${parts.minute}:${parts.second}`, ms: fraction.padEnd(3, "0").slice(0, 3) };
	}

	// `14:20:06` on `today`, else `Sat 21 Nov 19:09`.
	words(instant, today) {
		if (!instant) return "–";
		const { day, time } = this.at(instant);
		return day === today ? time : `${dayWords(day, today)} ${time.slice(0, 5)}`;
	}
}

// The milliseconds since 1970 of an instant, without the fraction of a second, which browsers parse differently.
function seconds(instant) {
	return Date.parse(instant.replace(/\.\d+/, ""));
}

function millis(instant) {
	return seconds(instant) + Number((/\.(\d+)/.exec(instant)?.[1] ?? "0").padEnd(3, "0").slice(0, 3));
}

// The server's clock, estimated from its newest answer.
export class Clock {
	constructor() {
		this.base = null;
	}

	set(now) {
		this.base = millis(now) - performance.now();
	}

	since(instant) {
		return this.base === null || !instant ? null : (this.base + performance.now() - millis(instant)) / 1000;
	}

	now() {
		return this.base === null ? null : new Date(this.base + performance.now()).toISOString();
	}
}
