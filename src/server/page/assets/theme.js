// The colour theme, before anything is painted: system, light or dark, remembered in this browser. Loaded as a classic
// script in the head, so that the page never shows in the other theme first.
"use strict";
(() => {
	const ORDER = ["system", "light", "dark"];
	const read = () => {
		try {
			const theme = localStorage.getItem("walbook-theme");
			return ORDER.includes(theme) ? theme : "system";
		} catch {
			return "system"; // A browser may forbid storage; the theme is then that of the system.
		}
	};
	const apply = (theme) => {
		if (theme === "system") delete document.documentElement.dataset.theme;
		else document.documentElement.dataset.theme = theme;
	};
	apply(read());
	window.walbookTheme = {
		current: read,
		next() {
			const theme = ORDER[(ORDER.indexOf(read()) + 1) % ORDER.length];
			try {
				localStorage.setItem("walbook-theme", theme);
			} catch {
				// Not stored, but shown.
			}
			apply(theme);
			return theme;
		},
	};
})();
