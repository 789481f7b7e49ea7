// Invented books: the numbers of the page's pictures, and what could break it.

import { InventedBook } from "./invented.mjs";
import { inventViews } from "./invented_views.mjs";

// Changes of fourteen days by table: INSERT, UPDATE, DELETE, TRUNCATE.
const SHOP = {
  "public.sessions": [901_657, 1_709_894, 828_329, 0],
  "public.cart_items": [646_740, 454_643, 546_258, 0],
  "public.stock_levels": [584, 1_328_316, 0, 0],
  "audit.log": [774_334, 0, 0, 0],
  "public.orders": [160_549, 557_663, 199, 0],
  "public.shipments": [144_514, 423_411, 40, 0],
  "public.order items": [450_693, 60_217, 1_731, 0],
  "public.payments": [158_193, 315_611, 0, 0],
  "marketing.campaign_clicks_2026_11": [203_157, 0, 0, 0],
  "public.price_import": [145_624, 0, 0, 4],
  "public.customers": [28_302, 91_504, 282, 0],
  "public.products": [1_857, 32_373, 501, 0],
  "Sales Dept.Q1:2024": [0, 47, 0, 0],
  'public.we"ird': [7, 6, 9, 0],
};

const REJECTS = [
  {
    reason: "not UTF-8: decode a database whose encoding is UTF8",
    count: 2,
    newest: {
      topic: "shop.changes",
      partition: 1,
      offset: 81_204,
      kafka_time: "2026-11-18T11:02:13.120000Z",
      key: null,
      value: "table public.orders: INSERT: note[text]:'\ufffd\ufffd'",
      value_cut: false,
    },
  },
  {
    reason: "malformed columns after the operation",
    count: 1,
    newest: {
      topic: "shop.changes",
      partition: 0,
      offset: 81_111,
      kafka_time: "2026-11-17T09:12:13.120000Z",
      key: null,
      value: "table public.orders: INSERT: id[bigint",
      value_cut: false,
    },
  },
];

const STREAMED = [
  {
    reason: "streamed change names no table: turn the slot option stream-changes off",
    count: 1019,
    newest: {
      topic: "shop.changes",
      partition: 2,
      offset: 88_214_907,
      kafka_time: "2026-11-22T03:12:55.000000Z",
      key: null,
      value: "streaming change for TXN 91827",
      value_cut: false,
    },
  },
  {
    reason: "not UTF-8: decode a database whose encoding is UTF8",
    count: 8,
    newest: {
      topic: "shop.changes",
      partition: 1,
      offset: 81_204,
      kafka_time: "2026-11-18T11:02:13.120000Z",
      key: null,
      value: "\ufffd",
      value_cut: false,
    },
  },
  {
    reason: "time outside the years 0001 to 9999 in the book's time zone",
    count: 1,
    newest: {
      topic: "shop.changes",
      partition: 0,
      offset: 81_111,
      kafka_time: "2026-11-17T09:12:13.120000Z",
      key: null,
      value: "x",
      value_cut: false,
    },
  },
];

const EVIL = [
  ["public", "<script>alert(1)</script>"],
  ['<img src=x onerror="alert(1)">', "t"],
  ["public", "\u202egnitset\u202c"],
  ["public", "שולחן עברי"],
  ["مخطط", "جدول"],
  ["public", 'quo"ted'],
  ["public", "line\nend"],
  ["public", " outer "],
  ["public", "a\tb"],
  ["public", "javascript:alert(1)"],
  ["public", "__proto__"],
  ["constructor", "toString"],
  ["public", "*"],
  ["public", "a?b"],
  ["", ""],
  ["public", "表格 👩‍👩‍👧‍👦 ✂"],
  ["public", "x".repeat(63)],
  [
    "a_schema_with_a_rather_long_name_of_its_own_indeed_63_bytes_long",
    "and_a_table_that_is_just_as_long_and_ends_in_its_number_2026_11",
  ],
  ["public", "&amp;%3Cb%3E#?/../"],
];

const many = (tables) =>
  Array.from({ length: tables }, (_, index) => [
    `schema_${index % 37}`,
    `table_${String(index).padStart(5, "0")}_of_a_large_book`,
  ]);

const shop = (more = {}) => new InventedBook({ tables: SHOP, firstDay: "2026-11-09", rejects: REJECTS, ...more });

/** A run of processes, of which some are otherwise than a good one. */
const cluster = (...others) => ({
  run: "0b5c4a52",
  process: 0,
  leader: 0,
  since: "2026-11-22T09:00:00.000000Z",
  processes: [{}, ...others].map((other, process) => ({
    process,
    address: `walbook-${process}.walbook.shop.svc:7001`,
    workers: 2,
    since: "2026-11-22T09:00:00.000000Z",
    last_contact_ms: process === 0 ? 0 : 412,
    answers: true,
    source_error: null,
    ...other,
  })),
});

export const SCENARIOS = {
  typical: () => shop(),
  live: () => shop({ changesEvery: 400 }),
  lagging: () => shop({ lagging: true, rejects: STREAMED }),
  unreadable: () => shop({ tables: {}, firstDay: null, rejects: STREAMED }),
  empty: () => shop({ tables: {}, firstDay: null, rejects: [] }),
  large: () => new InventedBook({ names: many(10_000), firstDay: "2026-11-09", rejects: [], changesEvery: 400 }),
  evil: () => new InventedBook({ names: EVIL, firstDay: "2026-10-09", rejects: REJECTS }),
  year: () => shop({ firstDay: "2025-10-01" }),
  partitions: () => shop({ partitions: 64 }),
  token: () => shop({ token: "open sesame" }),
  full: () => shop({ full: true }),
  cluster: () => shop({ cluster: cluster({}) }),
  plain: () => shop({ plain: true, rejects: STREAMED.map((reason) => ({ ...reason, newest: null })) }),
  rest: () => shop({ mode: "serve" }),
  lost: () =>
    shop({
      lost: [{ topic: "shop.changes", partition: 1, from: 81_204, to: 85_300, records: 4096 }],
    }),
  silent: () => shop({ changesEvery: 400 }),
  unseen: () => shop(),
  busy: () => shop(),
  slow: () => shop(),
  midnight: () => shop(),
  views: () => shop({ views: inventViews }),
  view_faults: () => shop({ views: inventViews }),
  view_polls: () => shop({ views: inventViews, full: true }),
  lagging_views: () => shop({ views: inventViews, lagging: true, rejects: STREAMED }),
  large_views: () => shop({ views: (book) => inventViews(book, 10_000) }),
  most_groups: () => shop({ views: (book) => inventViews(book, 21_000) }),
  huge: () => shop({ tables: { "public.counter": [9_007_199_254_740_993n, 3, 0, 0], "public.other": [1, 2, 3, 0] } }),
};
