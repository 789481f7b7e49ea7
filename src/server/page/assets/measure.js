// The widths of texts, without a layout.

const pen = document.createElement("canvas").getContext("2d");
let face = null;
let mono = null;

// The width of a number or a name in the font of the page.
export function widthOf(text, weight) {
	face ??= getComputedStyle(document.body).fontFamily;
	pen.font = `${weight} 13px ${face}`;
	return pen.measureText(text).width;
}

// The width of a character of an identifier.
export function monoWidth() {
	if (mono === null) {
		pen.font = `12px ${getComputedStyle(document.documentElement).getPropertyValue("--mono")}`;
		mono = pen.measureText("0000000000").width / 10;
	}
	return mono;
}
