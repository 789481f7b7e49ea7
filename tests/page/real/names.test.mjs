// Malicious names and values, all the way from PostgreSQL to the screen: they must stay text.

import assert from "node:assert/strict";
import { test } from "node:test";
import { address, clean, grid, shot } from "../browser.mjs";
import { open } from "./environment.mjs";

const NAMES = [
  "public.<script>alert(1)</script>",
  "public.a.b: <script>",
  "public.we\"ird '$$ \\ `",
  "public.表格 👩‍👩‍👧‍👦",
  "public.שולחן עברי",
  "public.‹202E›gnitset‹202C›",
  "public.␣outer␣",
  "public.__proto__",
  "public.a*b?c",
  "public.&amp;%3Cb%3E#?/../",
  "public.line↵end",
  "Sales Dept..Q1:2024",
  "a_schema_with_a_quite_long_name_of_its_own_indeed_63_bytes_long.and_a_table_that_is_just_as_long_and_ends_in_its_number_2026_11",
];

/** The cell of a table's total; a selector could not hold these names. */
function cellOf(page, name) {
  const row = page.locator(".row.table").filter({ has: page.getByTitle(name, { exact: true }) });
  return row.locator(".total a");
}

test("malicious names are text, and open their own events", async () => {
  const page = await open("?range=today&sort=name");
  const names = (await grid(page)).map(([name]) => name);
  assert.deepEqual(
    NAMES.filter((name) => !names.includes(name)),
    [],
  );
  await shot(page, "real-names");
  for (const name of NAMES) {
    const cell = cellOf(page, name);
    const count = await cell.locator(".value").textContent();
    await cell.click();
    await page.waitForFunction(
      ([name, count]) =>
        document.querySelector("#events h2")?.title === name &&
        document.querySelector("#events .sum b")?.textContent === count,
      [name, count],
    );
    await page.waitForSelector("#events .event");
    assert.equal(String(await page.locator("#events .event").count()), count, `${name} has its own events only`);
    // The address alone opens it too.
    const href = (await address(page)).href;
    await page.goto(href);
    await page.waitForSelector("#events .event");
    assert.equal(await page.getAttribute("#events h2", "title"), name);
    assert.equal(await page.textContent("#events .sum b"), count, href);
  }
  await clean(page);
});

test("malicious values are text, in a line and unfolded", async () => {
  const page = await open("?range=today&sort=name");
  await cellOf(page, "public.a.b: <script>").click();
  await page.waitForSelector("#events .event");
  for (let event = 0; event < 6; event++) await page.locator("#events .time").nth(event).click();
  const text = await page.textContent("#events .list");
  for (const value of [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    '"><img src=x onerror="alert(1)">',
    "javascript:alert(1)",
    "\u202egnitset\u202c",
    "שלום עולם",
    "表格 👩‍👩‍👧‍👦 ✂",
    "</td></table><style>*{display:none}</style>",
    "quotes ' \" ` \\ and\nlines",
  ]) {
    assert.ok(text.includes(value), `${value} is shown`);
  }
  assert.match(text, /4,880 more/, "a long value is cut, and says how much is left");
  const long = page.locator("#events .event").filter({ hasText: "4,880 more" });
  await long.locator(".what .link").click();
  const whole = page.locator("#events .event").filter({ hasText: "long ".repeat(1000).trim() });
  assert.equal(await whole.count(), 1, "and can be seen whole");
  const inside = "#grid script, #grid img, #grid style, #events script, #events img, #events style";
  assert.equal(await page.locator(inside).count(), 0);
  await shot(page, "real-values");
  await clean(page);
});
