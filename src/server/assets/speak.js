// What a screen reader is told without asking: changes of state only, never numbers, at most every 30 seconds.

import { byId, setText } from "./dom.js";

const PAUSE = 30_000;

export class Speaker {
	constructor() {
		this.node = byId("speak");
		this.last = -Infinity;
		this.timer = null;
	}

	// Says a sentence at once, or, when another was said just now, the newest one later.
	say(text) {
		clearTimeout(this.timer);
		const wait = this.last + PAUSE - performance.now();
		if (wait > 0) {
			this.timer = setTimeout(() => this.say(text), wait);
			return;
		}
		this.last = performance.now();
		setText(this.node, text);
	}
}
