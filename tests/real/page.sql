-- What the page is to show: a table of every day with old values, some of each kind of change, and names and values that
-- are harmless only as text.
set client_encoding = 'UTF8';

create table public.orders (id bigint primary key, state text, total_cents integer, note text);
alter table public.orders replica identity full;
insert into public.orders select id, 'new', id * 100, null from generate_series(1, 130) id;
update public.orders set state = 'paid', note = 'paid & "done" <b>at once</b>' where id <= 120;
delete from public.orders where id > 125;

create schema "Sales Dept.";
create table "Sales Dept."."Q1:2024" (id integer primary key, amount numeric(12, 2));
insert into "Sales Dept."."Q1:2024" values (1, 10.50), (2, null);
truncate "Sales Dept."."Q1:2024";

create table "a.b: <script>" (id integer primary key, "<img src=x onerror=alert(1)>" text, "v:" text);
insert into "a.b: <script>" values
  (1, '<script>alert(1)</script>', ''),
  (2, '"><img src=x onerror="alert(1)">', null),
  (3, E'quotes '' " ` \\ and\nlines\r\n', 'javascript:alert(1)'),
  (4, E'\u202Egnitset\u202C and \u2066isolated\u2069', 'שלום עולם'),
  (5, '表格 👩‍👩‍👧‍👦 ✂', repeat('long ', 1000)),
  (6, '</td></table><style>*{display:none}</style>', '{{constructor.constructor("alert(1)")()}}');

create table "<script>alert(1)</script>" (id integer);
create table "we""ird '$$ \ `" (id integer);
create table "表格 👩‍👩‍👧‍👦" (id integer);
create table "שולחן עברי" (id integer);
create table U&"\202Egnitset\202C" (id integer);
create table " outer " (id integer);
create table "__proto__" (id integer);
create table "a*b?c" (id integer);
create table "abbc" (id integer);
create table "&amp;%3Cb%3E#?/../" (id integer);
create table U&"line\000Aend" (id integer);
create schema "a_schema_with_a_quite_long_name_of_its_own_indeed_63_bytes_long";
create table "a_schema_with_a_quite_long_name_of_its_own_indeed_63_bytes_long"."and_a_table_that_is_just_as_long_and_ends_in_its_number_2026_11" (id integer);
insert into "<script>alert(1)</script>" select generate_series(1, 3);
insert into "we""ird '$$ \ `" select generate_series(1, 2);
insert into "表格 👩‍👩‍👧‍👦" values (1);
insert into "שולחן עברי" values (1);
insert into U&"\202Egnitset\202C" values (1);
insert into " outer " values (1);
insert into "__proto__" values (1);
insert into "a*b?c" values (1);
insert into "abbc" select generate_series(1, 7);
insert into "&amp;%3Cb%3E#?/../" values (1);
insert into U&"line\000Aend" values (1);
insert into "a_schema_with_a_quite_long_name_of_its_own_indeed_63_bytes_long"."and_a_table_that_is_just_as_long_and_ends_in_its_number_2026_11" values (1);
