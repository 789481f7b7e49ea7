// How much of a partition is there and was not read: records of Kafka, bytes of a slot or a file.

// The lag of a partition in its unit; 0 while it is not known.
export function lagOf({ lag_records: records, lag_bytes: bytes }) {
	return Number(records ?? bytes ?? 0);
}

// How many seconds a status is behind: `{worst, known}`, where `known` tells whether that is so of every partition.
export function secondsBehind(status) {
	const seconds = status.topics.flatMap((topic) => topic.partitions.map((part) => part.lag_seconds ?? null));
	const told = seconds.filter((value) => value !== null);
	return { worst: told.length > 0 ? Math.max(...told) : null, known: told.length === seconds.length };
}

// What the lags of a status count: "records", "bytes", or null while none is known.
export function unitOf(status) {
	const partitions = status.topics.flatMap((topic) => topic.partitions);
	if (partitions.some(({ lag_records: records }) => records !== null && records !== undefined)) return "records";
	return partitions.some(({ lag_bytes: bytes }) => bytes !== null && bytes !== undefined) ? "bytes" : null;
}

// What is still to be read, in its unit; null when that is not known.
export function allBehind(status) {
	if (unitOf(status) === null) return null;
	return status.topics.flatMap((topic) => topic.partitions).reduce((sum, part) => sum + lagOf(part), 0);
}
