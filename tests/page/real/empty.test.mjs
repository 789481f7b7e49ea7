// An empty book, and its first change.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, clean, earlier, grid, shot } from "../browser.mjs";
import { open, sql, today } from "./environment.mjs";

test("an empty book is shown as such and fills by itself; no data, zero and a count look different", async () => {
  const page = await open("", { ready: ".grid .none", bypassCSP: true });
  assert.match(await page.textContent(".grid .none"), /No change has arrived yet.*This page fills by itself/s);
  await page.waitForFunction(() =>
    /Waiting for the first record/.test(document.getElementById("state-word").textContent),
  );
  assert.equal(await page.locator(".grid .cell:visible").count(), 0, "no numbers, not even zeros");
  await accessible(page, "empty");
  await shot(page, "real-empty");

  await sql("create table public.first (id integer); insert into public.first values (1)");
  await page.waitForSelector('.row.table .name[title="public.first"]', { timeout: 15_000 });
  assert.equal((await grid(page))[0][1][0], "1");
  await page.waitForFunction(() => document.querySelector(".row.table .update .value").textContent === "0");
  assert.deepEqual(await grid(page), [["public.first", ["1", "0", "0", "0", "1"]]]);
  await page.waitForFunction(() => /Not in the book/.test(document.getElementById("plot").textContent));
  await shot(page, "real-first");

  const day = await today();
  await page.fill("#from", earlier(day, 9));
  await page.fill("#to", earlier(day, 3));
  await page.waitForFunction(() => document.querySelector(".row.table .total .value")?.textContent === "–");
  assert.deepEqual(await grid(page), [["public.first", ["–", "–", "–", "–", "–"]]]);
  await clean(page);
});
