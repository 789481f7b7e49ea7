// What changes by itself and what does not: changes, a server that is down, no stream.

import assert from "node:assert/strict";
import { test } from "node:test";
import { clean, grid, moved, number, otherTotal, shot, total, watchMoves } from "./browser.mjs";
import { api, mock, open } from "./invented_page.mjs";

test("a count changes live, and nothing else moves", async (t) => {
  const page = await open("typical", "?range=7d");
  await watchMoves(page);
  const before = await total(page);
  await page.hover(".grid .row.table");
  const places = () =>
    page.$$eval(".grid .row.table", (rows) =>
      rows.map((row) => [row.querySelector(".name").title, row.getBoundingClientRect().top]),
    );
  const stood = await places();
  const start = performance.now();
  const [, counts] = (await grid(page)).find(([name]) => name === "Sales Dept.Q1:2024");
  assert.notEqual(counts[0], "5,000,000");
  mock.book("typical").change([{ schema: "Sales Dept", table: "Q1:2024", op: "INSERT", by: 5_000_000 }]);
  await otherTotal(page, before);
  t.diagnostic(`seen after ${Math.round(performance.now() - start)} ms`);
  await page.waitForTimeout(300);
  assert.deepEqual(await places(), stood, "rows stay where they are while the pointer is on them");
  assert.deepEqual(await moved(page), []);
  await page.mouse.move(5, 5);
  await page.waitForFunction(
    () => document.querySelector(".grid .row.table .name").title === "Sales Dept.Q1:2024",
    null,
    { timeout: 5000 },
  );
  mock.book("typical").change([{ schema: "Sales Dept", table: "Q1:2024", op: "INSERT", by: -5_000_000 }]);
  await clean(page);
});

test("a changed cell flashes; with reduced motion it does not", async () => {
  for (const [reducedMotion, flashes] of [
    ["no-preference", 1],
    ["reduce", 0],
  ]) {
    const page = await open("typical", "?range=7d", { reducedMotion });
    mock.book("typical").change([{ schema: "public", table: "orders", op: "INSERT" }]);
    await page.waitForTimeout(450);
    assert.equal(await page.locator(".flash").count(), flashes, reducedMotion);
    await clean(page);
  }
});

test("when the server is down the counts stay, with the time, until it answers again", async () => {
  const page = await open("live", "?range=7d", { expected: /net::ERR_/ });
  const book = mock.book("live");
  book.gone = true;
  for (const cut of book.listeners.values()) cut();
  await page.waitForFunction(() => document.getElementById("state-word").textContent === "Not connected");
  const before = await total(page);
  await page.waitForFunction(
    () => /No answer from walbook since/.test(document.getElementById("strips").textContent),
    null,
    { timeout: 10_000 },
  );
  assert.equal(await total(page), before);
  await shot(page, "gone");
  book.gone = false;
  await otherTotal(page, before);
  await page.waitForFunction(() => document.getElementById("state-word").textContent === "Live", null, { timeout: 3000 });
  await page.waitForFunction(() => document.getElementById("strips").textContent === "", null, { timeout: 3000 });
  const { rows } = await api("live", `counts?from=2026-11-16&to=2026-11-22&by=op`);
  const sum = rows.reduce((all, { count }) => all + count, 0);
  const shown = number(await total(page));
  assert.ok(Math.abs(sum - shown) < 50, "nothing was missed while it was gone");
  await clean(page);
});

test("without a stream the counts are polled", async () => {
  const page = await open("full", "?range=7d", { expected: /503/ });
  const before = await total(page);
  mock.book("full").change([{ schema: "public", table: "orders", op: "INSERT", by: 1000 }]);
  await otherTotal(page, before);
  await clean(page);
});
