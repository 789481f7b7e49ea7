// The book at rest, behind a token: `walbook serve --token-file`.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { accessible, address, allRow, clean, grouped, shot, sumOf, tablesOf } from "../browser.mjs";
import { TOKEN, open, query, range, walbook } from "./environment.mjs";

test("a token is requested, refused, accepted, and sent with downloads", async () => {
  const page = await open("?range=30d", { ready: "#token-text", expected: /401/, bypassCSP: true });
  await accessible(page, "token");
  await shot(page, "real-token");
  await page.fill("#token-text", "not this one at all");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => /not accepted/.test(document.getElementById("token-wrong")?.textContent));
  await page.fill("#token-text", TOKEN);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".row.table");
  assert.doesNotMatch((await address(page)).href, /sesame/, "the token is not in the address");
  const days = await range(page);
  const [file] = await Promise.all([page.waitForEvent("download"), page.click("#downloads a:first-child")]);
  assert.equal(
    await readFile(await file.path(), "utf8"),
    await walbook("query", "--from", days.from, "--to", days.to, "--format", "csv"),
  );
  await clean(page);
});

test("a book at rest shows its counts, and that no run adds to them", async () => {
  const page = await open("?range=30d", { ready: "#token-text", expected: /401/, bypassCSP: true });
  await page.fill("#token-text", TOKEN);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".row.table");
  const sums = sumOf(tablesOf(await query(await range(page), "--by", "table,op")));
  assert.deepEqual(await allRow(page), sums.map(grouped));
  assert.match(await page.textContent("#complete-why"), /No run is reading into this book now/);
  assert.match(await page.textContent("#pipeline .lag"), /No run is reading, so nobody knows/);
  await accessible(page, "at rest");
  await shot(page, "real-rest");
  await page.locator(".grid .row.table a.cell[href]").first().click();
  await page.waitForSelector("#events .event");
  await page.keyboard.press("Escape");
  await page.click("#views a:text-is('order_states')");
  await page.waitForSelector("#groups .row.group");
  const { from, to } = await range(page);
  const { rows } = JSON.parse(await walbook("query", "--view", "order_states", "--format", "json"));
  const shown = rows.filter(({ day }) => day >= from && day <= to);
  assert.equal(await page.getAttribute("#groups table", "aria-rowcount"), String(shown.length + 1));
  await clean(page);
});
