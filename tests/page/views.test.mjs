// The view: ranges, days, filter, order, the address, downloads.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { address, allRow, clean, earlier, grid, grouped, number, sumOf, tablesOf, total } from "./browser.mjs";
import { TODAY, api, open } from "./invented_page.mjs";

test("a selected range is in the address and survives a reload", async () => {
  const page = await open("typical");
  assert.equal(await page.getAttribute("#presets button:nth-child(2)", "aria-pressed"), "true");
  await page.click("#presets button:nth-child(3)");
  assert.match((await address(page)).href, /\?range=30d$/);
  assert.equal(await page.inputValue("#from"), earlier(TODAY, 29));
  await page.reload();
  await page.waitForSelector(".row.table");
  assert.equal(await page.getAttribute("#presets button:nth-child(3)", "aria-pressed"), "true");
  await page.fill("#from", earlier(TODAY, 3));
  await page.waitForFunction(() => document.getElementById("range").classList.contains("own"));
  assert.equal((await address(page)).searchParams.get("from"), earlier(TODAY, 3));
  assert.equal((await address(page)).searchParams.get("to"), TODAY);
  await page.goBack();
  await page.waitForFunction(
    () => document.querySelector("#presets button:nth-child(3)").getAttribute("aria-pressed") === "true",
  );
  await page.fill("#to", "1999-01-01");
  await page.waitForFunction(() => document.getElementById("range-wrong").textContent !== "");
  assert.equal(await page.getAttribute("#to", "aria-invalid"), "true");
  assert.match((await address(page)).href, /range=30d$/, "a wrong range changes nothing");
  await clean(page);
});

test("the grid shows the counts of the API, and they add up", async () => {
  const page = await open("typical", "?range=7d");
  const { rows } = await api("typical", `counts?from=${earlier(TODAY, 6)}&to=${TODAY}&by=day,table,op`);
  const tables = tablesOf(rows);
  const shown = new Map(await grid(page));
  for (const [name, counts] of tables)
    if (shown.has(name)) assert.deepEqual(shown.get(name), counts.map(grouped), name);
  assert.ok(shown.size > 0);
  assert.deepEqual(await allRow(page), sumOf(tables).map(grouped));
  await clean(page);
});

test("the filter is that of the API's patterns, and columns still add up", async () => {
  const page = await open("typical", "?range=7d");
  const [first] = (await grid(page))[0];
  const part = first.split(".")[1].slice(0, 4);
  await page.keyboard.press("/");
  await page.keyboard.type(part);
  await page.waitForFunction(
    (text) =>
      document.getElementById("filter-found").textContent.includes("of") &&
      location.search.includes(encodeURIComponent(text)),
    part,
  );
  const names = (await grid(page)).map(([name]) => name);
  assert.ok(names.length > 0 && names.every((name) => name.includes(part)), String(names));
  const { rows } = await api(
    "typical",
    `counts?from=${earlier(TODAY, 6)}&to=${TODAY}&by=table,op&table=${encodeURIComponent(`*${part}*`)}`,
  );
  const counted = new Set(rows.map(({ schema, table }) => `${schema}.${table}`));
  assert.ok([...counted].every((name) => names.includes(name)));
  const totals = await page.$$eval(".grid tbody .total .value", (cells) => cells.map((cell) => cell.textContent));
  const all = await total(page);
  assert.equal(
    totals.map(number).reduce((a, b) => a + b, 0),
    number(all),
  );
  await page.fill("#filter", "no.such*table");
  await page.waitForSelector(".grid .none button");
  assert.match(await page.textContent(".grid .none"), /No table matches no\.such\*table/);
  await page.click(".grid .none button");
  await page.waitForSelector(".row.table");
  await clean(page);
});

test("columns sort, and show it", async () => {
  const page = await open("typical", "?range=7d");
  const total = async () => (await grid(page)).map(([, counts]) => number(counts[4]));
  const down = await total();
  assert.deepEqual(
    down,
    [...down].sort((a, b) => b - a),
  );
  await page.click("th.total button");
  assert.equal(await page.getAttribute("th.total[aria-sort]", "aria-sort"), "ascending");
  const up = await total();
  assert.deepEqual(
    up,
    [...up].sort((a, b) => a - b),
  );
  await page.click("th.name button");
  const names = (await grid(page)).map(([name]) => name);
  assert.deepEqual(names, [...names].sort());
  await clean(page);
});

test("a click on a day narrows the grid, a second one clears it", async () => {
  const page = await open("typical", "?range=7d");
  await page.waitForSelector(".days[aria-valuetext]");
  const box = await page.locator(".days").boundingBox();
  await page.mouse.click(box.x + (box.width * 6.5) / 7, box.y + 100);
  assert.equal((await address(page)).searchParams.get("day"), TODAY);
  const { rows } = await api("typical", `counts?from=${TODAY}&to=${TODAY}&by=day,table,op`);
  const sum = rows.reduce((all, { count }) => all + count, 0);
  assert.equal(await total(page), grouped(sum));
  await page.keyboard.press("Escape");
  assert.equal((await address(page)).searchParams.get("day"), null);
  await clean(page);
});

test("a view with events can be shared", async () => {
  const page = await open("typical", "?range=7d");
  const href = await page.locator(".grid .row.table a.cell[href]").first().getAttribute("href");
  const other = await open("typical", href.replace("./", ""));
  await other.waitForSelector("#events .event");
  assert.equal(await other.locator(".cell.opened").count(), 1);
  await clean(page);
  await clean(other);
});

test("the CSV contains the displayed rows", async () => {
  const page = await open("typical", "?range=7d");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#downloads a:first-child")]);
  const csv = await readFile(await download.path(), "utf8");
  const [head, ...lines] = csv.trim().split("\n");
  assert.equal(head, "day,schema,table,op,count");
  const { rows } = await api("typical", `counts?from=${earlier(TODAY, 6)}&to=${TODAY}&by=day,table,op&level=durable`);
  assert.equal(lines.length, rows.length);
  assert.match(download.suggestedFilename(), new RegExp(`counts-${earlier(TODAY, 6)}-${TODAY}\\.csv$`));
  await clean(page);
});

test("numbers beyond 2^53 stay exact", async () => {
  const page = await open("huge", "?from=2026-11-09&to=2026-11-22");
  assert.equal(await page.textContent(".row.table .insert .value"), "9,007,199,254,740,993");
  assert.equal(await total(page), "9,007,199,254,741,002");
  await clean(page);
});
