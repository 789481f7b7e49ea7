// What the page promises, in a real Chromium.
//
//     WALBOOK_PAGE_TOOLS=DIR node --test tests/page/page.test.mjs
//
// DIR holds node_modules with playwright-core and axe-core. Against an invented book by default; with WALBOOK_PAGE_URL
// against a real server whose book holds some changes of the last seven days (the promises that need an invented book are
// skipped then; WALBOOK_PAGE_CHANGE, a command that makes a change in the database, lets the delay be measured).
// WALBOOK_PAGE_SHOTS names a folder for pictures, WALBOOK_CHROMIUM the browser.

import assert from "node:assert/strict";
import { exec } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { serve } from "./mock.mjs";

const tools = createRequire(`${process.env.WALBOOK_PAGE_TOOLS ?? process.cwd()}/package.json`);
const { chromium } = tools("playwright-core");
const axeSource = await readFile(tools.resolve("axe-core/axe.min.js"), "utf8");

const REAL = process.env.WALBOOK_PAGE_URL?.replace(/\/*$/, "/") ?? null;
const SHOTS = process.env.WALBOOK_PAGE_SHOTS ?? null;
const OPERATIONS = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"];
const grouped = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, ",");

let browser;
let mock = null;
const opened = [];

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.WALBOOK_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
  if (REAL === null) mock = await serve();
  if (SHOTS !== null) await mkdir(SHOTS, { recursive: true });
});

after(async () => {
  await browser?.close();
  mock?.close();
});

/** The address of a scenario; a real server has but one book. */
function base(scenario) {
  return REAL ?? `${mock.url}/${scenario}/`;
}

/** Opens a view; any error of the page, and any dialog, fails the test that asks `clean`. */
async function open(scenario, search = "", { width = 1440, height = 900, ready = ".row.table", ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, timezoneId: "America/New_York", ...options });
  const page = await context.newPage();
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error.stack)));
  page.on("dialog", (dialog) => {
    page.faults.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("console", (message) => /Content Security Policy/.test(message.text()) && page.faults.push(message.text()));
  await page.goto(base(scenario) + search);
  if (ready) await page.waitForSelector(ready, { timeout: 30_000 });
  opened.push(page);
  return page;
}

async function clean(page) {
  assert.equal(await page.locator("#fault").count(), 0, "the page says that it failed");
  assert.deepEqual(page.faults, []);
  await page.context().close();
}

async function shot(page, name) {
  if (SHOTS !== null) await page.screenshot({ path: `${SHOTS}/${name}.png` });
}

async function api(scenario, path) {
  const response = await fetch(`${base(scenario)}api/${path}`);
  assert.equal(response.status, 200, path);
  return response.json();
}

/** The grid as it is seen: `{name: [four counts, total]}` as texts. */
function grid(page) {
  return page.$$eval(".grid .row.table", (rows) => {
    return rows.map((row) => [
      row.querySelector(".name").title,
      [...row.querySelectorAll(".cell .value")].map((cell) => cell.textContent),
    ]);
  });
}

/** What the grid has to show, by the API. */
function expected(rows) {
  const tables = new Map();
  for (const { schema, table, op, count } of rows) {
    const name = `${schema}.${table}`;
    if (!tables.has(name)) tables.set(name, [0, 0, 0, 0, 0]);
    tables.get(name)[OPERATIONS.indexOf(op)] += count;
    tables.get(name)[4] += count;
  }
  return tables;
}

async function today(scenario) {
  return (await api(scenario, "status")).today;
}

function earlier(day, days) {
  return new Date(Date.parse(`${day}T00:00:00Z`) - days * 86_400_000).toISOString().slice(0, 10);
}

describe("the page", () => {
  test("a range is picked, stands in the address, and survives a reload", async () => {
    const page = await open("typical");
    assert.equal(await page.getAttribute("#presets button:nth-child(2)", "aria-pressed"), "true");
    await page.click("#presets button:nth-child(3)");
    assert.match(page.url(), /\?range=30d$/);
    const day = await today("typical");
    assert.equal(await page.inputValue("#from"), earlier(day, 29));
    await page.reload();
    await page.waitForSelector(".row.table");
    assert.equal(await page.getAttribute("#presets button:nth-child(3)", "aria-pressed"), "true");
    await page.fill("#from", earlier(day, 3));
    await page.waitForFunction(() => document.getElementById("range").classList.contains("own"));
    assert.equal(new URL(page.url()).searchParams.get("from"), earlier(day, 3));
    assert.equal(new URL(page.url()).searchParams.get("to"), day);
    await page.goBack();
    await page.waitForFunction(
      () => document.querySelector("#presets button:nth-child(3)").getAttribute("aria-pressed") === "true",
    );
    await page.fill("#to", "1999-01-01");
    await page.waitForFunction(() => document.getElementById("range-wrong").textContent !== "");
    assert.equal(await page.getAttribute("#to", "aria-invalid"), "true");
    assert.match(page.url(), /range=30d$/, "a wrong range changes nothing");
    await clean(page);
  });

  test("the grid shows the numbers of the API, and they add up", async () => {
    const page = await open("typical", "?range=7d");
    const day = await today("typical");
    const { rows } = await api("typical", `counts?from=${earlier(day, 6)}&to=${day}&by=day,table,op`);
    const tables = expected(rows);
    const shown = new Map(await grid(page));
    for (const [name, counts] of tables)
      if (shown.has(name)) assert.deepEqual(shown.get(name), counts.map(grouped), name);
    assert.ok(shown.size > 0);
    const all = await page.$$eval(".grid .all .cell .value", (cells) => cells.map((cell) => cell.textContent));
    const sums = [...tables.values()].reduce(
      (sum, counts) => sum.map((value, at) => value + counts[at]),
      [0, 0, 0, 0, 0],
    );
    assert.deepEqual(all, sums.map(grouped));
    await shot(page, "seven-days");
    await clean(page);
  });

  test("the filter is that of the API's patterns, and columns still add up", async () => {
    const page = await open("typical", "?range=7d");
    const [first] = (await grid(page))[0];
    const part = first.split(".")[1].slice(0, 4);
    await page.keyboard.press("/");
    await page.keyboard.type(part);
    await page.waitForFunction(
      (text) =>
        document.getElementById("filter-found").textContent.includes("of") &&
        location.search.includes(encodeURIComponent(text)),
      part,
    );
    const names = (await grid(page)).map(([name]) => name);
    assert.ok(names.length > 0 && names.every((name) => name.includes(part)), String(names));
    const day = await today("typical");
    const { rows } = await api(
      "typical",
      `counts?from=${earlier(day, 6)}&to=${day}&by=table,op&table=${encodeURIComponent(`*${part}*`)}`,
    );
    const counted = new Set(rows.map(({ schema, table }) => `${schema}.${table}`));
    assert.ok([...counted].every((name) => names.includes(name)));
    const number = (text) => Number(text.replaceAll(",", ""));
    const totals = await page.$$eval(".grid tbody .total .value", (cells) => cells.map((cell) => cell.textContent));
    const all = await page.textContent(".grid .all .total .value");
    assert.equal(
      totals.map(number).reduce((a, b) => a + b, 0),
      number(all),
    );
    await page.fill("#filter", "no.such*table");
    await page.waitForSelector(".grid .none button");
    assert.match(await page.textContent(".grid .none"), /No table matches no\.such\*table/);
    await page.click(".grid .none button");
    await page.waitForSelector(".row.table");
    await clean(page);
  });

  test("columns sort, and say so", async () => {
    const page = await open("typical", "?range=7d");
    const total = async () => (await grid(page)).map(([, counts]) => Number(counts[4].replaceAll(",", "")));
    const down = await total();
    assert.deepEqual(
      down,
      [...down].sort((a, b) => b - a),
    );
    await page.click("th.total button");
    assert.equal(await page.getAttribute("th.total[aria-sort]", "aria-sort"), "ascending");
    const up = await total();
    assert.deepEqual(
      up,
      [...up].sort((a, b) => a - b),
    );
    await page.click("th.name button");
    const names = (await grid(page)).map(([name]) => name);
    assert.deepEqual(names, [...names].sort());
    await clean(page);
  });

  test("a click on a day narrows the grid, again frees it", async () => {
    const page = await open("typical", "?range=7d");
    const day = await today("typical");
    const box = await page.locator(".days").boundingBox();
    await page.mouse.click(box.x + (box.width * 6.5) / 7, box.y + 100);
    assert.equal(new URL(page.url()).searchParams.get("day"), day);
    const { rows } = await api("typical", `counts?from=${day}&to=${day}&by=day,table,op`);
    const sum = rows.reduce((all, { count }) => all + count, 0);
    assert.equal(await page.textContent(".grid .all .total .value"), grouped(sum));
    await page.keyboard.press("Escape");
    assert.equal(new URL(page.url()).searchParams.get("day"), null);
    await clean(page);
  });

  test("a click on a cell shows its events, in pages, and closing gives the focus back", async () => {
    const page = await open("typical", "?range=7d");
    const cell = page.locator(".grid .row.table a.cell[href]").first();
    const text = await cell.locator(".value").textContent();
    await cell.click();
    await page.waitForSelector("#events .event");
    assert.equal(await page.textContent("#events .sum b"), text);
    const first = await page.textContent("#events .event .time");
    const rows = await page.locator("#events .event").count();
    assert.equal(rows, Math.min(50, Number(text.replaceAll(",", ""))));
    if (Number(text.replaceAll(",", "")) > 50) {
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

  test("a view with events can be shared", async () => {
    const page = await open("typical", "?range=7d");
    const href = await page.locator(".grid .row.table a.cell[href]").first().getAttribute("href");
    const other = await open("typical", href.replace("./", ""));
    await other.waitForSelector("#events .event");
    assert.equal(await other.locator(".cell.opened").count(), 1);
    await clean(page);
    await clean(other);
  });

  test("the CSV holds what is seen", async () => {
    const page = await open("typical", "?range=7d");
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#downloads a:first-child")]);
    const csv = await readFile(await download.path(), "utf8");
    const [head, ...lines] = csv.trim().split("\n");
    assert.equal(head, "day,schema,table,op,count");
    const day = await today("typical");
    const { rows } = await api("typical", `counts?from=${earlier(day, 6)}&to=${day}&by=day,table,op&level=durable`);
    assert.equal(lines.length, rows.length);
    assert.match(download.suggestedFilename(), new RegExp(`counts-${earlier(day, 6)}-${day}\\.csv$`));
    await clean(page);
  });

  test("everything can be done with keys alone", async () => {
    const page = await open("typical", "?range=7d");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    for (let tabs = 0; tabs < 12 && !(await page.evaluate(() => document.activeElement.matches(".cell"))); tabs++)
      await page.keyboard.press("Tab");
    assert.ok(
      await page.evaluate(() => document.activeElement.matches(".cell")),
      "a cell is reached from the skip link",
    );
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowUp");
    assert.ok(await page.evaluate(() => document.activeElement.closest("td").matches(".total")));
    await page.keyboard.press("Enter");
    await page.waitForSelector("#events .event");
    await page.keyboard.press("Escape");
    await page.waitForSelector("#events", { state: "hidden" });
    await page.keyboard.press("t");
    assert.match(page.url(), /range=today/);
    await page.keyboard.press("[");
    assert.equal(new URL(page.url()).searchParams.get("to"), earlier(await today("typical"), 1));
    await page.keyboard.press("]");
    assert.match(page.url(), /range=today/);
    await page.focus(".days");
    await page.keyboard.press("Enter");
    assert.equal(new URL(page.url()).searchParams.get("day"), await today("typical"));
    await page.keyboard.press("Escape");
    assert.equal(new URL(page.url()).searchParams.get("day"), null);
    await page.keyboard.press("?");
    await page.waitForSelector("#keys:not([hidden])");
    await page.keyboard.press("Escape");
    await page.waitForSelector("#keys", { state: "hidden" });
    await clean(page);
  });

  test("axe finds nothing serious: light, dark, narrow, with events, as a table", async () => {
    const check = async (page, name) => {
      await page.evaluate(axeSource);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      assert.deepEqual(
        serious.map(({ id, nodes }) => [
          name,
          id,
          nodes.slice(0, 3).map(({ html, failureSummary }) => [html.slice(0, 200), failureSummary]),
        ]),
        [],
      );
    };
    for (const [name, scenario, options] of [
      ["light", "typical", {}],
      ["dark", "typical", { colorScheme: "dark" }],
      ["narrow", "typical", { width: 390, height: 844, hasTouch: true }],
      ["lagging", "lagging", {}],
      ["lagging-dark", "lagging", { colorScheme: "dark" }],
      ["empty", "empty", { ready: ".grid .none" }],
    ]) {
      if (REAL !== null && scenario !== "typical") continue;
      const page = await open(scenario, "?range=7d", { bypassCSP: true, ...options });
      await check(page, name);
      await shot(page, name);
      if (name === "light" || name === "dark" || name === "narrow") {
        await page.locator(".grid .row.table a.cell[href]").first().click();
        await page.waitForSelector("#events .event");
        await page.locator("#events .time").first().click();
        await check(page, `${name} with events`);
        await shot(page, `${name}-events`);
        await page.keyboard.press("Escape");
        if (name !== "narrow") await page.click("#chart-table");
        await page.keyboard.press("?");
        await check(page, `${name} with keys and table`);
      }
      await clean(page);
    }
  });

  test("a number moves live, and nothing else does", async (t) => {
    if (REAL !== null && !process.env.WALBOOK_PAGE_CHANGE) return t.skip("WALBOOK_PAGE_CHANGE is not set");
    const page = await open("typical", "?range=7d");
    await page.evaluate(() => {
      globalThis.shifts = [];
      new PerformanceObserver((list) => globalThis.shifts.push(...list.getEntries().map(({ value }) => value))).observe(
        { type: "layout-shift", buffered: false },
      );
    });
    const before = await page.textContent(".grid .all .total .value");
    await page.hover(".grid .row.table");
    const places = () =>
      page.$$eval(".grid .row.table", (rows) =>
        rows.map((row) => [row.querySelector(".name").title, row.getBoundingClientRect().top]),
      );
    const stood = await places();
    const start = performance.now();
    if (REAL === null) {
      const [, counts] = (await grid(page)).find(([name]) => name === "Sales Dept.Q1:2024");
      assert.notEqual(counts[0], "5,000,000");
      mock.book("typical").change([{ schema: "Sales Dept", table: "Q1:2024", op: "INSERT", by: 5_000_000 }]);
    } else {
      await new Promise((done, failed) =>
        exec(process.env.WALBOOK_PAGE_CHANGE, (error) => (error ? failed(error) : done())),
      );
    }
    await page.waitForFunction(
      (text) => document.querySelector(".grid .all .total .value").textContent !== text,
      before,
      { polling: 20, timeout: 30_000 },
    );
    t.diagnostic(`seen after ${Math.round(performance.now() - start)} ms`);
    await page.waitForTimeout(300);
    assert.deepEqual(await places(), stood, "rows stay where they are while the pointer is on them");
    assert.ok((await page.evaluate(() => globalThis.shifts)).reduce((a, b) => a + b, 0) < 0.001, "nothing shifts");
    await page.mouse.move(5, 5);
    if (REAL === null) {
      await page.waitForFunction(
        () => document.querySelector(".grid .row.table .name").title === "Sales Dept.Q1:2024",
        null,
        { timeout: 5000 },
      );
      mock.book("typical").change([{ schema: "Sales Dept", table: "Q1:2024", op: "INSERT", by: -5_000_000 }]);
    }
    await clean(page);
  });
});

describe("the page of an invented book", { skip: REAL !== null }, () => {
  test("evil names are text, wherever they stand", async () => {
    const page = await open("evil", "?range=30d");
    const names = (await grid(page)).map(([name]) => name);
    for (const name of [
      "public.<script>alert(1)</script>",
      '<img src=x onerror="alert(1)">.t',
      "public.line␊end",
      "public.␠outer␠",
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

  test("an empty book says what comes next", async () => {
    const page = await open("empty", "", { ready: ".grid .none" });
    assert.match(await page.textContent(".grid .none"), /No change has arrived yet.*This page fills by itself/s);
    assert.match(await page.textContent("#state-word"), /Waiting for the first record/);
    mock.book("empty").firstDay = "2026-11-22";
    mock.book("empty").change([{ schema: "public", table: "first", op: "INSERT" }]);
    await page.waitForSelector('.row.table .name[title="public.first"]', { timeout: 10_000 });
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
    assert.equal(new URL(page.url()).searchParams.get("to"), "2026-11-20");
    await clean(page);
  });

  test("ten thousand tables: few rows in the page, all of them to be reached", async (t) => {
    const page = await open("large", "?from=2026-11-09&to=2026-11-22");
    assert.ok((await page.locator(".row.table").count()) < 120);
    assert.equal(await page.getAttribute(".grid table", "aria-rowcount"), "10002");
    const took = await page.evaluate(() => {
      const filter = document.getElementById("filter");
      const runs = ["00", "table_0", "7", "schema_1.*", "*_0?1*"].map((text) => {
        const start = performance.now();
        filter.value = text;
        filter.dispatchEvent(new Event("input"));
        return Math.round(performance.now() - start);
      });
      filter.value = "";
      filter.dispatchEvent(new Event("input"));
      return runs;
    });
    t.diagnostic(`filters took ${took.join(", ")} ms`);
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    await page.waitForFunction(() =>
      [...document.querySelectorAll(".row.table")].some((row) => row.getAttribute("aria-rowindex") === "10002"),
    );
    assert.ok((await page.locator(".row.table").count()) < 120);
    await page.locator('.row[aria-rowindex="10001"] .total .cell').focus();
    await page.keyboard.press("PageUp");
    const index = await page.evaluate(() => Number(document.activeElement.closest("tr").getAttribute("aria-rowindex")));
    assert.ok(index < 10_000 && index > 9900, String(index));
    await shot(page, "large");
    await clean(page);
  });

  test("numbers beyond 2^53 stay exact", async () => {
    const page = await open("huge", "?from=2026-11-09&to=2026-11-22");
    assert.equal(await page.textContent(".row.table .insert .value"), "9,007,199,254,740,993");
    assert.equal(await page.textContent(".grid .all .total .value"), "9,007,199,254,741,002");
    await clean(page);
  });

  test("a token is asked for, refused, taken, and sent with downloads", async () => {
    const page = await open("token", "?range=7d", { ready: "#token-text" });
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

  test("a server that is gone leaves the numbers, says since when, and is found again", async () => {
    const page = await open("live", "?range=7d");
    const book = mock.book("live");
    book.gone = true;
    for (const cut of book.listeners.values()) cut();
    await page.waitForFunction(() => document.getElementById("state-word").textContent === "Not connected");
    const total = await page.textContent(".grid .all .total .value");
    await page.waitForFunction(
      () => /No answer from walbook since/.test(document.getElementById("strips").textContent),
      null,
      { timeout: 10_000 },
    );
    assert.equal(await page.textContent(".grid .all .total .value"), total);
    await shot(page, "gone");
    book.gone = false;
    await page.waitForFunction(
      (text) => document.querySelector(".grid .all .total .value").textContent !== text,
      total,
      { timeout: 10_000 },
    );
    assert.equal(await page.textContent("#state-word"), "Live");
    assert.equal(await page.textContent("#strips"), "");
    const { rows } = await api("live", `counts?from=2026-11-16&to=2026-11-22&by=op`);
    const sum = rows.reduce((all, { count }) => all + count, 0);
    const shown = Number((await page.textContent(".grid .all .total .value")).replaceAll(",", ""));
    assert.ok(Math.abs(sum - shown) < 50, "nothing was missed while it was gone");
    await clean(page);
  });

  test("where no stream is to be had the numbers are asked for", async () => {
    const page = await open("full", "?range=7d");
    mock.book("full").change([{ schema: "public", table: "orders", op: "INSERT", by: 1000 }]);
    const before = await page.textContent(".grid .all .total .value");
    await page.waitForFunction(
      (text) => document.querySelector(".grid .all .total .value").textContent !== text,
      before,
      { timeout: 10_000 },
    );
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
      const over = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.ok(over <= 0, `${scenario} at ${width}: ${over} px too wide`);
      await shot(page, `${scenario}-${width}${search.includes("name=") ? "-events" : ""}`);
      await clean(page);
    }
  });

  test("what the server need not tell may be missing", async () => {
    const page = await open("plain", "?range=7d");
    assert.match(await page.textContent("#pipeline .rejects"), /1,028 in the book/);
    assert.doesNotMatch(await page.textContent("body"), /undefined|NaN|null in/);
    await page.click("#pipeline .rejects a");
    await page.waitForSelector("#events .event");
    await clean(page);
  });

  test("the whole page is small", async () => {
    const { readdir, stat } = await import("node:fs/promises");
    const folder = new URL("../../src/server/assets/", import.meta.url);
    const sizes = await Promise.all(
      (await readdir(folder)).map(async (file) => (await stat(new URL(file, folder))).size),
    );
    assert.ok(sizes.reduce((a, b) => a + b) < 200_000);
  });
});
