// Announcements for screen readers: changes of state only, never counts, at most every 30 seconds.

import { byId, setText } from "./dom.js";

const PAUSE = 30_000;

export class Announcer {
	constructor() {
		this.node = byId("speak");
		this.last = -Infinity;
		this.timer = null;
	}

	// Announces a sentence at once; soon after another one only the newest, later.
	announce(text) {
		clearTimeout(this.timer);
		const wait = this.last + PAUSE - performance.now();
		if (wait > 0) {
			this.timer = setTimeout(() => this.announce(text), wait);
			return;
		}
		this.last = performance.now();
		setText(this.node, text);
	}
}
