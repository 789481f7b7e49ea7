// Interaction: opening cells, keyboard only, a token, a narrow screen, a screen reader.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { accessible, address, clean, earlier, grouped, number, otherTotal, shot, total } from "./browser.mjs";
import { TODAY, mock, open } from "./invented_page.mjs";

test("a click on a cell shows its events in pages, and closing restores the focus", async () => {
  const page = await open("typical", "?range=7d");
  const cell = page.locator(".grid .row.table a.cell[href]").first();
  const text = await cell.locator(".value").textContent();
  await cell.click();
  await page.waitForSelector("#events .event");
  assert.equal(await page.textContent("#events .sum b"), text);
  const first = await page.textContent("#events .event .time");
  const rows = await page.locator("#events .event").count();
  assert.equal(rows, Math.min(50, number(text)));
  if (number(text) > 50) {
    await page.keyboard.press("o");
    await page.waitForFunction(() => document.querySelector("#events .place").textContent.startsWith("51 –"));
    assert.notEqual(await page.textContent("#events .event .time"), first);
    await page.keyboard.press("n");
    await page.waitForFunction(() => document.querySelector("#events .place").textContent.startsWith("1 –"));
    assert.equal(await page.textContent("#events .event .time"), first);
  }
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#events .details .raw");
  assert.match(await page.textContent("#events .details .raw"), /^table /);
  await shot(page, "events");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#events", { state: "hidden" });
  assert.equal(await page.evaluate(() => document.activeElement.querySelector(".value")?.textContent), text);
  await clean(page);
});

test("a condition finds events, is part of the address, and says what is wrong with it", async () => {
  const page = await open("typical", "?range=7d&schema=public&name=orders", { ready: "#events .event", expected: /400/ });
  await page.fill("#events input", "new.id::bigint = 42");
  await page.press("#events input", "Enter");
  await page.waitForFunction(() => document.querySelector("#events .place").textContent === "1 – 3");
  assert.equal(await page.locator("#events .event").count(), 3);
  const said = "newest first; 1 value could not be computed, as new.id::BIGINT of 'x'";
  assert.equal(await page.textContent("#events .sum"), said);
  assert.equal((await address(page)).searchParams.get("where"), "new.id::bigint = 42");
  await page.reload();
  await page.waitForFunction(() => document.querySelector("#events .place")?.textContent === "1 – 3");
  assert.equal(await page.inputValue("#events input"), "new.id::bigint = 42");
  await shot(page, "condition");
  await page.fill("#events input", "wrong = 1");
  await page.press("#events input", "Enter");
  await page.waitForSelector("#events .none pre");
  assert.match(await page.textContent("#events .none pre"), /column 1: there is no column wrong\n {4}wrong = 1\n {4}\^$/);
  await page.fill("#events input", "");
  await page.press("#events input", "Enter");
  await page.waitForFunction(() => document.querySelector("#events .place")?.textContent.startsWith("1 – 50 of "));
  assert.equal((await address(page)).searchParams.has("where"), false);
  await clean(page);
});

test("newer events are announced when they are on disk, and shown on request", async () => {
  const page = await open("typical", "?range=7d&schema=public&name=orders&op=INSERT", { ready: "#events .event" });
  const sum = async () => number(await page.textContent("#events .sum b"));
  const [before, all] = [await sum(), await total(page)];
  const book = mock.book("typical");
  book.hold();
  // A commit without changes of this cell.
  book.commit += 1;
  book.change([{ schema: "public", table: "orders", op: "INSERT" }]);
  await otherTotal(page, all);
  await page.waitForTimeout(500);
  assert.equal(await page.locator("#events .newer button").count(), 0, "it could not be shown yet");
  book.write();
  await page.waitForSelector("#events .newer button");
  assert.equal(await page.textContent("#events .newer"), "1 newer event – show");
  assert.equal(await sum(), before, "the list stays as it is");
  await page.click("#events .newer button");
  await page.waitForFunction(
    (sum) => document.querySelector("#events .sum b").textContent === sum,
    grouped(before + 1),
  );
  assert.equal(await page.locator("#events .newer button").count(), 0);
  await clean(page);
});

