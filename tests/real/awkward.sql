-- Everything that makes a line of test_decoding hard to read or a change easy to count wrongly.

-- Names that a naive reader takes for grammar.
create schema "My Schema";
create schema "dot.schema";
create schema "s: INSERT";
create schema "схема";
create type public.mood as enum ('ok', 'it''s ok', 'so]:''so');
create type "My Schema"."Odd Type" as ("a b" int, c text);
create domain public.posint as int check (value > 0);

create table "My Schema"."MixedCase" (id int primary key, "Select" text, "a]b" int, "x""y" text, "t[integer]:1" text);
insert into "My Schema"."MixedCase" values (1, 'a', 1, 'b', 'c'), (2, null, null, null, null), (3, '', 0, '''', 'd[text]:''e''');
update "My Schema"."MixedCase" set "Select" = 'table public.fake: DELETE: id[integer]:1';
update "My Schema"."MixedCase" set id = id + 10;
delete from "My Schema"."MixedCase" where id > 12;

do $$
declare
  name text;
begin
  foreach name in array array['user', 'order', 'select', 'INSERT', 'a.b', 'a, public.b', 'x: UPDATE: y', 'table public.z: DELETE:', 'we"ird', '"', '""', 'it''s',
    E'new\nline', E'tab\there', E'back\\slash', 'emoji 🐘, comma', 'тест_таблица', 'ünïcode', '1starts_with_digit', 'ends.', '.begins', ' ', 'space ', ':', '[', ']',
    'UPPER', 'dollar$', '{json}', '{"a":1}', 'BEGIN 1', 'COMMIT 2', 'null', 'TRUNCATE: (no-flags)', '%s', '*', '?', repeat('長', 21)]
  loop
    execute format('create table %I (id int primary key, v text)', name);
    execute format('insert into %I select i, %L from generate_series(1, 5) as i', name, name);
    execute format('update %I set v = v || v where id <= 3', name);
    execute format('update %I set id = 100 where id = 4', name);
    execute format('delete from %I where id = 5', name);
    execute format('create table "dot.schema".%I ()', name);
    execute format('insert into "dot.schema".%I default values', name);
    execute format('create table "s: INSERT".%I (%I text)', name, name);
    execute format('insert into "s: INSERT".%I values (%L)', name, name);
  end loop;
end $$;
create table "схема"."таблица ""а""" ("колонка" text);
insert into "схема"."таблица ""а""" values ('значение'), (E'\n'), ('');

-- Values that contain whole lines of the format.
create table public.texts (id int generated always as identity primary key, a text, b character varying(300), c character(5), d "char", e name);
insert into public.texts (a, b) values
  ('x'' UPDATE: table public.z: DELETE: id[integer]:1', 'ends with '''), (E'line1\ntable public.z: DELETE: id[integer]:9', E'COMMIT 5\n'), (E'C:\\dir\\', E'\\'),
  ('', ' '), (null, 'null'), ('unchanged-toast-datum', 'old-key: a[text]:''b'' new-tuple: '), (E'\r\n\t\x01\x1f', E'\x7f'), ('"payload":{"data":"BEGIN 1"}', '{"schema":'),
  ('''', ''''''), ('\u0000 \n', '\"'), (U&'\FEFF\200B\2028\D83D\DE00', 'é' || U&'\0301');
insert into public.texts (c, d, e) values ('ab', 'x', 'name'), ('', '', ''), ('''''''''''', '''', '''');
update public.texts set a = a || 'x' where id % 2 = 0;
delete from public.texts where id % 3 = 0;

-- Types of all kinds.
create table public.types_all (id int, s smallint, b bigint, n numeric, n2 numeric(10, 2), r real, d double precision, bo boolean, by bytea, j json, jb jsonb, u uuid, dt date,
  ti time, tz time with time zone, ts timestamp, tstz timestamptz(3), iv interval, ia int[], iaa int[][], ta text[], i4 inet, ci cidr, ma macaddr, m public.mood, ma2 public.mood[],
  po public.posint, ot "My Schema"."Odd Type", rg int4range, mr int4multirange, tr tstzrange, bt bit(4), vb bit varying, mo money, pt point, pg polygon, x xml, tv tsvector, tq tsquery,
  o oid, rc regclass, l pg_lsn, xi xid, ba bit(3)[], va varchar(3)[], na name[], jp jsonpath, tx txid_snapshot);
insert into public.types_all values (1, -1, 9223372036854775807, 'NaN', -0.01, 1.5e-10, 'Infinity', true, '\xdeadbeef', '{"a": "x: UPDATE: y"}', '{"k": [1, null, "q''q"]}',
  'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2026-02-28', '23:59:59.999999', '24:00:00+15:59', '0044-03-15 12:00:00 BC', 'infinity', '1 year 2 mons -3 days +04:05:06', '{1,NULL,3}', '{{1,2},{3,4}}',
  '{"a b","c,d","e\"f","","NULL",NULL,g''h,"]:"}', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', 'it''s ok', '{ok,"so]:''so"}', 5, '(1,"two, ""2""")', '[1,5)', '{[1,2),[3,4)}',
  '[2026-01-01 00:00+00,)', '1010', '1', '1234.56', '(1.5,-2)', '((0,0),(1,1),(1,0))', '<a b="c">d]:''</a>', '''cat'':2 ''fat'':1', 'fat & !cat', 4294967295, 'public.types_all', '16/B374D848',
  '42', '{101,010}', '{abc,"]"}', '{a,"b c"}', '$."a"[*]', '10:20:10,14,15');
