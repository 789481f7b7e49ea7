// Questions to the server. Addresses are relative, so that the page also works behind a path of a proxy.

import { parseExactly } from "./exact.js";

const TOKEN = "walbook-token";
// How long an answer may take where nobody says otherwise, in milliseconds.
const PATIENCE = 20_000;

// The token where the browser keeps nothing for a tab.
let kept = null;

// An answer that is none: what the server said, or that it said nothing (`status` 0).
export class ApiError extends Error {
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

// The token that was given for this tab, if any.
export function token() {
	try {
		return sessionStorage.getItem(TOKEN) ?? kept;
	} catch {
		return kept;
	}
}

// Keeps a token for this tab; null forgets it.
export function setToken(value) {
	kept = value;
	try {
		if (value === null) sessionStorage.removeItem(TOKEN);
		else sessionStorage.setItem(TOKEN, value);
	} catch {
		// It holds until the page is left.
	}
}

// The address of a question; parameters that are null are left out.
export function address(path, parameters = {}) {
	const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
	const text = new URLSearchParams(given).toString();
	return text === "" ? `api/${path}` : `api/${path}?${text}`;
}

// Sends a question and gives the response once its head is there.
export async function request(url, { signal, headers = {} } = {}) {
	const given = token();
	if (given !== null) headers.Authorization = `Bearer ${given}`;
	let response;
	try {
		response = await fetch(url, { signal, headers, cache: "no-store" });
	} catch (error) {
		if (error.name === "AbortError") throw error;
		throw new ApiError(0, "No answer from walbook.");
	}
	if (!response.ok) throw new ApiError(response.status, await reason(response));
	return response;
}

// Asks for JSON; an answer that is not there after `patience` milliseconds is none.
export async function ask(path, parameters, { signal, patience = PATIENCE } = {}) {
	const limit = AbortSignal.timeout(patience);
	const response = await request(address(path, parameters), { signal: signal ? AbortSignal.any([signal, limit]) : limit });
	let text;
	try {
		text = await response.text();
	} catch (error) {
		if (error.name === "AbortError") throw error;
		throw new ApiError(0, "The answer from walbook broke off.");
	}
	try {
		return parseExactly(text);
	} catch {
		throw new ApiError(0, "The answer was not JSON; is this address that of walbook?");
	}
}

// Saves an answer as a file, and says whether it is cut. With a token a link would not do: it cannot send one.
export async function download(url) {
	const response = await request(url);
	const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? "walbook";
	const object = URL.createObjectURL(await response.blob());
	const link = document.createElement("a");
	link.href = object;
	link.download = name;
	link.click();
	// The browser reads the object after this turn of its loop; a minute is ample.
	setTimeout(() => URL.revokeObjectURL(object), 60_000);
	return response.headers.has("Walbook-Next-Cursor");
}

async function reason(response) {
	try {
		const { message } = (await response.json()).error;
		if (typeof message === "string" && message !== "") return message;
	} catch {
		// Not from walbook, but from something between.
	}
	return `walbook answered ${response.status}.`;
}
