// How much of a partition was not read yet: records of Kafka, bytes of a slot or a file.

// The lag of a partition in its unit; 0 if unknown.
export function lagOf({ lag_records: records, lag_bytes: bytes }) {
	return Number(records ?? bytes ?? 0);
}

// How many seconds a status is behind: `{worst, known}`; `known` is whether the lag of every partition is known.
export function secondsBehind(status) {
	const seconds = status.topics.flatMap((topic) => topic.partitions.map((part) => part.lag_seconds ?? null));
	const told = seconds.filter((value) => value !== null);
	return { worst: told.length > 0 ? Math.max(...told) : null, known: told.length === seconds.length };
}

// The unit of the lags of a status: "records", "bytes", or null while none is known.
export function unitOf(status) {
	const partitions = status.topics.flatMap((topic) => topic.partitions);
	if (partitions.some(({ lag_records: records }) => records !== null && records !== undefined)) return "records";
	return partitions.some(({ lag_bytes: bytes }) => bytes !== null && bytes !== undefined) ? "bytes" : null;
}

// What is still to be read, in its unit; null if unknown.
export function allBehind(status) {
	if (unitOf(status) === null) return null;
	return status.topics.flatMap((topic) => topic.partitions).reduce((sum, part) => sum + lagOf(part), 0);
}
