// Numbers, durations and sizes as text; independent of the browser's locale, so that a shared view shows the same text.

// `1,709,894`: an integer in full; from a number, a bigint or a string of digits.
export function count(value) {
	return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

// `673 k`, `1.21 M`: three significant digits, for axes and labels.
export function short(value) {
	const number = Number(value);
	if (number < 0) return `-${short(-number)}`;
	if (number < 0.995) return String(Number(number.toPrecision(3)));
	if (number < 1000) return three(number);
	for (const [unit, size] of [["k", 1e3], ["M", 1e6], ["G", 1e9], ["T", 1e12]]) {
		const scaled = number / size;
		if (scaled < 999.5 || unit === "T") return `${three(scaled)} ${unit}`;
	}
	return count(value);
}

// The label of a tick: `250 k`, without trailing zeros.
export function tick(value) {
	if (value < 0) return `-${tick(-value)}`;
	for (const [unit, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
		if (value >= size) return `${Number((value / size).toPrecision(4))} ${unit}`;
	}
	return String(Number(value.toPrecision(4)));
}

// `34.5 %`; `< 0.1 %` if it is small but not zero.
export function share(part, all) {
	if (Number(part) === 0) return "0 %";
	const percent = (Number(part) / Number(all)) * 100;
	if (percent < 0.1) return "< 0.1 %";
	return percent >= 99.95 ? (part === all ? "100 %" : "99.9 %") : `${percent.toFixed(1)} %`;
}

// `9,840`, `1.25 M`: three significant digits.
export function rate(perSecond) {
	if (perSecond >= 999_500) return short(perSecond);
	return perSecond < 1000 ? three(perSecond) : count(Number(perSecond.toPrecision(3)));
}

// `0.4 s`, `12 s`, `3 min`, `7 h 02 min`, `4 d 6 h`; `–` if unknown.
export function duration(seconds) {
	if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "–";
	const past = Math.max(0, seconds);
	if (past < 9.95) return `${past.toFixed(1)} s`;
	if (past < 59.5) return `${Math.round(past)} s`;
	const minutes = Math.round(past / 60);
	if (minutes < 60) return `${minutes} min`;
	if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
	const hours = Math.round(past / 3600);
	return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

// `3 s ago`, in whole seconds.
export function ago(seconds) {
	return `${seconds < 59.5 ? `${Math.max(0, Math.round(seconds))} s` : duration(seconds)} ago`;
}

// `1.2 MB`; 1 MB is 10^6 bytes.
export function bytes(value) {
	const number = Number(value);
	for (const [unit, size] of [["TB", 1e12], ["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
		if (number >= size) return `${(number / size).toFixed(number / size < 99.95 ? 1 : 0)} ${unit}`;
	}
	return `${number} B`;
}

// `1 record`, `3 records`.
export function plural(value, one, many = `${one}s`) {
	return `${count(value)} ${Number(value) === 1 ? one : many}`;
}

function three(number) {
	if (Number.isInteger(number) && number < 1000) return String(number);
	if (number >= 99.95) return number.toFixed(0);
	return number >= 9.995 ? number.toFixed(1) : number.toFixed(2);
}
