// Views of the book: their list, the groups of one, its chart, and what it says when there is nothing to show.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { accessible, address, clean, grouped, moved, shot, watchMoves } from "./browser.mjs";
import { TODAY, api, mock, open } from "./invented_page.mjs";

const RANGE = "from=2026-11-09&to=2026-11-22";
const ready = "#groups .row.group";
const view = (book, name, search = RANGE, options = {}) => open(book, `?view=${name}&${search}`, { ready, ...options });

/** The displayed rows as texts. */
const rows = (page) =>
  page.$$eval("#groups .row.group", (rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
const column = async (page, place) => (await rows(page)).map((row) => row[place]);
const text = (page, selector, pattern, timeout = 8000) =>
  page.waitForFunction(
    ([selector, pattern]) => new RegExp(pattern, "s").test(document.querySelector(selector)?.textContent),
    [selector, pattern.source],
    { timeout },
  );
const money = (value) => {
  const [euros, cents] = value.toFixed(2).split(".");
  return `${grouped(euros)}.${cents}`;
};
const sum = (rows, name) => rows.reduce((all, row) => all + Math.round(row[name] * 100), 0) / 100;

test("a book without views shows no list of them", async () => {
  const page = await open("typical", "?range=7d");
  assert.equal(await page.isVisible("#views"), false);
  await clean(page);
});

test("the list of views does not push the numbers down", async () => {
  const init = () => {
    const { fetch } = globalThis;
    const later = (url) => new Promise((next) => setTimeout(next, String(url).endsWith("api/views") ? 500 : 0));
    globalThis.fetch = (url, ...rest) => later(url).then(() => fetch(url, ...rest));
  };
  const page = await open("views", "?range=7d", { init });
  await watchMoves(page);
  await page.waitForTimeout(1500);
  assert.equal(await page.isVisible("#views"), true);
  assert.deepEqual(await moved(page), []);
  await clean(page);
});

test("a view comes in one piece: nothing is pushed down after its rows are there", async () => {
  const init = () => {
    globalThis.pushed = [];
    new PerformanceObserver((list) => {
      const nodes = list.getEntries().flatMap(({ sources }) => sources.map(({ node }) => node));
      if (document.querySelector("#groups .row.group")) globalThis.pushed.push(...nodes.map((node) => node?.id || node?.className || "a text"));
    }).observe({ type: "layout-shift", buffered: true });
  };
  for (const width of [1440, 390]) {
    const page = await view("views", "revenue_by_region", RANGE, { init, width });
    await page.waitForTimeout(1000);
    const pushed = await page.evaluate(() => globalThis.pushed);
    assert.deepEqual(pushed.filter((node) => /groups|panel/.test(node)), [], `${width} px`);
    await clean(page);
  }
});

test("a view is chosen beside the tables, is part of the address, and Back returns to the tables", async () => {
  const page = await open("views", `?${RANGE}&filter=order`);
  assert.equal(await page.getAttribute("#views a:first-child", "aria-current"), "page");
  await page.click("#views a:text-is('revenue_by_region')");
  await page.waitForSelector(ready);
  assert.match((await address(page)).href, /\?view=revenue_by_region&from=2026-11-09&to=2026-11-22$/, "a filter of tables is none of groups");
  assert.equal(await page.isVisible("#grid"), false);
  assert.match(await page.title(), /^revenue_by_region – shop/);
  const { rows: expected } = await api("views", `views/revenue_by_region?${RANGE}`);
  const line = ({ day, region, revenue, payments }) => [day, region === null ? "null" : region || "''", money(revenue), grouped(payments)];
  const byText = (a, b) => (String(a) < String(b) ? -1 : 1);
  const shown = await rows(page);
  assert.deepEqual([...shown].sort(byText), expected.map(line).sort(byText).filter((row) => shown.some((other) => `${other}` === `${row}`)));
  assert.ok(shown.length > 40, `${shown.length} rows`);
  assert.equal(shown[0][0], TODAY, "the newest day comes first");
  await page.reload();
  await page.waitForSelector(ready);
  assert.deepEqual(await rows(page), shown);
  await page.goBack();
  await page.waitForSelector(".grid .row.table");
  assert.equal(await page.inputValue("#filter"), "order");
  assert.equal(await page.isVisible("#groups"), false);
  await page.goForward();
  await page.waitForSelector(ready);
  await clean(page);
});

test("a view without days has no chart, and needs no range", async () => {
  const page = await view("views", "revenue_by_region");
  assert.equal(await page.isVisible("#chart"), true);
  await page.click("#views a:text-is('states')");
  await page.waitForFunction(() => document.querySelector("#groups .row.group").textContent.startsWith("paid"));
  assert.deepEqual(await rows(page), [
    ["paid", "60,000", "8.625", "2026-11-22 14:11:06.400", "true"],
    ["placed", "120,000", "17.25", "2026-11-22 14:10:06.400", "false"],
    ["returned", "30,000", "4.3125", "2026-11-22 14:13:06.400", "false"],
    ["shipped", "40,000", "5.75", "2026-11-22 14:12:06.400", "false"],
  ]);
  assert.deepEqual(await Promise.all(["#chart", "#range", "#presets", ".legend"].map((part) => page.isVisible(part))), [false, false, false, false]);
  await page.click("#views a:first-child");
  await page.waitForSelector(".grid .row.table");
  assert.deepEqual(await Promise.all(["#chart", "#range", "#about", "#series"].map((part) => page.isVisible(part))), [true, true, false, false]);
  await clean(page);
});

test("columns sort by their types, NULL as the greatest, and the order is part of the address", async () => {
  const page = await view("views", "evil", "");
  const click = (place) => page.click(`#groups thead th:nth-child(${place}) button`);
  await click(3);
  assert.equal((await column(page, 2))[0], "9,007,199,254,740,993", "numbers begin with the greatest, and are exact");
  assert.equal(await page.getAttribute("#groups thead th:nth-child(3)", "aria-sort"), "descending");
  await page.waitForFunction(() => new URLSearchParams(location.search).get("sort") === "--x");
  await click(3);
  assert.deepEqual((await column(page, 2)).slice(0, 2), ["1", "2"]);
  await page.waitForFunction(() => new URLSearchParams(location.search).get("sort") === "+-x");
  await page.reload();
  await page.waitForSelector(ready);
  assert.equal(await page.getAttribute("#groups thead th:nth-child(3)", "aria-sort"), "ascending");
  await click(1);
  const names = await column(page, 0);
  assert.equal(names[names.length - 1], "null");
  assert.equal(await page.locator("#groups .null").count(), 1, "a text of four letters is not NULL");
  await click(1);
  assert.equal(await page.locator("#groups .row.group").first().locator(".null").count(), 1);
  await clean(page);
});

test("names of columns, groups and values are text everywhere", async () => {
  const page = await view("views", "evil", "");
  const heads = await page.$$eval("#groups thead .word", (words) => words.map((word) => word.textContent));
  assert.deepEqual(heads, ["<script>", "__proto__", "-x", 'a "long" name, which no one has asked for']);
  const names = await column(page, 0);
  for (const name of ["<script>alert(1)</script>", "line↵end", "‹202E›gnitset", "␣outer␣", "''", "null"]) assert.ok(names.includes(name), name);
  assert.equal(await page.locator("main script, main b:has-text('n/a')").count(), 0);
  assert.equal(
    await page.textContent("#about .bad"),
    "2 values could not be computed and count as null, first new.total::NUMERIC(18,2) of '<b>n/a</b>': not a numeric",
  );
  await page.click("#about summary");
  assert.match(await page.textContent("#about pre"), /^CREATE VIEW evil AS\nSELECT new\.<script>, /);
  await shot(page, "view-evil");
  await clean(page);
});

test("the chart stacks the largest groups and the others, of the number that was chosen", async () => {
  const page = await view("views", "revenue_by_region");
  const { rows: all } = await api("views", `views/revenue_by_region?${RANGE}`);
  assert.match(await page.textContent("#readout"), new RegExp(`Total${money(sum(all, "revenue")).replaceAll(".", "\\.")}$`));
  const words = await page.$$eval("#series .word", (words) => words.map((word) => word.textContent));
  const regions = ["north", "south", "west", "islands", "others"];
  assert.deepEqual([...words].sort(), [...regions].sort());
  assert.equal(words[4], "others");
  const ofRegion = (region) => all.filter((row) => (region === "others" ? !row.region : row.region === region));
  const parts = () => page.$$eval("#series b", (numbers) => numbers.map((number) => number.textContent));
  assert.deepEqual(await parts(), words.map((region) => money(sum(ofRegion(region), "revenue"))));
  await page.selectOption("#number", "payments");
  await page.waitForFunction(() => new URLSearchParams(location.search).get("number") === "payments");
  assert.equal(await page.textContent("#chart-title"), "payments per day");
  await page.click("#chart-table");
  const lines = await page.$$eval(".plot-table tbody tr", (lines) => lines.map((line) => [...line.cells].map((cell) => cell.textContent)));
  assert.equal(lines.length, 14);
  const names = await page.$$eval("#series .word", (words) => words.map((word) => word.textContent));
  const newest = all.filter(({ day }) => day === TODAY);
  const expected = names.map((region) => grouped(sum(newest.filter((row) => ofRegion(region).includes(row)), "payments")));
  assert.deepEqual(lines[0].slice(1, -1), [...expected, grouped(sum(newest, "payments"))]);
  await page.click("#chart-table");
  await page.reload();
  await page.waitForSelector(ready);
  assert.equal(await page.inputValue("#number"), "payments");
  await clean(page);
});

test("a click on a day narrows the groups to it, and the filter finds groups", async () => {
  const page = await view("views", "revenue_by_region");
  await page.waitForSelector(".days[aria-valuetext]");
  const box = await page.locator(".days").boundingBox();
  await page.mouse.click(box.x + (box.width * 13.5) / 14, box.y + 100);
  assert.equal((await address(page)).searchParams.get("day"), TODAY);
  assert.deepEqual([...new Set(await column(page, 0))], [TODAY]);
  assert.match(await page.textContent("#keyline-end"), /6 of 84 groups/);
  await page.fill("#filter", "no");
  await page.waitForFunction(() => document.querySelectorAll("#groups .row.group").length === 1);
  assert.equal(await page.textContent("#filter-found"), "14 of 84 groups");
  assert.deepEqual(await column(page, 1), ["north"]);
  await page.keyboard.press("Escape");
  await page.fill("#filter", "nowhere");
  await text(page, "#groups", /No group matches nowhere/);
  await page.click("#groups .none button");
  await page.waitForSelector(ready);
  await clean(page);
});

test("numbers that do not add up are not added up", async () => {
  const page = await view("views", "customers_per_day");
  assert.doesNotMatch(await page.textContent("#readout"), /\d{4}|,/, "the range has no sum of distinct customers");
  assert.match(await page.locator("#plot svg").getAttribute("aria-label"), /^customers per day, 9 – 22 Nov\.$/);
  await page.focus(".days");
  const { rows: all } = await api("views", `views/customers_per_day?${RANGE}`);
  assert.equal(await page.textContent("#readout span:last-child b"), String(all[13].customers), "a day has its own");
  await page.click("#views a:text-is('mean_weights')");
  await page.waitForSelector("#plot circle");
  assert.equal(await page.locator("#plot circle").count(), 4 * 14, "the groups with most are points");
  assert.equal(await page.locator("#plot rect.s4").count(), 14, "a line spans the others");
  assert.equal(await page.isVisible("#readout span:last-child"), false, "and there is no total");
  await clean(page);
});

test("numbers below zero are drawn below zero", async () => {
  const page = await view("views", "balance_per_day");
  const base = await page.$eval("#plot .base", (line) => Number(line.getAttribute("y1")));
  const tops = await page.$$eval("#plot rect.s0, #plot rect.s1", (bars) => bars.map((bar) => Number(bar.getAttribute("y"))));
  assert.equal(tops.length, 28);
  assert.equal(tops.filter((top) => top >= base - 1).length, 14);
  const axis = await page.$$eval("#plot .axis", (labels) => labels.map((label) => label.textContent));
  assert.ok(axis[0].startsWith("-") && axis.includes("0"), String(axis));
  await clean(page);
});

test("a number of a view changes live, and nothing else moves", async () => {
  const page = await view("views", "revenue_by_region");
  await watchMoves(page);
  await page.hover("#groups .row.group");
  const stood = (await rows(page)).map((row) => row.slice(0, 2));
  const invented = mock.book("views").views.get("revenue_by_region");
  invented.change([{ day: TODAY, region: "north", revenue: 1_234_567.5, payments: 4321 }]);
  await page.waitForFunction(() => document.querySelector("#groups .flash"));
  const changed = (await rows(page)).find(([day, region]) => day === TODAY && region === "north");
  assert.deepEqual(changed.slice(2), ["1,234,567.50", "4,321"]);
  assert.equal(await page.locator("#groups .flash").count(), 2);
  invented.change([{ day: TODAY, region: "abroad", revenue: 1, payments: 1 }]);
  await text(page, "#keyline-end", /1 new group/);
  assert.deepEqual((await rows(page)).map((row) => row.slice(0, 2)), stood, "rows stay while the pointer is on them");
  assert.deepEqual((await moved(page)).filter((node) => /group|row/.test(node)), []);
  await page.mouse.move(5, 5);
  await page.waitForFunction(() => [...document.querySelectorAll("#groups th")].some((cell) => cell.textContent === "abroad"), null, { timeout: 5000 });
  await clean(page);
});

test("a stream that breaks resumes; without one the groups are polled", async () => {
  for (const [book, options] of [["view_faults", { expected: /net::ERR_/ }], ["view_polls", { expected: /503/ }]]) {
    const page = await view(book, "customers_per_day", RANGE, options);
    const invented = mock.book(book).views.get("customers_per_day");
    for (const cut of invented.listeners.values()) cut();
    invented.change([{ day: TODAY, customers: 7_654 }]);
    await text(page, "#groups tbody", /2026-11-227,654/);
    await clean(page);
  }
});

test("a view without rows says why: not built, no change, none on these days, no such view", async () => {
  const page = await open("view_faults", "?view=unbuilt", { ready: "#groups .none" });
  assert.match(await page.textContent("#groups .none"), /not built yet.*The next start of walbook run builds it.*walbook view build BOOK/s);
  assert.equal(await page.isVisible("#downloads"), false);
  const book = mock.book("view_faults");
  book.views.get("unbuilt").isCurrent = true;
  await text(page, "#groups .none", /No change counts in this view yet/);
  book.views.get("unbuilt").change([{ day: TODAY, changes: 3 }]);
  await page.waitForSelector(ready);
  assert.deepEqual(await rows(page), [[TODAY, "3"]]);
  book.views.delete("unbuilt");
  await text(page, "#groups .none", /There is no view unbuilt in this book/);
  await page.click("#views a:text-is('customers_per_day')");
  await page.waitForSelector(ready);
  await page.fill("#from", "2026-01-01");
  await page.fill("#to", "2026-01-02");
  await text(page, "#groups .none", /There are no groups on these days/);
  await clean(page);
});

test("the CSV of a view has its rows in the order that is shown", async () => {
  const page = await view("views", "customers_per_day", `${RANGE}&sort=customers`);
  const href = new URL(await page.getAttribute("#downloads a:first-child", "href"), (await address(page)).href);
  assert.equal(href.pathname, "/views/api/views/customers_per_day");
  const asked = Object.fromEntries(href.searchParams);
  assert.deepEqual(asked, { from: "2026-11-09", to: "2026-11-22", order: '"customers" ASC, "day"', level: "durable", format: "csv", download: "1" });
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#downloads a:first-child")]);
  const [head, ...lines] = (await readFile(await download.path(), "utf8")).trim().split("\n");
  assert.equal(head, "day,customers");
  assert.equal(lines.length, 14);
  assert.equal(await page.locator("#downloads a:visible").count(), 1, "there is no other form of it");
  await clean(page);
});

test("only as many groups as a page can hold are read, and it says so", async () => {
  const page = await view("most_groups", "products");
  assert.match(
    await page.textContent("#strips"),
    /Only the first 20,000 groups in this order are shown\. The chart has only these; fewer days have fewer\. All are in the download\./,
  );
  assert.match(await page.textContent("#keyline-end"), /20,000 groups/);
  const products = mock.book("most_groups").views.get("products");
  assert.equal(products.listeners.size, 0, "a stream would have all of them");
  const most = Math.max(...[...products.rows.values()].map(({ sold }) => sold));
  await page.click("#groups thead th:nth-child(3) button");
  await page.waitForFunction((most) => document.querySelector("#groups .row.group td").textContent === most, grouped(most));
  await page.click("#groups thead th:nth-child(3) button");
  await page.waitForFunction(() => document.querySelector("#groups .row.group td").textContent === "0");
  await page.click("#presets button:nth-child(1)");
  await page.waitForFunction(() => document.getElementById("strips").textContent === "");
  assert.equal(await page.getAttribute("#groups table", "aria-rowcount"), "1501");
  assert.equal(products.listeners.size, 1, "these can be followed");
  await clean(page);
});

test("days that are not complete are marked in chart and rows", async () => {
  const page = await view("lagging_views", "revenue_by_region");
  assert.match(await page.textContent("#strips"), /21 and 22 Nov are not complete\..*Rows of these days can still change; days up to 20 Nov are final\./);
  assert.equal(await page.locator("#groups .unsure").count(), 12);
  assert.equal(await page.locator("#plot .incomplete").count(), 2);
  assert.equal(await page.locator(".ge:visible").count(), 0, "not every number of a view can only grow");
  await clean(page);
});

test("decimals are read and written exactly", async () => {
  const page = await open("views", "?range=7d");
  const said = await page.evaluate(async () => {
    const [{ parseExactly }, { Column }] = await Promise.all(["exact", "columns"].map((name) => import(`./assets/${name}.js`)));
    const written = (type, text) => {
      const column = new Column({ name: "x", type }, 0);
      return column.text(column.read(parseExactly(`{"x": ${text}}`).x));
    };
    return [
      written("numeric(38,2)", "12.50"),
      written("numeric(38,2)", "-0.05"),
      written("numeric(38,2)", "99999999999999999999999999.99"),
      written("numeric(38,10)", "0.0000001000"),
      written("numeric(38,20)", "0.10000000000000000000"),
      written("numeric(38,0)", "12345678901234567890"),
      written("bigint", "-9223372036854775808"),
      written("double precision", "0.30000000000000004"),
      written("double precision", "1e300"),
      written("double precision", '"NaN"'),
      written("double precision", '"-inf"'),
      written("double precision", "10000000000000000.0"),
      written("timestamp", '"2026-11-22T13:00:00"'),
    ];
  });
  assert.deepEqual(said, [
    "12.50",
    "-0.05",
    "99,999,999,999,999,999,999,999,999.99",
    "0.0000001000",
    "0.10000000000000000000",
    "12,345,678,901,234,567,890",
    "-9,223,372,036,854,775,808",
    "0.30000000000000004",
    "1e+300",
    "NaN",
    "-Infinity",
    "10,000,000,000,000,000",
    "2026-11-22 13:00:00",
  ]);
  await clean(page);
});

test("a view can be used with the keyboard alone", async () => {
  const page = await open("views", `?${RANGE}`);
  const active = (selector) => page.evaluate((selector) => document.activeElement.matches(selector), selector);
  const tabTo = async (selector) => {
    for (let tabs = 0; tabs < 40 && !(await active(selector)); tabs++) await page.keyboard.press("Tab");
    assert.ok(await active(selector), selector);
  };
  await tabTo("#views a:nth-child(8)");
  await page.keyboard.press("Enter");
  await page.waitForSelector(ready);
  assert.ok(await active("#views a[aria-current]"), "the focus stays where it was");
  await tabTo("#about summary");
  await page.keyboard.press("Enter");
  assert.ok(await page.isVisible("#about pre"));
  await tabTo("#number");
  await tabTo(".days");
  await page.keyboard.press("Enter");
  assert.equal((await address(page)).searchParams.get("day"), TODAY);
  await page.keyboard.press("Escape");
  assert.equal((await address(page)).searchParams.get("day"), null);
  await tabTo("#groups .box");
  await page.keyboard.press("End");
  await page.waitForFunction(() => [...document.querySelectorAll("#groups .row.group")].some((row) => row.getAttribute("aria-rowindex") === "85"));
  await tabTo("#groups thead th:nth-child(3) button");
  await page.keyboard.press("Enter");
  assert.equal(await page.getAttribute("#groups thead th:nth-child(3)", "aria-sort"), "descending");
  await clean(page);
});

for (const [name, options] of [
  ["light", {}],
  ["dark", { colorScheme: "dark" }],
  ["narrow", { width: 390, height: 844, hasTouch: true }],
]) {
  test(`axe finds nothing serious in views, and nothing scrolls sideways: ${name}`, async () => {
    for (const [book, of] of [["views", "revenue_by_region"], ["views", "evil"], ["views", "mean_weights"], ["views", "unbuilt"], ["lagging_views", "products"]]) {
      const page = await view(book, of, RANGE, { ready: `${ready}, #groups .none`, bypassCSP: true, ...options });
      await page.click("#about summary");
      await accessible(page, `${of}, ${name}`);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(over <= 0, `${of}: ${over} px too wide`);
      await page.click("#about summary");
      await shot(page, `view-${of}-${name}`);
      await clean(page);
    }
  });
}
