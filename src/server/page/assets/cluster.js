// The processes of a run: whether all answer and reach what they read.

import { duration, plural } from "./format.js";

// What is wrong with a process: `{process, address, name, said, short, means}`; null if nothing is, or there is one process.
export function clusterFault({ cluster, state }) {
	const silent = cluster?.processes.find(({ answers }) => !answers);
	if (silent) {
		const time = duration(silent.last_contact_ms / 1000);
		const means = "Nothing is committed meanwhile. After 10 s without an answer all processes end.";
		return faultOf(silent, `has not answered for ${time}`, `silent for ${time}`, means);
	}
	// A short loss is none; and where no process reaches Kafka the header says so.
	const lost = cluster?.processes.find(({ source_error: error }) => error);
	const reached = cluster?.processes.some(({ source_error: error }) => error === null);
	if (!lost || !reached || state !== "disconnected") return null;
	const means = "Partitions that it reads stand still; the others are read and committed.";
	return faultOf(lost, "does not reach Kafka", "does not reach Kafka", means);
}

function faultOf({ process, address }, said, short, means) {
	return { process, address, name: `Process ${process} (${address})`, said, short, means };
}

// `2 processes`, `2 workers each; all answer`.
export function clusterWords({ processes }) {
	const { workers } = processes[0];
	const answering = processes.filter(({ answers }) => answers).length;
	const all = answering === processes.length ? "all answer" : `${answering} of ${processes.length} answer`;
	return [plural(processes.length, "process", "processes"), `${plural(workers, "worker")} each; ${all}.`];
}