test("a page that ends early continues where it ended, and a truncated file is reported", async () => {
  const page = await open("typical", "?range=7d");
  // As with large rows: twenty rows instead of the requested fifty, and a file with a next cursor.
  await page.route("**/api/events?*", async (route) => {
    const url = route.request().url().replace(/limit=\d+/, "limit=20");
    const answer = await route.fetch({ url });
    const headers = url.includes("format=csv") ? { ...answer.headers(), "walbook-next-cursor": "n7" } : answer.headers();
    await route.fulfill({ response: answer, headers });
  });
  await page.locator(".grid .row.table a.cell[href]").first().click();
  await page.waitForSelector("#events .event");
  const place = (text) =>
    page.waitForFunction((text) => document.querySelector("#events .place").textContent.startsWith(text), text);
  await place("1 – 20 of");
  await page.keyboard.press("o");
  await place("21 – 40 of");
  await page.keyboard.press("n");
  await place("1 – 20 of");
  await Promise.all([page.waitForEvent("download"), page.click("#events .save a:first-child")]);
  const strip = page.locator(".strip", { hasText: "The file ends early" });
  await strip.waitFor();
  assert.doesNotMatch(await strip.textContent(), /Nothing was saved/);
  await strip.locator("button").click();
  await strip.waitFor({ state: "detached" });
  await clean(page);
});

test("everything can be done with the keyboard alone", async () => {
  const page = await open("typical", "?range=7d");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  for (let tabs = 0; tabs < 12 && !(await page.evaluate(() => document.activeElement.matches(".cell"))); tabs++)
    await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => document.activeElement.matches(".cell")), "a cell is reached from the skip link");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowUp");
  assert.ok(await page.evaluate(() => document.activeElement.closest("td").matches(".total")));
  await page.keyboard.press("Enter");
  await page.waitForSelector("#events .event");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#events", { state: "hidden" });
  // The chart has the days of a range once it is loaded.
  const pressed = async (key) => {
    const before = await total(page);
    await page.keyboard.press(key);
    await otherTotal(page, before);
  };
  await pressed("t");
  assert.match((await address(page)).href, /range=today/);
  await pressed("[");
  assert.equal((await address(page)).searchParams.get("to"), earlier(TODAY, 1));
  await pressed("]");
  assert.match((await address(page)).href, /range=today/);
  await page.focus(".days");
  await page.keyboard.press("Enter");
  assert.equal((await address(page)).searchParams.get("day"), TODAY);
  await page.keyboard.press("Escape");
  assert.equal((await address(page)).searchParams.get("day"), null);
  await page.keyboard.press("?");
  await page.waitForSelector("#keys:not([hidden])");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#keys", { state: "hidden" });
  await clean(page);
});

test("a token is requested, refused, accepted, and sent with downloads", async () => {
  const page = await open("token", "?range=7d", { ready: "#token-text", expected: /401/ });
  await page.fill("#token-text", "wrong");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => /not accepted/.test(document.getElementById("token-wrong")?.textContent));
  await page.fill("#token-text", "open sesame");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".row.table");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#downloads a:first-child")]);
  assert.match(await readFile(await download.path(), "utf8"), /^day,schema,table,op,count\n/);
  assert.match(download.suggestedFilename(), /\.csv$/);
  await clean(page);
});

test("nothing scrolls sideways at 320 pixels or at 200 % zoom", async () => {
  for (const [scenario, width, search] of [
    ["lagging", 320, "?range=7d"],
    ["lagging", 720, "?range=7d"],
    ["typical", 390, "?range=30d"],
    ["typical", 390, "?schema=public&name=orders&op=UPDATE"],
    ["typical", 1000, "?range=7d"],
  ]) {
    const page = await open(scenario, search, {
      width,
      height: 800,
      ready: search.includes("name=") ? "#events .event" : ".row.table",
    });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${scenario} at ${width}: ${over} px too wide`);
    await shot(page, `${scenario}-${width}${search.includes("name=") ? "-events" : ""}`);
    await clean(page);
  }
});

test("axe finds nothing serious when counts are incomplete or missing", async () => {
  for (const [name, book, options] of [
    ["lagging", "lagging", {}],
    ["lagging-dark", "lagging", { colorScheme: "dark" }],
    ["empty", "empty", { ready: ".grid .none" }],
  ]) {
    const page = await open(book, "?range=7d", { bypassCSP: true, ...options });
    await accessible(page, name);
    await shot(page, name);
    if (name === "lagging") {
      await page.click("#chart-table");
      await page.keyboard.press("?");
      await accessible(page, "lagging with keys and table");
    }
    await clean(page);
  }
});
