// The filter of tables. Its pattern is that of `walbook query --table`, so that a download matches the page.

// The pattern of a filter for the API; null without a filter.
export function patternOf(filter) {
	if (filter === "") return null;
	return /[*?]/.test(filter) ? filter : `*${filter}*`;
}

// A function that checks whether `schema.table` matches a filter.
export function matcher(filter) {
	if (filter === "") return () => true;
	if (!/[*?]/.test(filter)) return (name) => name.includes(filter);
	const pattern = Array.from(filter);
	return (name) => matches(pattern, Array.from(name));
}

// Only the last `*` can have to match more than at first, so backtracking is linear.
function matches(pattern, name) {
	let [at, star, taken] = [0, -1, 0];
	for (let place = 0; place < name.length; ) {
		if (pattern[at] === "*") {
			star = at++;
			taken = place;
		} else if (at < pattern.length && (pattern[at] === "?" || pattern[at] === name[place])) {
			at++;
			place++;
		} else if (star >= 0) {
			at = star + 1;
			place = ++taken;
		} else {
			return false;
		}
	}
	while (pattern[at] === "*") at++;
	return at === pattern.length;
}
