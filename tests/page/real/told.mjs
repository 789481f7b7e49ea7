// What the test that starts everything has told: the page, its book, the database behind it.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as browser from "../browser.mjs";

const run = promisify(execFile);
const told = (name) => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run these tests by ./test page`);
  return value;
};

export const URL_OF_PAGE = told("WALBOOK_PAGE_URL");
export const TOKEN = told("WALBOOK_PAGE_TOKEN");

/** Opens the page. */
export function open(search = "", options = {}) {
  return browser.open(URL_OF_PAGE + search, options);
}

/** What a command of walbook says of the book. */
export async function walbook(command, ...parameters) {
  // The tests' own variables are none of its settings.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("WALBOOK_")));
  const all = [command, told("WALBOOK_PAGE_BOOK"), ...parameters];
  const { stdout } = await run(told("WALBOOK_PAGE_BINARY"), all, { env, maxBuffer: 1 << 28 });
  return stdout;
}

/** The rows that `walbook query` finds in a range. */
export async function query({ from, to }, ...parameters) {
  const answer = JSON.parse(await walbook("query", "--from", from, "--to", to, "--format", "json", ...parameters));
  return answer.rows;
}

/** Runs SQL in the database that is captured. */
export async function sql(text) {
  await run(told("WALBOOK_PAGE_PSQL"), [
    "-X",
    "-q",
    "-v",
    "ON_ERROR_STOP=1",
    "-c",
    text,
    told("WALBOOK_PAGE_DATABASE"),
  ]);
}

/** The rows of a Parquet file, by pyarrow, as JSON has them. */
export async function parquet(path) {
  const program =
    "import json, sys, pyarrow.parquet as p; print(json.dumps(p.read_table(sys.argv[1]).to_pylist(), default=str))";
  const { stdout } = await run(told("WALBOOK_TEST_PYTHON"), ["-c", program, path], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout);
}

/** The range that stands in the page's two fields. */
export async function range(page) {
  return { from: await page.inputValue("#from"), to: await page.inputValue("#to") };
}

/** Waits until all of a table that is live is on disk too. */
export async function committed(table) {
  for (;;) {
    const ask = (level) =>
      fetch(`${URL_OF_PAGE}api/counts?table=${table}&level=${level}`).then((answer) => answer.json());
    const [live, durable] = [await ask("live"), await ask("durable")];
    if (JSON.stringify(live.rows) === JSON.stringify(durable.rows)) return;
    await new Promise((next) => setTimeout(next, 50));
  }
}

/** The day that the book has. */
export async function today() {
  const response = await fetch(`${URL_OF_PAGE}api/status`, { headers: { Authorization: `Bearer ${TOKEN}` } });
  return (await response.json()).today;
}