insert into public.types_all (id) values (2);
insert into public.types_all (id, n, n2, r, d) values (3, 1e+20, 0, '-Infinity', 'NaN'), (4, '-Infinity', null, 1e38, 1e-300), (5, repeat('9', 1000)::numeric, 1, 0, -0.0);
update public.types_all set tstz = '-infinity', dt = 'infinity' where id = 1;
delete from public.types_all where id = 2;

-- No key, every replica identity, keys that change, keys with null.
create table public.no_pk (a int, b text);
create table public.full_identity (a int, b text);
alter table public.full_identity replica identity full;
create table public.index_identity (a int not null, b text not null, c text);
create unique index index_identity_b on public.index_identity (b);
alter table public.index_identity replica identity using index index_identity_b;
create table public.no_identity (a int primary key, b text);
alter table public.no_identity replica identity nothing;
create table public.multi_pk (a int, b text, c text, primary key (b, a));
create table public.no_columns ();
insert into public.no_columns default values;
insert into public.no_columns default values;
delete from public.no_columns;
do $$
declare
  name text;
begin
  foreach name in array array['no_pk', 'full_identity', 'index_identity', 'no_identity', 'multi_pk'] loop
    execute format('insert into %I select i, ''old-key: '' || i from generate_series(1, 20) as i', name);
    execute format('update %I set a = a + 1000 where a %% 2 = 0', name);
    execute format('update %I set b = ''new-tuple: '' || b where a %% 3 = 0', name);
    execute format('delete from %I where a %% 5 = 0', name);
  end loop;
end $$;
insert into public.full_identity values (null, null);
delete from public.full_identity where a is null;

