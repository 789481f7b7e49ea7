-- What PostgreSQL itself says of every change: triggers write one row per changed row into an unlogged table, which no
-- slot ever sees, and which forgets with the transaction or savepoint that is rolled back. An event trigger puts them
-- on every table that is made.

create schema truth;
create unlogged table truth.phase (phase int not null);
insert into truth.phase values (1);
create unlogged table truth.changes (phase int not null, schema_name text not null, table_name text not null, op text not null);

create function truth.note() returns trigger language plpgsql as $$
begin
  insert into truth.changes select phase, tg_table_schema, tg_table_name, tg_op from truth.phase;
  return null;
end $$;

create function truth.watch() returns event_trigger language plpgsql as $$
declare
  made record;
begin
  for made in
    select distinct command.command_tag, class.oid::regclass as name, class.relname, space.nspname, class.relispartition, class.relkind
    from pg_event_trigger_ddl_commands() as command
      join pg_class as class on class.oid = command.objid
      join pg_namespace as space on space.oid = class.relnamespace
    where command.command_tag <> 'ALTER TABLE' and command.classid = 'pg_class'::regclass and class.relkind in ('r', 'p', 'm') and class.relpersistence = 'p'
      and space.nspname <> 'truth'
  loop
    if made.command_tag in ('CREATE TABLE AS', 'SELECT INTO', 'CREATE MATERIALIZED VIEW') then
      -- Its rows were there before any trigger could be.
      execute format('insert into truth.changes select phase, %L, %L, ''INSERT'' from truth.phase, %s', made.nspname, made.relname, made.name);
    end if;
    if made.relkind <> 'm' then
      -- A partition takes its parent's row triggers, and names itself in them.
      if not made.relispartition then
        execute format('create trigger truth_rows after insert or update or delete on %s for each row execute function truth.note()', made.name);
      end if;
      execute format('create trigger truth_truncates after truncate on %s for each statement execute function truth.note()', made.name);
    end if;
  end loop;
end $$;

create event trigger truth_watch on ddl_command_end
  when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE MATERIALIZED VIEW') execute function truth.watch();
