// A run of several processes: whether all answer, and which one does not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accessible, clean, shot } from "./browser.mjs";
import { mock, open } from "./invented_page.mjs";

const NAME = "Process 1 (walbook-1.walbook.shop.svc:7001)";
const SILENT = { answers: false, last_contact_ms: 4200 };
const LOST = { source_error: "no answer from Kafka at kafka:9092" };
const GOOD = { answers: true, last_contact_ms: 412, source_error: null };

const text = (page, selector, pattern) =>
  page.waitForFunction(
    ([selector, pattern]) => new RegExp(pattern).test(document.querySelector(selector)?.textContent),
    [selector, pattern],
    { timeout: 5000 },
  );

for (const [name, options] of [
  ["cluster", { colorScheme: "light" }],
  ["cluster-dark", { colorScheme: "dark" }],
  ["cluster-narrow", { colorScheme: "light", width: 390, height: 844 }],
]) {
  test(`a process that does not answer is named: ${name}`, async () => {
    const page = await open("cluster", "?range=14d", { bypassCSP: true, ...options });
    const [, other] = mock.book("cluster").cluster.processes;
    Object.assign(other, GOOD);
    if (name === "cluster-narrow") await page.click("#fold");
    await text(page, "#pipeline .cluster", "^Cluster2 processes2 workers each; all answer\\.$");
    assert.equal(await page.textContent("#strips"), "");
    await page.locator("#pipeline .cluster").scrollIntoViewIfNeeded();
    await shot(page, name);

    Object.assign(other, SILENT);
    await text(page, "#strips", "has not answered for 4\\.2 s\\..*all processes end");
    const section = await page.textContent("#pipeline .cluster");
    assert.equal(section, `Cluster2 processesProcess 1silent for 4.2 s2 workers each; 1 of 2 answer.`);
    assert.ok((await page.textContent("#strips")).startsWith(`${NAME} has not answered`));
    await text(page, "#speak", "Process 1 .*has not answered");
    await page.locator("#pipeline .cluster").scrollIntoViewIfNeeded();
    await shot(page, `${name}-silent`);
    await accessible(page, name);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} px too wide`);

    Object.assign(other, GOOD, LOST);
    await text(page, "#strips", "^$");
    mock.book("cluster").reason = `process 1 has not reached what it reads for 6 s: ${LOST.source_error}`;
    await text(page, "#strips", "does not reach Kafka\\.");
    await text(page, "#complete-why", "has not reached what it reads for 6 s");
    await text(page, "#pipeline .cluster", "does not reach Kafka.*all answer");
    await shot(page, `${name}-lost`);
    Object.assign(other, GOOD);
    mock.book("cluster").reason = null;
    await text(page, "#strips", "^$");
    await clean(page);
  });
}

test("a single process has no section of a cluster", async () => {
  const page = await open("typical", "?range=7d");
  assert.equal(await page.textContent("#pipeline .cluster"), "");
  assert.equal(await page.locator("#pipeline .cluster").isVisible(), false);
  await clean(page);
});
