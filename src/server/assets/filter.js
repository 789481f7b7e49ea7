// Which tables are looked at. The pattern is that of `walbook query --table`, so that a download holds what is seen.

/** The pattern of a filter as the API takes it; null without a filter. */
export function patternOf(filter) {
	if (filter === "") return null;
	return /[*?]/.test(filter) ? filter : `*${filter}*`;
}

/** A function that tells whether a filter lets `schema.table` through. */
export function matcher(filter) {
	if (filter === "") return () => true;
	if (!/[*?]/.test(filter)) return (name) => name.includes(filter);
	const escaped = filter
		.replace(/[.+^${}()|[\]\\/]/g, "\\$&")
		.replace(/\*/g, "[^]*")
		.replace(/\?/g, "[^]");
	const regex = new RegExp(`^${escaped}$`, "u");
	return (name) => regex.test(name);
}
