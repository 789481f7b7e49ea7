// Requests to the server. Addresses are relative, so that the page also works under a path of a proxy.

import { parseExactly } from "./exact.js";

const TOKEN = "walbook-token";
// The default timeout of a request, in milliseconds.
const ANSWER_TIMEOUT = 20_000;

// The token, if the browser forbids session storage.
let kept = null;

// A failed request: the server's error, or no answer at all (`status` 0).
export class ApiError extends Error {
	constructor(status, message) {
		super(message);
		this.status = status;
	}
}

// The token of this tab, if any.
export function token() {
	try {
		return sessionStorage.getItem(TOKEN) ?? kept;
	} catch {
		return kept;
	}
}

// Stores a token for this tab; null removes it.
export function setToken(value) {
	kept = value;
	try {
		if (value === null) sessionStorage.removeItem(TOKEN);
		else sessionStorage.setItem(TOKEN, value);
	} catch {
		// It is valid until the page is closed.
	}
}

// The address of a request; parameters that are null are omitted.
export function address(path, parameters = {}) {
	const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
	const text = new URLSearchParams(given).toString();
	return text === "" ? `api/${path}` : `api/${path}?${text}`;
}

// Sends a request; resolves when the head of the response has arrived.
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

// Requests JSON; fails after `timeout` milliseconds.
export async function ask(path, parameters, { signal, timeout = ANSWER_TIMEOUT } = {}) {
	const limit = AbortSignal.timeout(timeout);
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

// Saves an answer as a file; resolves to whether it was truncated. Not a link, because a link cannot send a token.
export async function download(url) {
	const response = await request(url);
	const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? "walbook";
	const object = URL.createObjectURL(await response.blob());
	const link = document.createElement("a");
	link.href = object;
	link.download = name;
	link.click();
	// The browser reads the object later; a minute is enough.
	setTimeout(() => URL.revokeObjectURL(object), 60_000);
	return response.headers.has("Walbook-Next-Cursor");
}

async function reason(response) {
	try {
		const { message } = (await response.json()).error;
		if (typeof message === "string" && message !== "") return message;
	} catch {
		// The answer comes from a proxy, not from walbook.
	}
	return `walbook answered ${response.status}.`;
}
