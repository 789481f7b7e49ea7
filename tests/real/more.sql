-- After a drain: the same tables again, so that the same names come from another day.

insert into public."user" select i, 'later' from generate_series(1000, 1200) as i;
update public."order" set v = 'later';
delete from public."тест_таблица" where id = 100;
truncate public."тест_таблица", "dot.schema"."тест_таблица", "s: INSERT"."тест_таблица" cascade;
delete from public.parts;
insert into public.parts select i, 'eu' from generate_series(1, 90) as i;

-- A detached partition is a table like any other, and may come back. It loses its parent's triggers and takes them again.
alter table public.parts detach partition public."part US";
create trigger truth_rows after insert or update or delete on public."part US" for each row execute function truth.note();
insert into public."part US" values (1, 'us');
drop trigger truth_rows on public."part US";
alter table public.parts attach partition public."part US" for values in ('us');
insert into public.parts values (2, 'us');

-- One transaction of many tables and many rows.
begin;
insert into public.copied select i::text, 'again' from generate_series(1, 3000) as i;
update public.copied set v = v || '.' where length(id) = 3;
delete from public.copied where length(id) = 2;
update public.full_identity set b = repeat('x', 5000);
delete from public.index_identity;
update public.toasted set small = 0;
commit;
