// Views of the real book: what `walbook query --view` prints, live numbers, malicious names.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { accessible, clean, earlier, grouped, shot } from "../browser.mjs";
import { committed, open, sql, today, walbook } from "./environment.mjs";

const ready = "#groups .row.group";
const rows = (page) =>
  page.$$eval("#groups .row.group", (rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
const query = async (view, ...parameters) =>
  JSON.parse(await walbook("query", "--view", view, "--format", "json", ...parameters)).rows;
const money = (value) => {
  const [euros, cents] = value.toFixed(2).split(".");
  return `${grouped(euros)}.${cents}`;
};

test("a view shows the rows of walbook query, and its chart adds them up", async (t) => {
  await committed("public.orders");
  const page = await open("?range=30d&view=order_states", { ready });
  const from = earlier(await today(), 29);
  const expected = (await query("order_states", "--order", "day DESC, state")).filter(({ day }) => day >= from);
  assert.ok(expected.length > 30, "a row for each day");
  assert.equal(await page.getAttribute("#groups table", "aria-rowcount"), String(expected.length + 1));
  const shown = await rows(page);
  const line = ({ day, state, changes, cents }) => [day, state ?? "null", grouped(changes), cents === null ? "null" : money(cents)];
  assert.deepEqual(shown.map((row) => row.slice(0, 4)), expected.slice(0, shown.length).map(line));
  const changes = expected.reduce((sum, row) => sum + row.changes, 0);
  assert.match(await page.textContent("#readout"), new RegExp(`Total${grouped(changes)}$`));
  t.diagnostic(`${shown.length} of ${expected.length} rows compared`);
  await shot(page, "real-view");
  const [file] = await Promise.all([page.waitForEvent("download"), page.click("#downloads a:visible")]);
  const csv = await readFile(await file.path(), "utf8");
  const [head, ...lines] = (await walbook("query", "--view", "order_states", "--format", "csv", "--order", "day DESC, state")).trim().split("\n");
  assert.equal(csv.trim(), [head, ...lines.filter((line) => line.slice(0, 10) >= from)].join("\n"));
  await clean(page);
});

test("a change in PostgreSQL changes the number of a view, which the next commit has", async (t) => {
  const page = await open("?range=today&view=order_states", { ready });
  const day = await today();
  const began = performance.now();
  await sql("insert into public.orders values (100001, 'live', 1250, null)");
  await page.waitForFunction((day) => [...document.querySelectorAll("#groups .row.group")].some((row) => row.textContent.startsWith(`${day}live11,250.00`)), day);
  t.diagnostic(`from before psql was started until the new group was there: ${Math.round(performance.now() - began)} ms`);
  await sql("update public.orders set total_cents = 999999999 where id = 100001");
  await page.waitForFunction((day) => [...document.querySelectorAll("#groups .row.group")].some((row) => row.textContent.startsWith(`${day}live21,000,001,249.00`)), day);
  await committed("public.orders");
  const live = (await query("order_states")).find((row) => row.day === day && row.state === "live");
  assert.deepEqual([live.changes, live.cents], [2, 1_000_001_249]);
  await sql("delete from public.orders where id = 100001");
  await committed("public.orders");
  await clean(page);
});

test("names and values of a view are text everywhere", async () => {
  const page = await open("?view=evil", { ready });
  const heads = await page.$$eval("#groups thead .word", (words) => words.map((word) => word.textContent));
  assert.deepEqual(heads, ["<script>", "__proto__", "v,"]);
  const expected = await query("evil");
  const shown = await rows(page);
  assert.equal(shown.length, expected.length);
  assert.ok(shown.length >= 6);
  const names = shown.map(([name]) => name);
  for (const name of ["<script>alert(1)</script>", "</td></table><style>*{display:none}</style>"]) assert.ok(names.includes(name), name);
  assert.deepEqual(shown.map((row) => Number(row[1])).sort(), expected.map((row) => row["__proto__"]).sort());
  assert.equal(await page.locator("main script, main img, main style").count(), 0);
  await page.click("#about summary");
  assert.match(await page.textContent("#about pre"), /^CREATE VIEW evil AS/);
  await shot(page, "real-view-evil");
  await clean(page);
});

for (const [name, options] of [
  ["light", {}],
  ["dark", { colorScheme: "dark" }],
  ["narrow", { width: 390, height: 844, hasTouch: true }],
]) {
  test(`axe finds nothing serious in a view: ${name}`, async () => {
    const page = await open("?range=30d&view=order_states", { ready, bypassCSP: true, ...options });
    await accessible(page, name);
    await shot(page, `real-view-${name}`);
    await clean(page);
  });
}
