// The states of counts: none yet, not in the book, not complete; and malicious names.

import assert from "node:assert/strict";
import { test } from "node:test";
import { address, clean, grid, shot } from "./browser.mjs";
import { mock, open } from "./invented_page.mjs";

test("malicious names are text everywhere", async () => {
  const page = await open("evil", "?range=30d");
  const names = (await grid(page)).map(([name]) => name);
  for (const name of [
    "public.<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">.t',
    "public.line↵end",
    "public.␣outer␣",
    "public.__proto__",
    "constructor.toString",
    "public.*",
  ]) {
    assert.ok(names.includes(name), name);
  }
  assert.equal(await page.locator("main script, main img, #events script, #events img").count(), 0);
  await shot(page, "evil");
  for (const title of ["public.<script>alert(1)</script>", "public.a?b"]) {
    await page.locator(`.row.table:has(.name[title="${title}"]) .total a`).click();
    await page.waitForFunction((text) => document.querySelector("#events h2").title === text, title);
    await page.waitForSelector("#events .event");
    const total = await page.textContent(`.row.table:has(.name[title="${title}"]) .total .value`);
    assert.equal(await page.textContent("#events .sum b"), total, "a name with a wildcard counts only itself");
    await page.locator("#events .time").first().click();
  }
  await shot(page, "evil-events");
  await clean(page);
});

test("an empty book shows the next step", async () => {
  const page = await open("empty", "", { ready: ".grid .none" });
  assert.match(await page.textContent(".grid .none"), /No change has arrived yet.*This page fills by itself/s);
  assert.match(await page.textContent("#state-word"), /Waiting for the first record/);
  mock.book("empty").firstDay = "2026-11-22";
  mock.book("empty").change([{ schema: "public", table: "first", op: "INSERT" }]);
  await page.waitForSelector('.row.table .name[title="public.first"]', { timeout: 10_000 });
  await clean(page);
});

test("a book of rejects does not look as if nothing had arrived", async () => {
  const page = await open("unreadable", "", { ready: "#strips .strip" });
  const rejects = /1,028 records could not be read/;
  assert.match(await page.textContent("#strips"), /1,028 records could not be read, and no change is counted\. Most often: names no table/);
  assert.match(await page.textContent("#complete-why"), rejects);
  assert.match(await page.textContent(".grid .none"), /1,028 records arrived and could not be read/);
  await shot(page, "unreadable");
  await page.click("text=Show rejects");
  await page.waitForSelector("#events .event");
  await clean(page);
});

test("rejects that are not in the numbers are one click away", async () => {
  const page = await open("typical", "?range=7d");
  const link = page.locator("#keyline-end a");
  assert.match(await link.textContent(), /rejects? (is|are) not in these numbers/);
  assert.match(await link.getAttribute("href"), /rejects=1/);
  await link.click();
  await page.waitForSelector("#events .event");
  await clean(page);
});

test("zero, not in the book, open and not complete differ in words", async () => {
  const page = await open("lagging", "?from=2026-11-01&to=2026-11-22");
  assert.match(
    await page.textContent("#strips"),
    /21 and 22 Nov are not complete\..*1,606,636 records are still to be read, about 3 min.*days up to 20 Nov are final/s,
  );
  assert.equal(await page.locator(".grid .all .cell.least").count(), 5);
  assert.ok((await page.locator(".grid .cell.unsure").count()) > 5);
  assert.match(await page.locator(".grid .row.table a.cell[href]").nth(3).getAttribute("aria-label"), /at least/);
  assert.match(await page.textContent("#plot"), /Not in the book/);
  await page.click("#chart-table");
  assert.match(await page.textContent("#plot"), /day still open|not complete, can still grow/);
  await page.click("text=Show complete days only");
  await page.waitForFunction(() => document.querySelectorAll(".grid .cell.least").length === 0);
  assert.equal((await address(page)).searchParams.get("to"), "2026-11-20");
  await clean(page);
});

test("optional fields of the server may be missing", async () => {
  const page = await open("plain", "?range=7d");
  assert.match(await page.textContent("#pipeline .rejects"), /1,028 in the book/);
  assert.doesNotMatch(await page.textContent("body"), /undefined|NaN|null in/);
  await page.click("#pipeline .rejects a");
  await page.waitForSelector("#events .event");
  await clean(page);
});

test("the panel says how many files there are, what was merged and pruned, and what would help", async () => {
  const book = mock.book("typical");
  const merged = { entry: 7, table: "events", day: "2026-11-20", files_before: 8640, files_after: 2, bytes_before: 9, bytes_after: 5, rows: 5 };
  book.files = { files: 12_004, bytes: 4_200_000_000, most_of_a_day: 8_640, entries: 412_006, compactions: 3, newest_compaction: merged, newest_prune: { before: "2026-08-01" } };
  try {
    const page = await open("typical", "?range=7d", { ready: "#pipeline .files h2" });
    const said = await page.textContent("#pipeline .files");
    for (const part of ["4.2 GB", "12,004", "412,006", "8,640 → 2", "walbook compact"]) assert.ok(said.includes(part), `${part} in ${said}`);
    assert.match(said, /Events from.*Aug/);
    await page.locator("#pipeline .files").scrollIntoViewIfNeeded();
    await shot(page, "files");
    await clean(page);
  } finally {
    book.files = null;
  }
});
