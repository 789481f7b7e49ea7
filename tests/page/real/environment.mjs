// The environment that tests/real/page.rs starts: the page, its book, and the database.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as browser from "../browser.mjs";

const run = promisify(execFile);
const setting = (name) => {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run these tests by ./test page`);
  return value;
};

export const URL_OF_PAGE = setting("WALBOOK_PAGE_URL");
export const TOKEN = setting("WALBOOK_PAGE_TOKEN");

/** Opens the page. */
export function open(search = "", options = {}) {
  return browser.open(URL_OF_PAGE + search, options);
}

/** Runs a command of walbook on the book; resolves to its output. */
export async function walbook(command, ...parameters) {
  // Variables of the tests are not settings of the command.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("WALBOOK_")));
  const all = [command, setting("WALBOOK_PAGE_BOOK"), ...parameters];
  const { stdout } = await run(setting("WALBOOK_PAGE_BINARY"), all, { env, maxBuffer: 1 << 28 });
  return stdout;
}

/** The rows that `walbook query` finds in a range. */
export async function query({ from, to }, ...parameters) {
  const answer = JSON.parse(await walbook("query", "--from", from, "--to", to, "--format", "json", ...parameters));
  return answer.rows;
}

/** Runs SQL in the database that is captured. */
export async function sql(text) {
  await run(setting("WALBOOK_PAGE_PSQL"), [
    "-X",
    "-q",
    "-v",
    "ON_ERROR_STOP=1",
    "-c",
    text,
    setting("WALBOOK_PAGE_DATABASE"),
  ]);
}

/** The rows of a Parquet file, by pyarrow, as JSON has them. */
export async function parquet(path) {
  const program =
    "import json, sys, pyarrow.parquet as p; print(json.dumps(p.read_table(sys.argv[1]).to_pylist(), default=str))";
  const { stdout } = await run(setting("WALBOOK_TEST_PYTHON"), ["-c", program, path], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout);
}

/** The range in the two fields of the page. */
export async function range(page) {
  return { from: await page.inputValue("#from"), to: await page.inputValue("#to") };
}

/** Waits until all live counts of a table are on disk too. */
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
