// What the server fails to answer or refuses, until it answers again; and the token that it asks for.

import { askForToken } from "./token.js";
import { Clock } from "./zone.js";

// A subclass has `live`, `load`, `onToken`, `say` and `schedule`.
export class Faults {
	constructor() {
		this.clock = new Clock();
		// Errors by topic (stream, numbers, range, status, download): `{at, status, message}`.
		this.troubles = new Map();
	}

	// Since when the server or the stream has not answered; null while both do.
	get lostAt() {
		return [...this.troubles.values()].find(({ status }) => status === 0)?.at ?? null;
	}

	// What the server refuses: `[topic, message]`, or null.
	get refused() {
		const found = [...this.troubles].find(([, { status }]) => status !== 0);
		return found ? [found[0], found[1].message] : null;
	}

	// Shows the token form if the server requires a token; returns whether it does.
	denied(error) {
		if (error.status !== 401 && error.status !== 403) return false;
		this.giveToken();
		return true;
	}

	async giveToken() {
		if (this.asking) return;
		this.asking = true;
		this.live.close();
		await askForToken();
		this.asking = false;
		this.load();
		this.onToken();
	}

	// Records the failure of a request.
	failed(what, error) {
		if (this.denied(error)) return;
		const wasLost = this.lostAt !== null;
		const known = this.troubles.get(what);
		const at = known && (known.status === 0) === (error.status === 0) ? known.at : this.clock.now();
		this.troubles.set(what, { at, status: error.status, message: error.message });
		if (!wasLost && this.lostAt !== null) this.say("No answer from walbook. The numbers are from before.");
		this.schedule();
	}

	answered(what) {
		const wasLost = this.lostAt !== null;
		if (!this.troubles.delete(what)) return;
		if (wasLost && this.lostAt === null) this.say("walbook answers again.");
		this.schedule();
	}
}
