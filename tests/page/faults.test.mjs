// Faults: no answer, refusals, late answers, the end of a day.

import assert from "node:assert/strict";
import { test } from "node:test";
import { clean, grouped, otherTotal, total } from "./browser.mjs";
import { TODAY, api, mock, open } from "./invented_page.mjs";

const text = (page, selector, pattern, timeout = 5000) =>
  page.waitForFunction(
    ([selector, pattern]) => new RegExp(pattern).test(document.querySelector(selector)?.textContent),
    [selector, pattern.source],
    { timeout },
  );

test("counts are not shown as live when the stream is silent", async () => {
  // The timeout is shorter here than 40 s, but longer than the interval of the status.
  const init = () => {
    const later = setTimeout;
    globalThis.setTimeout = (act, time, ...rest) => later(act, time === 40_000 ? 7000 : time, ...rest);
  };
  const page = await open("silent", "?range=7d", { init });
  const book = mock.book("silent");
  book.silent = true;
  await page.waitForTimeout(500);
  const [before, numbers] = [await page.textContent("#complete-to"), await total(page)];
  assert.match(before, /^Complete to/);
  await page.waitForTimeout(5500);
  assert.equal(await page.textContent("#complete-to"), before, "a status alone makes no number newer");
  assert.equal(await total(page), numbers);
  await text(page, "#state-word", /Not connected/);
  book.silent = false;
  await otherTotal(page, numbers);
  await text(page, "#state-word", /^Live$/);
  await clean(page);
});

test("a hidden tab has no stream", async () => {
  const init = () => {
    globalThis.unseen = true;
    Object.defineProperty(Document.prototype, "hidden", { get: () => globalThis.unseen });
  };
  const page = await open("unseen", "?range=7d", { init, ready: ".row.waiting" });
  const { listeners } = mock.book("unseen");
  const see = (unseen) =>
    page.evaluate((unseen) => {
      globalThis.unseen = unseen;
      document.dispatchEvent(new Event("visibilitychange"));
    }, unseen);
  await page.waitForTimeout(1000);
  assert.equal(listeners.size, 0);
  await see(false);
  await page.waitForSelector(".row.table");
  assert.equal(listeners.size, 1);
  await see(true);
  await page.waitForTimeout(500);
  assert.equal(listeners.size, 0);
  await clean(page);
});

test("a refusal is shown in its place, and only while it lasts", async () => {
  const page = await open("busy", "?range=7d", { expected: /503/ });
  const book = mock.book("busy");
  book.refusals.events = 1;
  await page.locator(".grid .row.table a.cell[href]").first().click();
  await text(page, "#events .list", /too many questions/);
  assert.equal(await page.textContent("#strips"), "", "the numbers are there all the same");
  await page.click("#events .none button");
  await page.waitForSelector("#events .event");
  book.refusals.days = 1;
  await page.click("#presets button:nth-child(3)");
  await text(page, "#strips", /Too many questions at once\..*Retry/);
  await text(page, "#strips", /^$/, 10_000);
  await text(page, "#readout", /24 Oct – 22 Nov/);
  await clean(page);
});

test("after two quick changes of the range the counts are those of the named range", async () => {
  const page = await open("slow", "?range=7d&day=2026-11-20");
  const ofDay = await total(page);
  mock.book("slow").delay = 700;
  await page.click("#presets button:nth-child(3)");
  await page.waitForTimeout(100);
  await text(page, "#readout", /20 Nov/);
  await page.click("#presets button:nth-child(2)");
  await otherTotal(page, ofDay);
  const { rows } = await api("slow", `counts?from=2026-11-16&to=${TODAY}&by=op`);
  assert.equal(await total(page), grouped(rows.reduce((sum, { count }) => sum + count, 0)));
  await text(page, "#readout", /16 – 22 Nov/);
  await clean(page);
});

test("rejects are those of the displayed days", async () => {
  const page = await open("typical", "?range=today");
  await text(page, "#pipeline .rejects", /none in this range · 3 in the book/);
  await page.click("#pipeline .rejects a");
  await text(page, "#events .list", /No record of these days/);
  await page.click("#presets button:nth-child(2)");
  await page.waitForFunction(() => document.querySelectorAll("#events .event").length === 2);
  await text(page, "#events .sum", /^3 records/);
  await clean(page);
  const day = await open("typical", "?range=7d&day=2026-11-18&rejects=1", { ready: "#events .event" });
  await text(day, "#events .place", /^1 – 1 of 2$/);
  await clean(day);
});

test("at midnight the panel includes the new day", async () => {
  const page = await open("midnight", "?range=today&schema=public&name=orders", { ready: "#events .event" });
  const book = mock.book("midnight");
  assert.match(await page.textContent("#events .chip:nth-of-type(2)"), /22 Nov/);
  book.today = "2026-11-23";
  book.change([{ schema: "public", table: "orders", op: "INSERT", by: 2 }]);
  await page.waitForFunction(() => /23 Nov/.test(document.querySelector("#events .events-head").textContent));
  await text(page, "#events .place", /^1 – 2 of 2$/);
  await text(page, "#readout", /23 Nov/);
  assert.equal(await page.inputValue("#to"), "2026-11-23");
  await clean(page);
});

test("two clicks on Older move one page while the answer is in flight", async () => {
  const page = await open("typical", "?range=7d&schema=public&name=orders", { ready: "#events .event" });
  await page.evaluate(() => {
    const [, older] = document.querySelectorAll(".events-foot .button");
    older.click();
    older.click();
  });
  await text(page, "#events .place", /^51 – 100 of/);
  await page.waitForTimeout(300);
  assert.match(await page.textContent("#events .place"), /^51 – 100 of/);
  await clean(page);
});