-- TOAST: a big value written once, then untouched by updates of its neighbours; and one line of two megabytes.
create table public.toasted (id int primary key, small int, big text);
alter table public.toasted alter column big set storage external;
insert into public.toasted values (1, 1, repeat('table public.z: DELETE: x', 10000)), (2, 2, repeat('''', 1000000)), (3, 3, 'short');
update public.toasted set small = small + 1;
update public.toasted set big = big || '!' where id = 1;
delete from public.toasted where id = 2;

-- Partitions: leaves are named, a row that moves is a DELETE and an INSERT.
create table public.parts (id int, region text, primary key (id, region)) partition by list (region);
create table public."part US" partition of public.parts for values in ('us');
create table public.part_eu partition of public.parts for values in ('eu') partition by range (id);
create table "My Schema"."part_eu low" partition of public.part_eu for values from (0) to (100);
create table public.part_eu_high partition of public.part_eu for values from (100) to (1000);
create table public.part_rest partition of public.parts default;
insert into public.parts select i, (array['us', 'eu', 'xx'])[i % 3 + 1] from generate_series(1, 200) as i;
update public.parts set region = 'us' where id % 9 = 1;
update public.parts set id = id + 500 where id % 10 = 0;
delete from public.parts where id % 7 = 0;
truncate public.part_eu;

-- Foreign keys: cascades are changes of their own; a TRUNCATE names several tables in one line.
create table public.parent (id int primary key, v text);
create table public.child (id int primary key, parent int references public.parent on delete cascade on update cascade);
create table public."grand child" (id int primary key, child int references public.child on delete set null on update set default default 1);
insert into public.parent select i, 'p' from generate_series(1, 10) as i;
insert into public.child select i, i from generate_series(1, 10) as i;
insert into public."grand child" select i, i from generate_series(1, 10) as i;
delete from public.parent where id in (3, 4);
update public.parent set id = id + 100 where id > 5;
truncate public.parent cascade;
truncate public.parent, public.child, public."grand child" restart identity cascade;
truncate public."a, public.b", public."x: UPDATE: y", public."INSERT", "My Schema"."MixedCase", public.types_all restart identity;
truncate only public."we""ird";

-- Inheritance, generated columns, dropped columns, rules, views with triggers, upserts, merges.
create table public.ancestor (a int);
create table public.heir (b int) inherits (public.ancestor);
insert into public.heir values (1, 2), (3, 4);
insert into public.ancestor values (5);
update public.ancestor set a = a + 1;
truncate public.ancestor;
create table public.gen (a int, b int generated always as (a * 2) stored, gone int, c text);
insert into public.gen (a, gone, c) values (1, 1, 'x');
alter table public.gen drop column gone;
insert into public.gen (a, c) values (2, 'y'), (3, 'z');
create table public.upsert (id int primary key, n int default 0);
insert into public.upsert (id) select i % 7 from generate_series(1, 7) as i;
insert into public.upsert (id) select i from generate_series(1, 9) as i on conflict (id) do update set n = upsert.n + 1;
insert into public.upsert (id) select i from generate_series(1, 12) as i on conflict do nothing;
merge into public.upsert as u using generate_series(5, 15) as s (i) on u.id = s.i
  when matched and s.i % 2 = 0 then delete when matched then update set n = -1 when not matched then insert values (s.i, 99);
create rule also as on insert to public.gen do also insert into public.ancestor values (new.a);
insert into public.gen (a) values (10), (11);

-- What is rolled back leaves nothing; what is rolled back in part leaves the rest.
begin;
insert into public.no_pk values (1, 'never');
truncate public.child cascade;
rollback;
begin;
insert into public.no_pk values (2, 'kept');
savepoint one;
insert into public.no_pk values (3, 'never');
update public.no_pk set b = 'never';
savepoint two;
delete from public.no_pk;
rollback to two;
truncate public.no_pk;
rollback to one;
insert into public.no_pk values (4, 'kept');
release one;
commit;
do $$
begin
  for i in 1..50 loop
    begin
      insert into public.upsert values (100 + i, i);
      if i % 3 = 0 then
        raise exception 'undone';
      end if;
    exception when raise_exception then
      null;
    end;
  end loop;
end $$;
begin;
insert into public.texts (a) values ('prepared, kept');
prepare transaction 'gid ''quoted'': kept';
commit prepared 'gid ''quoted'': kept';
begin;
insert into public.texts (a) values ('prepared, undone');
prepare transaction 'undone';
rollback prepared 'undone';

-- COPY, many rows in one record of the log.
create table public.copied (id int, v text);
copy public.copied (id) from program 'seq 1 5000';
create table public.ctas as select i, 'v' || i as v from generate_series(1, 300) as i;
select i into public.selected_into from generate_series(1, 7) as i;
create materialized view public.mv as select * from public.ctas where i < 4;
refresh materialized view public.mv;

-- DDL between changes, and inside their transaction.
begin;
create table public.born (a int);
insert into public.born values (1);
alter table public.born rename to "re named";
insert into public."re named" values (2);
alter table public."re named" add column b text default 'rewritten', alter column a type bigint;
update public."re named" set b = 'x';
alter table public."re named" set schema "My Schema";
insert into "My Schema"."re named" values (3);
commit;
create table public.dropped (a int);
insert into public.dropped values (1), (2);
drop table public.dropped;
alter table public.copied alter column id type text;
vacuum full public.copied;
cluster public.upsert using upsert_pkey;
reindex table public.upsert;
comment on table public.copied is 'table public.z: DELETE:';

-- Not in the log at all: temporary and unlogged tables, sequences.
create temp table hidden (a int);
insert into hidden values (1);
create unlogged table public.unlogged (a int);
insert into public.unlogged values (1);
create sequence public.counter;
select nextval('public.counter');

-- Logical messages are markers, whatever they say.
select pg_logical_emit_message(true, 'test', 'msg1'), pg_logical_emit_message(false, 'test', E'COMMIT 7\ntable public.z: DELETE: id[integer]:1'),
  pg_logical_emit_message(true, 'table public.z: INSERT: a[integer]:1', 'x'), pg_logical_emit_message(false, '', '');
