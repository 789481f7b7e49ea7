-- Where the sessions of the random workload meet: hostile names, every replica identity, partitions, values out of line.
-- The triggers of truth.sql record what they change.

-- The truth names the transaction and, within it, the order.
alter table truth.changes add column xid bigint not null default txid_current(), add column step bigserial;

create schema "a.b";
create schema a;
create schema "Ümläut ✓";

create table public.plain (id int primary key, v text, n int);
create table public."user" (id int primary key, v text, n int);
create table "a.b".c (id int primary key, v text, n int);
create table a."b.c" (id int primary key, v text, n int);
create table "Ümläut ✓"."a.b: <script>" (id int primary key, v text, n int);
create table public."we""ird, public.plain" (id int, v text, n int);
create table public."new
line: INSERT:" (id int primary key, v text, n int);
create table public.full_identity (id int, v text, n int);
alter table public.full_identity replica identity full;
create table public.no_identity (id int primary key, v text, n int);
alter table public.no_identity replica identity nothing;

create table public.parts (id int, v text, n int, primary key (id, n)) partition by list (n);
create table public."part: one" partition of public.parts for values in (0, 1, 2);
create table public.part_two partition of public.parts for values in (3, 4) partition by range (id);
create table "Ümläut ✓"."low ""end""" partition of public.part_two for values from (minvalue) to (500);
create table public.part_high partition of public.part_two for values from (500) to (maxvalue);
create table public.part_rest partition of public.parts default;

create table public.toasted (id int primary key, v text, n int);
alter table public.toasted alter column v set storage external;
insert into public.toasted select i, repeat('table public.z: DELETE: x''', 400 * i), 0 from generate_series(1, 8) as i;
