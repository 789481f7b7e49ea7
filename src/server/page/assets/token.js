// The form for the token, if the server requires one.

import { byId, el } from "./dom.js";
import { setToken, token } from "./api.js";

// Shows the form; resolves when a token was entered. It is stored for this tab only.
export function askForToken() {
	return new Promise((given) => {
		const wrong = token() !== null;
		setToken(null);
		const input = el("input", {
			type: "password",
			id: "token-text",
			autocomplete: "off",
			spellcheck: "false",
			required: true,
			"aria-describedby": "token-wrong",
		});
		const form = el("form", {}, input, el("button", { type: "submit", class: "button" }, "Open"));
		const node = byId("token");
		form.addEventListener("submit", (event) => {
			event.preventDefault();
			const text = input.value.trim();
			// Header values cannot contain other characters.
			if (!/^[\x20-\x7e]+$/.test(text)) {
				byId("token-wrong").textContent = "A token has only ASCII characters.";
				return;
			}
			setToken(text);
			node.hidden = true;
			node.replaceChildren();
			byId("page").hidden = false;
			given();
		});
		const title = el("h1", {}, "This walbook asks for a token");
		const note = el(
			"p",
			{ class: "note" },
			"It stands in the file that the server was started with (",
			el("code", {}, "--token-file"),
			"), and is kept for this tab only.",
		);
		node.replaceChildren(
			title,
			note,
			el("label", { for: "token-text" }, "Token"),
			form,
			el("p", { class: "wrong", id: "token-wrong", role: "alert" }, wrong ? "This token was not accepted." : ""),
		);
		byId("page").hidden = true;
		byId("events").hidden = true;
		node.hidden = false;
		input.focus();
	});
}
