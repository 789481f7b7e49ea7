// Keys: letters act only outside of fields, and can be turned off.

import { byId, el } from "./dom.js";

const ALL = [
	["/", "filter the tables or groups"],
	["t", "today"],
	["[  ]", "a range earlier, later"],
	["← → ↑ ↓", "move in the chart and in the grid"],
	["Home  End  PageUp  PageDown", "move further"],
	["Enter", "pick a day, open a cell, unfold an event"],
	["Shift Enter", "pick more days"],
	["j  k", "next, previous event"],
	["n  o", "newer, older page of events"],
	["d", "download as CSV"],
	["Esc", "close the panel, then free the day"],
	["?", "these keys"],
];

export class Keys {
	constructor(app) {
		this.app = app;
		this.panel = byId("keys");
		this.opener = byId("keys-open");
		const rows = ALL.map(([keys, words]) =>
			el("div", {}, el("dt", {}, ...keys.split("  ").map((key) => el("kbd", {}, key))), el("dd", {}, words)),
		);
		this.letters = el("input", { type: "checkbox", id: "letters" });
		this.letters.checked = readLetters();
		this.letters.addEventListener("change", () => writeLetters(this.letters.checked));
		const close = el(
			"button",
			{ class: "quiet square close", "aria-label": "Close", onclick: () => this.show(false) },
			"×",
		);
		this.panel.append(
			el("div", { class: "line" }, el("h2", {}, "Keys"), close),
			el("dl", {}, ...rows),
			el("label", { class: "letters" }, this.letters, " Letters act as keys"),
		);
		this.opener.addEventListener("click", () => this.show(this.panel.hidden));
		document.addEventListener("keydown", (event) => this.onKey(event));
	}

	show(open) {
		this.panel.hidden = !open;
		this.opener.setAttribute("aria-expanded", String(open));
		if (open) this.panel.focus();
		else if (this.panel.contains(document.activeElement) || document.activeElement === document.body)
			this.opener.focus();
	}

	onKey(event) {
		if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
		const { app } = this;
		if (event.key === "Escape") {
			if (!this.panel.hidden) this.show(false);
			else if (app.view.open !== null) app.go({ open: null });
			else if (app.view.days !== null) app.go({ days: null });
			return;
		}
		if (!this.letters.checked || event.target.closest?.("input:not([type=checkbox]), textarea, select")) return;
		const act = {
			"/": () => {
				byId("filter-box").classList.add("active");
				byId("filter").focus();
				byId("filter").select();
			},
			t: () => app.go({ preset: "today", days: null }),
			"[": () => app.neighbour(-1),
			"]": () => app.neighbour(1),
			j: () => app.events.isOpen && app.events.move(1),
			k: () => app.events.isOpen && app.events.move(-1),
			n: () => app.events.isOpen && app.events.page(-1),
			o: () => app.events.isOpen && app.events.page(1),
			d: () => (app.events.isOpen ? app.events.panel : byId("downloads")).querySelector("a[download]")?.click(),
			"?": () => this.show(this.panel.hidden),
		}[event.key];
		if (act === undefined) return;
		event.preventDefault();
		act();
	}
}

function readLetters() {
	try {
		return localStorage.getItem("walbook-letters") !== "off";
	} catch {
		return true;
	}
}

function writeLetters(on) {
	try {
		localStorage.setItem("walbook-letters", on ? "on" : "off");
	} catch {
		// Not stored, but valid until the page is closed.
	}
}
