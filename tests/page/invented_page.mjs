// The page of invented books, for tests of states that a real server rarely has.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import * as browser from "./browser.mjs";
import { serve } from "./mock.mjs";

/** The server of the invented books. */
export let mock = null;
before(async () => (mock = await serve()));
after(() => mock?.close());

/** The present day of every invented book. */
export const TODAY = "2026-11-22";

/** Opens the page of a book. */
export function open(book, search = "", options = {}) {
  return browser.open(`${mock.url}/${book}/${search}`, options);
}

/** Sends a request to a book. */
export async function api(book, path) {
  const response = await fetch(`${mock.url}/${book}/api/${path}`);
  assert.equal(response.status, 200, path);
  return response.json();
}
