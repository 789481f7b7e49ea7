// A change in PostgreSQL, and how long it takes until the page shows it: capture, Kafka, run, page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { clean, moved, number, otherTotal, shot, total, watchMoves } from "../browser.mjs";
import { committed, open, sql } from "./environment.mjs";

const CHANGES = 10;

test("an INSERT in PostgreSQL appears soon, and nothing else moves", async (t) => {
  const page = await open("?range=today");
  await watchMoves(page);
  await page.hover(".grid .row.table");
  const delays = [];
  for (let change = 0; change < CHANGES; change++) {
    const before = await total(page);
    const began = performance.now();
    const seen = otherTotal(page, before, 5_000).then(() => performance.now() - began);
    await sql("insert into public.first values (2)");
    delays.push(await seen);
    assert.equal(number(await total(page)), number(before) + 1);
  }
  delays.sort((a, b) => a - b);
  const words = delays.map((delay) => Math.round(delay)).join(", ");
  t.diagnostic(`from before psql was started until the number had changed: ${words} ms`);
  assert.ok(delays[CHANGES - 1] < 5_000, "a change is seen within 5 s");
  assert.deepEqual(await moved(page), []);
  await shot(page, "real-live");
  await clean(page);
});

test("an open list of events does not change, and announces newer events", async () => {
  await committed("public.first");
  const page = await open("?range=today&schema=public&name=first&op=INSERT", { ready: "#events .event" });
  const rows = await page.locator("#events .event").count();
  await sql("insert into public.first values (3)");
  await page.waitForSelector("#events .newer button", { timeout: 15_000 });
  assert.match(await page.textContent("#events .newer"), /1 newer event – show/);
  assert.equal(await page.locator("#events .event").count(), rows);
  await page.click("#events .newer button");
  await page.waitForFunction((rows) => document.querySelectorAll("#events .event").length === rows + 1, rows);
  await clean(page);
});
