// Chromium for the tests of the page: an opened page records its errors, and `clean` fails if there are any.
//
// WALBOOK_PAGE_TOOLS is a folder whose node_modules has the packages of package.json, WALBOOK_CHROMIUM the browser;
// WALBOOK_PAGE_SHOTS, if set, a folder for screenshots.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before } from "node:test";

const tools = createRequire(`${process.env.WALBOOK_PAGE_TOOLS ?? process.cwd()}/package.json`);
const { chromium } = tools("playwright-core");
const axe = await readFile(tools.resolve("axe-core/axe.min.js"), "utf8");
const SHOTS = process.env.WALBOOK_PAGE_SHOTS ?? null;
if (SHOTS !== null) await mkdir(SHOTS, { recursive: true });

export const OPERATIONS = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"];

let browser = null;
before(async () => {
  // As root Chromium has no sandbox.
  const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
  browser = await chromium.launch({ executablePath: process.env.WALBOOK_CHROMIUM ?? "/usr/bin/chromium", args });
});
after(() => browser?.close());

/**
 * Opens an address and waits until `ready` is there. `expected` matches the errors of the console that the test causes;
 * `init` runs in the page before anything else; what is not named here goes to the browser's context. The browser is in New York, and no book is.
 */
export async function open(address, { width = 1440, height = 900, ready = ".row.table", expected, init, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, timezoneId: "America/New_York", ...options });
  const page = await context.newPage();
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error.stack)));
  page.on("dialog", (dialog) => {
    page.faults.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("console", (message) => {
    const text = `${message.type()}: ${message.text()} (${message.location().url})`;
    const bad = message.type() === "error" || message.type() === "warning" || /Content Security Policy/.test(text);
    if (bad && !expected?.test(text)) page.faults.push(text);
  });
  page.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    const near = protocol === "blob:" || protocol === "data:" || hostname === "127.0.0.1";
    if (!near) page.faults.push(`a request to ${request.url()}`);
  });
  if (init) await page.addInitScript(init);
  await page.goto(address);
  if (ready) await page.waitForSelector(ready, { timeout: 20_000 });
  return page;
}

/**
 * The page's address as a URL, read in the page itself: Playwright's `page.url()` follows a change of the history by a message of
 * its own, which on a busy machine comes after the click or the key that caused it has been answered.
 */
export async function address(page) {
  return new URL(await page.evaluate(() => location.href));
}

/** Fails on any error of a page, and closes it. */
export async function clean(page) {
  assert.equal(await page.locator("#fault").count(), 0, "the page says that it failed");
  assert.deepEqual(page.faults, []);
  await page.context().close();
}

/** Saves a screenshot. */
export async function shot(page, name) {
  if (SHOTS !== null) await page.screenshot({ path: `${SHOTS}/${name}.png` });
}

/** Fails on serious findings of axe; the page must have been opened with `bypassCSP`, because axe is injected. */
export async function accessible(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const words = serious.map(({ id, nodes }) => [
    name,
    id,
    nodes.slice(0, 3).map(({ html, failureSummary }) => [html.slice(0, 200), failureSummary]),
  ]);
  assert.deepEqual(words, []);
}

/** The displayed grid: `[name, [four counts, total]]` as texts, for each visible row. */
export function grid(page) {
  return page.$$eval(".grid .row.table", (rows) => {
    return rows.map((row) => [
      row.querySelector(".name").title,
      [...row.querySelectorAll(".cell .value")].map((cell) => cell.textContent),
    ]);
  });
}

/** The displayed row of sums. */
export function allRow(page) {
  return page.$$eval(".grid .all .cell .value", (cells) => cells.map((cell) => cell.textContent));
}

/** What the grid must show for rows with `schema`, `table`, `op` and `count`: four counts and the total by name. */
export function tablesOf(rows) {
  const tables = new Map();
  for (const { schema, table, op, count } of rows) {
    const name = `${schema}.${table}`;
    if (!tables.has(name)) tables.set(name, [0, 0, 0, 0, 0]);
    tables.get(name)[OPERATIONS.indexOf(op)] += count;
    tables.get(name)[4] += count;
  }
  return tables;
}

/** What the row of sums must show for them. */
export function sumOf(tables) {
  return [...tables.values()].reduce((sum, counts) => sum.map((value, at) => value + counts[at]), [0, 0, 0, 0, 0]);
}

/** A count as the page writes it, and back. */
export const grouped = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, ",");
export const number = (text) => Number(text.replaceAll(",", ""));

/** The day some days before another. */
export function earlier(day, days) {
  return new Date(Date.parse(`${day}T00:00:00Z`) - days * 86_400_000).toISOString().slice(0, 10);
}

/** The displayed sum over all tables. */
export const total = (page) => page.textContent(".grid .all .total .value");

/** Waits until the sum over all tables changes. */
export function otherTotal(page, than, timeout = 10_000) {
  return page.waitForFunction((text) => document.querySelector(".grid .all .total .value").textContent !== text, than, {
    polling: 20,
    timeout,
  });
}

/** Records what moves in a page from now on, for `moved`. */
export function watchMoves(page) {
  return page.evaluate(() => {
    globalThis.moved = [];
    new PerformanceObserver((list) => {
      const nodes = list.getEntries().flatMap(({ sources }) => sources.map(({ node }) => node));
      // A number with one more digit begins further left.
      const others = nodes.filter((node) => !node?.parentElement?.matches(".value, .share span"));
      globalThis.moved.push(...others.map((node) => node?.outerHTML ?? node?.data ?? "a node that is gone"));
    }).observe({ type: "layout-shift" });
  });
}

/** What has moved. */
export const moved = (page) => page.evaluate(() => globalThis.moved);
