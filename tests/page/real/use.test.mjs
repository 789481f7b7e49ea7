// The real page for everyone: keyboard only, screen reader, light and dark, wide and narrow, reduced motion.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, clean, earlier, shot } from "../browser.mjs";
import { open, range, sql, today } from "./environment.mjs";

test("everything can be done with the keyboard alone", async () => {
  const page = await open("?range=30d");
  const active = (selector) => page.evaluate((selector) => document.activeElement.matches(selector), selector);
  const order = [];
  for (let tabs = 0; tabs < 40 && !(await active(".row .cell")); tabs++) {
    await page.keyboard.press("Tab");
    order.push(await page.evaluate(() => document.activeElement.id || document.activeElement.className));
  }
  assert.ok(await active(".row .cell"), `a cell is reached by Tab alone: ${order.join(", ")}`);
  const places = ["from", "to", "filter"].map((id) => order.indexOf(id));
  assert.ok(places[0] > 0 && places[0] < places[1] && places[1] < places[2], `the order is that of the page: ${order}`);
  await page.keyboard.press("Home");
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#events .event");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#events .details");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#events", { state: "hidden" });
  assert.ok(await active(".row .total .cell"), "the focus is where it was");

  const day = await today();
  await page.focus("#from");
  const [year, month, date] = earlier(day, 5).split("-");
  await page.keyboard.type(`${month}${date}${year}`);
  await page.waitForFunction((from) => new URLSearchParams(location.search).get("from") === from, earlier(day, 5));
  assert.deepEqual(await range(page), { from: earlier(day, 5), to: day });
  await page.keyboard.press("Tab");
  await clean(page);
});

for (const [name, options] of [
  ["light", {}],
  ["dark", { colorScheme: "dark" }],
  ["narrow", { width: 390, height: 844, hasTouch: true }],
  ["narrow-dark", { width: 390, height: 844, hasTouch: true, colorScheme: "dark" }],
]) {
  test(`axe finds nothing serious: ${name}`, async () => {
    const page = await open("?range=30d", { bypassCSP: true, ...options });
    await accessible(page, name);
    await shot(page, `real-${name}`);
    await page.locator(".grid .row.table a.cell[href]").first().click();
    await page.waitForSelector("#events .event");
    await page.locator("#events .time").first().click();
    await accessible(page, `${name} with events`);
    await shot(page, `real-${name}-events`);
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${over} px too wide`);
    await clean(page);
  });
}

test("with reduced motion a count changes at once, and nothing moves", async () => {
  const page = await open("?range=today", { reducedMotion: "reduce" });
  const cell = page.locator('.row.table:has(.name[title="public.first"]) .insert');
  const before = await cell.locator(".value").textContent();
  await sql("insert into public.first values (0)");
  await page.waitForFunction(
    (before) =>
      document.querySelector('.row.table:has(.name[title="public.first"]) .insert .value').textContent !== before,
    before,
  );
  assert.equal(await page.locator(".flash").count(), 0);
  assert.deepEqual(await page.evaluate(() => document.getAnimations().map(({ animationName }) => animationName)), []);
  await clean(page);
});
