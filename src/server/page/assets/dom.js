// Elements from data. Names and values only become text nodes and attributes that cannot run code.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
	// Not a submit button.
	if (element.localName === "button") element.type = "button";
	for (const [name, value] of Object.entries(attributes)) {
		if (value === null || value === undefined || value === false) continue;
		if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
		else element.setAttribute(name, value === true ? "" : value);
	}
	element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
	return element;
}

// An HTML element; `on…` attributes are listeners; `null`, `undefined` and `false` are omitted.
export function el(name, attributes = {}, ...children) {
	return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
	return fill(document.createElementNS(SVG, name), attributes, children);
}

// Acts on a plain click of a link; with a modifier it is an ordinary link.
export function onPlainClick(link, act) {
	link.addEventListener("click", (event) => {
		if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
		event.preventDefault();
		act();
	});
}

export function byId(id) {
	return document.getElementById(id);
}

export function setText(element, text) {
	const node = element.firstChild;
	if (node === null) {
		if (text !== "") element.append(text);
	} else if (node.nodeValue !== text) {
		node.nodeValue = text;
	}
}

export function setAttribute(element, name, value) {
	if (value === null) {
		if (element.hasAttribute(name)) element.removeAttribute(name);
	} else if (element.getAttribute(name) !== value) {
		element.setAttribute(name, value);
	}
}

export function unseen(text) {
	return el("span", { class: "unseen" }, text);
}

// The mark of an operation: a square in its colour, a diamond for TRUNCATE.
export function mark(op) {
	return el("i", { class: `mark ${op.toLowerCase()}`, "aria-hidden": "true" });
}

// An icon made of paths, in the colour of the text.
export function icon(...paths) {
	const shapes = paths.map((d) => svg("path", { d }));
	return svg("svg", { class: "icon", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, ...shapes);
}

// Copies a text to the clipboard; resolves to whether that worked.
async function copy(text) {
	try {
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		return false; // Not allowed here (plain http beyond the loopback): the text can still be selected.
	}
}

// A button that copies a text and shows the result in its label.
export function copyButton(label, text) {
	const button = el("button", { class: "link" }, label);
	button.addEventListener("click", async (event) => {
		event.stopPropagation();
		setText(button, (await copy(text())) ? "Copied" : "Select the text to copy it");
		setTimeout(() => setText(button, label), 2000);
	});
	return button;
}
