// The stream of counts or of a view: Server-Sent Events read with fetch, because an EventSource cannot send a token.

import { ApiError, address, request } from "./api.js";
import { parseExactly } from "./exact.js";

// A stream without data for this many milliseconds is broken: the server sends a heartbeat every 15 s.
const SILENCE = 40_000;

// Splits a stream of text into events; lines may arrive in any pieces.
class EventParser {
	constructor(onEvent, onRetry) {
		this.onEvent = onEvent;
		this.onRetry = onRetry;
		// The pieces of an incomplete line; a snapshot is one line of megabytes.
		this.pieces = [];
		this.clear();
	}

	push(text) {
		let start = 0;
		for (;;) {
			const end = text.indexOf("\n", start);
			if (end < 0) break;
			const line = this.pieces.join("") + text.slice(start, end);
			this.pieces = [];
			this.line(line.endsWith("\r") ? line.slice(0, -1) : line);
			start = end + 1;
		}
		if (start < text.length) this.pieces.push(text.slice(start));
	}

	line(line) {
		if (line === "") {
			if (this.data.length > 0) this.onEvent({ event: this.event, id: this.id, data: this.data.join("\n") });
			this.clear();
			return;
		}
		const colon = line.indexOf(":");
		if (colon === 0) return; // A heartbeat.
		const field = colon < 0 ? line : line.slice(0, colon);
		const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
		if (field === "data") this.data.push(value);
		else if (field === "event") this.event = value;
		else if (field === "id") this.id = value;
		else if (field === "retry" && /^\d+$/.test(value)) this.onRetry(Number(value));
	}

	clear() {
		this.event = "message";
		this.id = null;
		this.data = [];
	}
}

/**
 * Keeps one stream open while the page is visible: `onSnapshot` and `onDelta` get its events, `onLost` and `onBack` the state
 * of the connection. A stream that breaks or is silent resumes after the last event that was applied.
 */
export class Live {
	constructor({ onSnapshot, onDelta, onLost, onBack, onRefused }) {
		Object.assign(this, { onSnapshot, onDelta, onLost, onBack, onRefused });
		this.retry = 2000;
		this.lastId = null;
		this.run = null;
		this.timer = null;
	}

	// Follows the counts of a range of days, or a view, from a snapshot on.
	open(parameters) {
		this.close();
		this.parameters = parameters;
		this.lastId = null;
		this.connect();
	}

	close() {
		const { run } = this;
		this.run = null;
		run?.abort();
		clearTimeout(this.timer);
	}

	async connect() {
		// A browser has few connections to a server; hidden tabs must not use them all.
		if (document.hidden) return;
		const run = new AbortController();
		this.run = run;
		this.wait(run);
		try {
			const headers = { Accept: "text/event-stream" };
			if (this.lastId !== null) headers["Last-Event-ID"] = this.lastId;
			const response = await request(address("live", this.parameters), { signal: run.signal, headers });
			await this.read(response, run);
		} catch (error) {
			if (this.run !== run) return;
			if (!(error instanceof ApiError) && error.name !== "AbortError") throw error;
			if (error instanceof ApiError && error.status !== 0) {
				this.onRefused(error);
				// After a refusal wait longer: there are too many clients, or the token is wrong.
				if (error.status === 401 || error.status === 403) return;
				this.again(run, this.retry * 5);
				return;
			}
		} finally {
			clearTimeout(run.silence);
		}
		if (this.run !== run) return;
		this.onLost();
		this.again(run, this.retry);
	}

	again(run, delay) {
		this.timer = setTimeout(() => {
			if (this.run === run) this.connect();
		}, delay);
	}

	// Restarts the timeout of the stream.
	wait(run) {
		clearTimeout(run.silence);
		run.silence = setTimeout(() => run.abort(), SILENCE);
	}

	async read(response, run) {
		const parser = new EventParser(
			({ event, id, data }) => {
				if (this.run !== run) return;
				if (event === "snapshot") this.onSnapshot(parseExactly(data));
				else if (event === "delta") this.onDelta(parseExactly(data));
				// Remember an event only after it was applied; applying it may have opened another stream.
				if (id !== null && this.run === run) this.lastId = id;
			},
			(retry) => {
				this.retry = Math.min(retry, 60_000);
			},
		);
		const reader = response.body.getReader();
		const decoder = new TextDecoder();
		this.onBack();
		for (;;) {
			const { done, value } = await reader.read().catch(() => ({ done: true }));
			if (done || this.run !== run) return;
			this.wait(run);
			parser.push(decoder.decode(value, { stream: true }));
		}
	}
}
