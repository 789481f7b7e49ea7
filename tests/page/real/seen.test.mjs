// The page shows the content of the book: each count, each event, each download.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { allRow, clean, earlier, grid, grouped, number, shot, sumOf, tablesOf } from "../browser.mjs";
import { open, parquet, query, range, today, walbook } from "./environment.mjs";

/** Names with invisible characters, as the page writes them. */
const visible = (name) =>
  name.replace("\n", "↵").replace("\u202e", "‹202E›").replace("\u202c", "‹202C›").replace(/^ | $/g, "␣");

/** Compares every number of the grid and of the chart with `walbook query`. */
async function compare(page) {
  const days = await range(page);
  const rows = await query(days, "--by", "day,table,op");
  const tables = tablesOf(rows.map((row) => ({ ...row, schema: visible(row.schema), table: visible(row.table) })));
  await page.waitForFunction(
    (text) => document.querySelector(".grid .all .total .value")?.textContent === text,
    grouped(sumOf(tables)[4]),
    { timeout: 10_000 },
  );
  assert.deepEqual(await allRow(page), sumOf(tables).map(grouped));
  const shown = await grid(page);
  for (const [name, texts] of shown) {
    assert.deepEqual(
      texts,
      (tables.get(name) ?? [0, 0, 0, 0, 0]).map(grouped),
      `${name} in ${days.from} to ${days.to}`,
    );
  }
  const names = new Set(shown.map(([name]) => name));
  assert.deepEqual(
    [...tables.keys()].filter((name) => !names.has(name)),
    [],
    "every table is there",
  );
  return rows;
}

test("in every range, named or not, the counts are those of walbook query", async (t) => {
  const page = await open();
  let numbers = 0;
  for (let preset = 1; preset <= 5; preset++) {
    await page.click(`#presets button:nth-child(${preset})`);
    numbers += (await compare(page)).length;
  }
  const day = await today();
  await page.fill("#from", earlier(day, 23));
  await page.fill("#to", earlier(day, 4));
  await page.waitForFunction((from) => new URLSearchParams(location.search).get("from") === from, earlier(day, 23));
  const rows = await compare(page);
  assert.deepEqual(await range(page), { from: earlier(day, 23), to: earlier(day, 4) });
  t.diagnostic(`${numbers + rows.length} counts compared`);

  await page.click("#chart-table");
  const byDay = new Map();
  for (const { day, count } of rows) byDay.set(day, (byDay.get(day) ?? 0) + count);
  const totals = await page.$$eval(".plot-table tbody tr", (lines) =>
    lines.map((line) => [...line.querySelectorAll("td")].map((cell) => cell.textContent)[4]),
  );
  assert.equal(totals.length, 20);
  assert.deepEqual(totals.map(number).reverse(), [...byDay.values()], "the newest day comes first");
  await page.click("#chart-table");
  await shot(page, "real-20-days");
  await clean(page);
});

test("a cell opens its raw events, page by page those of walbook events", async (t) => {
  const page = await open();
  const day = await today();
  await page.click("#presets button:nth-child(1)");
  await page.waitForSelector('.row.table:has(.name[title="public.orders"]) .update a[href]');
  await page.click('.row.table:has(.name[title="public.orders"]) .update a');
  await page.waitForSelector("#events .event");
  const first = page.locator("#events .event").filter({ hasText: "paid" }).first();
  assert.match(await first.locator(".what").innerText(), /state new→\s*to\s*paid/);
  assert.match(await first.locator(".what").innerText(), /paid & "done" <b>at once<\/b>/);
  await first.locator(".time").click();
  await page.waitForSelector("#events .details .raw");
  assert.match(await page.textContent("#events .details"), /total_cents.*integer/s);
  await shot(page, "real-events");

  const said = await walbook(
    "events",
    "--from",
    day,
    "--to",
    day,
    "--table",
    "public.orders",
    "--op",
    "update",
    "--limit",
    "1000",
    "--format",
    "json",
  );
  const events = JSON.parse(said).rows;
  assert.ok(events.length > 100, "more than two pages");
  assert.equal(await page.textContent("#events .sum b"), grouped(events.length));
  await page.click("text=Raw line");
  const lines = [];
  for (;;) {
    lines.push(...(await page.$$eval("#events .event .raw", (cells) => cells.map((cell) => cell.textContent))));
    if (await page.isDisabled("#events .events-foot button:last-of-type")) break;
    const place = await page.textContent("#events .place");
    await page.keyboard.press("o");
    await page.waitForFunction((text) => document.querySelector("#events .place").textContent !== text, place);
  }
  assert.deepEqual(
    lines,
    events.map(({ data }) => data),
  );
  t.diagnostic(`${lines.length} events compared`);

  const [file] = await Promise.all([page.waitForEvent("download"), page.click("#events .save a:first-of-type")]);
  const csv = await readFile(await file.path(), "utf8");
  assert.equal(
    csv,
    await walbook(
      "events",
      "--from",
      day,
      "--to",
      day,
      "--table",
      "public.orders",
      "--op",
      "update",
      "--limit",
      "1000",
      "--format",
      "csv",
    ),
  );
  await clean(page);
});

test("the downloads contain what is displayed", async () => {
  const page = await open("?range=30d&filter=*.orders");
  const days = await range(page);
  const save = async (child) => {
    const [file] = await Promise.all([page.waitForEvent("download"), page.click(`#downloads a:nth-child(${child})`)]);
    assert.match(file.suggestedFilename(), new RegExp(`counts-${days.from}-${days.to}\\.(csv|parquet)$`));
    return file.path();
  };
  const filter = ["--from", days.from, "--to", days.to, "--table", "*.orders"];
  assert.equal(await readFile(await save(1), "utf8"), await walbook("query", ...filter, "--format", "csv"));
  const rows = await parquet(await save(2));
  assert.deepEqual(rows, await query(days, "--table", "*.orders"));
  assert.equal(
    rows.reduce((sum, { count }) => sum + count, 0),
    number(await page.textContent('.row.table:has(.name[title="public.orders"]) .total .value')),
    "the file and the grid tell the same",
  );
  await clean(page);
});

test("rejects are counted, and shown unchanged", async () => {
  const page = await open();
  await page.waitForFunction(() => /Rejects/.test(document.getElementById("pipeline").textContent));
  await page.click("#pipeline .rejects a");
  await page.waitForSelector("#events .event");
  const list = await page.textContent("#events .list");
  assert.equal(await page.locator("#events .event").count(), 2, list);
  assert.match(list, /<script>alert\(1\)<\/script> � is no UTF-8/);
  await shot(page, "real-rejects");
  await clean(page);
});
