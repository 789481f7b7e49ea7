// How complete each day is: from the server, never from the browser's clock.

// The states of the days of a range; a day without a state is `absent`.
export class States {
	constructor(days) {
		this.byDay = new Map(days.map(({ day, state }) => [day, state]));
	}

	of(day) {
		return this.byDay.get(day) ?? "absent";
	}

	among(days, state) {
		return days.filter((day) => this.of(day) === state);
	}

	// The state of a sum over days: as complete as its least complete day; absent if the book has none of them.
	over(days) {
		const states = new Set(days.map((day) => this.of(day)));
		for (const state of ["incomplete", "open", "complete"]) if (states.has(state)) return state;
		return "absent";
	}
}

export const STATE_WORDS = {
	complete: "complete",
	open: "day still open",
	incomplete: "not complete, can still grow",
	absent: "not in the book",
};
