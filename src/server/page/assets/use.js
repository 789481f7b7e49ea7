// Whether a part of the page is in use: the pointer or the focus is in it, or was a moment ago.

// How long the pointer and the focus must be elsewhere before rows change places.
const REST = 2000;
export const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export class InUse {
	constructor(part, onRest) {
		this.part = part;
		this.pointer = false;
		this.left = -Infinity;
		const leave = () => {
			this.left = performance.now();
			setTimeout(onRest, REST + 50);
		};
		part.addEventListener("pointerenter", () => (this.pointer = true));
		part.addEventListener("pointerleave", () => {
			this.pointer = false;
			leave();
		});
		part.addEventListener("focusout", leave);
	}

	isInUse() {
		const focused = this.part.contains(document.activeElement) && document.activeElement !== this.part;
		return this.pointer || focused || performance.now() - this.left < REST;
	}
}
