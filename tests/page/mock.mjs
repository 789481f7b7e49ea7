// Serves the page with an invented book, for its development and its tests: every scenario under a path of its own, so
// that `http://127.0.0.1:PORT/lagging/` is the page of a book that lags. No dependencies.
//
//     node tests/page/mock.mjs [PORT]

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { SCENARIOS } from "./scenarios.mjs";

const ASSETS = fileURLToPath(new URL("../../src/server/page/assets/", import.meta.url));
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Starts the server; `{url, close, books}`. */
export async function serve(port = 0) {
  const books = new Map();
  const book = (name) => {
    if (!books.has(name)) books.set(name, SCENARIOS[name]());
    return books.get(name);
  };
  const server = createServer((request, response) => {
    answer(request, response, book).catch((error) => {
      if (!response.headersSent) send(response, 500, { error: { code: "internal", message: String(error) } });
      else response.destroy();
    });
  });
  await new Promise((listening) => server.listen(port, "127.0.0.1", listening));
  const close = () => {
    for (const one of books.values()) one.stop();
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, close, book };
}

async function answer(request, response, book) {
  const url = new URL(request.url, "http://localhost");
  const [, name, ...rest] = url.pathname.split("/");
  const path = rest.join("/");
  response.setHeader("Content-Security-Policy", CSP);
  response.setHeader("X-Content-Type-Options", "nosniff");
  if (!(name in SCENARIOS))
    return send(response, 404, { error: { code: "not_found", message: `one of ${Object.keys(SCENARIOS)}` } });
  if (path === "" || path.startsWith("assets/")) {
    const file = path === "" ? "index.html" : path.slice("assets/".length);
    const bytes = await readFile(ASSETS + file);
    response.writeHead(200, { "Content-Type": TYPES[extname(file)], "Cache-Control": "no-cache" });
    response.end(bytes);
    return;
  }
  const it = book(name);
  if (it.gone) return request.socket.destroy();
  if (it.token !== null && request.headers.authorization !== `Bearer ${it.token}`) {
    return send(response, 401, { error: { code: "unauthorized", message: "a token is needed" } });
  }
  if (it.delay) await new Promise((next) => setTimeout(next, it.delay));
  const asked = Object.fromEntries(url.searchParams);
  const endpoint = path.replace(/^api\//, "");
  if (it.refusals[endpoint] > 0) {
    it.refusals[endpoint] -= 1;
    return send(response, 503, { error: { code: "busy", message: "too many questions at once" } });
  }
  if (endpoint === "live") return live(request, response, it, asked);
  if (endpoint === "counts") return counts(response, it, asked);
  if (endpoint === "events") return events(response, it, asked);
  if (endpoint.startsWith("views/")) return view(response, it, endpoint.slice("views/".length), asked);
  const found = {
    status: () => it.status(asked),
    days: () => it.days(asked),
    tables: () => it.tableList(),
    rejects: () => it.rejectList(asked),
    views: () => it.viewList(),
  }[endpoint];
  if (found === undefined) return send(response, 404, { error: { code: "not_found", message: `no ${path}` } });
  send(response, 200, found());
}

function counts(response, book, asked) {
  const answer = book.counts(asked);
  if (asked.format !== "csv" && asked.format !== "parquet") return send(response, 200, answer);
  const columns = Object.keys(answer.rows[0] ?? { day: 0, schema: 0, table: 0, op: 0, count: 0 });
  file(response, `shop-counts-${asked.from}-${asked.to}.${asked.format}`, columns, answer.rows, asked.format);
}

/** A view that can be read; else answers why not. */
function readable(response, book, name) {
  const found = book.views.get(name);
  const refuse = (status, code, message) => send(response, status, { error: { code, message } });
  if (!found) refuse(404, "no_view", `there is no view ${name}; views of this book: ${[...book.views.keys()].join(", ")}`);
  else if (!found.isCurrent) refuse(409, "not_built", `the view ${name} is not built yet`);
  return found?.isCurrent ? found : null;
}

function view(response, book, name, asked) {
  const found = readable(response, book, name);
  if (!found) return;
  const answer = found.answer(asked);
  if (asked.format !== "csv") return send(response, 200, answer);
  const columns = answer.columns.map((column) => column.name);
  file(response, `shop-${name}.csv`, columns, answer.rows, "csv");
}

function events(response, book, asked) {
  if (asked.where?.startsWith("wrong")) {
    const message = "could not use the condition: line 1, column 1: there is no column wrong\n    wrong = 1\n    ^";
    return send(response, 400, { error: { code: "bad_request", message } });
  }
  const answer = book.events(asked);
  if (asked.where) {
    // The mock knows no SQL: some rows, and a value that could not be computed.
    const first = { expression: "new.id::BIGINT", value: "x", reason: "not a bigint" };
    Object.assign(answer, { rows: answer.rows.slice(0, 3), next: null, bad_values: { count: 1, first } });
  }
  if (asked.format !== "csv" && asked.format !== "parquet") return send(response, 200, answer);
  file(
    response,
    `shop-events-${asked.from}-${asked.to}.${asked.format}`,
    ["topic", "partition", "offset", "commit_time", "data"],
    answer.rows,
    asked.format,
  );
}

function file(response, name, columns, rows, format) {
  const field = (value) =>
    /[",\n\r]/.test(String(value)) ? `"${String(value).replace(/"/g, '""')}"` : String(value ?? "");
  const csv = [columns.join(","), ...rows.map((row) => columns.map((column) => field(row[column])).join(","))].join(
    "\n",
  );
  const type = format === "csv" ? "text/csv" : "application/vnd.apache.parquet";
  response.writeHead(200, { "Content-Type": type, "Content-Disposition": `attachment; filename="${name}"` });
  response.end(format === "csv" ? `${csv}\n` : "PAR1 invented PAR1");
}

function live(request, response, book, asked) {
  if (book.full)
    return send(response, 503, { error: { code: "too_many", message: "500 clients are listening already" } });
  if (book.silent) return;
  const unknown = Object.keys(asked).find((name) => !["view", "from", "to", "last_event_id"].includes(name));
  if (unknown) return send(response, 400, { error: { code: "bad_request", message: `no parameter ${unknown}` } });
  const view = asked.view ? readable(response, book, asked.view) : null;
  if (asked.view && !view) return;
  const { since: rowsSince, snapshot, listen } = view ? streamOfView(view, asked) : streamOfCounts(book, asked);
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  const write = (event, id, data) => response.write(`event: ${event}\nid: ${id}\ndata: ${json(data)}\n\n`);
  response.write("retry: 300\n\n");
  const since = Number(request.headers["last-event-id"] ?? asked.last_event_id ?? Number.NaN);
  const knows = Number.isInteger(since) && since <= book.epoch;
  if (knows)
    write("delta", book.epoch, {
      complete_to: book.completeTo(),
      rows: rowsSince(since),
      status: book.compact(),
    });
  else write("snapshot", book.epoch, { ...snapshot(), status: book.compact() });
  const stop = listen(
    (rows) => {
      if (!book.silent) write("delta", book.epoch, { complete_to: book.completeTo(), rows, status: book.compact() });
    },
    () => response.destroy(),
  );
  response.on("close", stop);
}

function streamOfCounts(book, asked) {
  const inRange = (rows) => rows.filter((row) => row.day >= asked.from && row.day <= asked.to);
  return {
    since: (epoch) => book.since(epoch, asked),
    snapshot: () => book.counts(asked),
    listen: (listener, cut) => book.listen((rows) => listener(inRange(rows)), cut),
  };
}

function streamOfView(view, asked) {
  return {
    since: (epoch) => view.since(epoch, asked),
    snapshot: () => view.answer(asked),
    listen: (listener, cut) => view.listen((rows) => listener(view.inRange(rows, asked)), cut),
  };
}

function send(response, status, value) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(json(value));
}

/** JSON in which whole numbers beyond 2^53, bigints here, are numbers. */
function json(value) {
  try {
    return JSON.stringify(value);
  } catch {
    // There are bigints in it, which takes longer.
  }
  return JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `\u0001${part}\u0001` : part)).replace(
    /"\\u0001(\d+)\\u0001"/g,
    "$1",
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await serve(Number(process.argv[2] ?? 8399));
  for (const name of Object.keys(SCENARIOS)) console.log(`${url}/${name}/`);
}
