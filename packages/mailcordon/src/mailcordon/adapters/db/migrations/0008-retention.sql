-- Rows that no day's partition fits, retention by whole days, and what control may purge (docs/operations.md, "Retention").

-- The time of an id and the first id of a time, in ms since 1970 (core/ids.py). The planner inlines them.
create function ms_of(id bigint) returns bigint language sql immutable return (id >> 22) + 1767225600000;
create function first_id_at(ms bigint) returns bigint language sql immutable return (ms - 1767225600000) << 22;

-- The day of an id, and the first id of a day.
create function day_of(id bigint) returns date language sql immutable
    return (to_timestamp(ms_of(id) / 1000.0) at time zone 'UTC')::date;
create function first_id_of(day date) returns bigint language sql immutable
    return first_id_at(extract(epoch from day::timestamp)::bigint * 1000);

-- note and send_event were plain tables. Each becomes the default partition of its successor, which takes over columns, indexes
-- and rights; make_partition, below, moves the rows into their days. `seq` gets a sequence of its own, since PostgreSQL 15 and 16
-- know no identity columns in partitions.
create sequence note_seq;
select setval('note_seq', coalesce((select max(seq) from note), 0) + 1, false);
alter table note alter column seq drop identity;
alter table note alter column seq set default nextval('note_seq');

do $$
declare
    name text; key text; old text; held record;
begin
    for name, key in values ('note', 'id'), ('send_event', 'delivery') loop
        old := name || '_default';
        execute format('alter table %I rename to %I', name, old);
        execute format('alter index %I rename to %I', name || '_pkey', old || '_pkey');
        execute format('create table %I (like %I including all) partition by range (%I)', name, old, key);
        execute format('alter table %I attach partition %I default', name, old);
        for held in
            select a.privilege_type as what, r.rolname as whose
            from pg_class c cross join aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
            where c.oid = old::regclass and a.grantee <> c.relowner
        loop
            execute format('grant %s on %I to %I', held.what, name, held.whose);
            execute format('revoke %s on %I from %I', held.what, old, held.whose);
            if name = 'note' and held.what = 'INSERT' then
                execute format('grant usage on sequence note_seq to %I', held.whose);
            end if;
        end loop;
    end loop;
end $$;
alter sequence note_seq owned by note.seq;
drop policy own_tenant on note_default;
drop policy planes on note_default;
alter table note_default disable row level security;
alter table note enable row level security;
create policy own_tenant on note for select to {{reader}}
    using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy planes on note to {{control}}, {{governor}}, {{send}}, {{observe}} using (true) with check (true);

create table message_default partition of message default;
create table content_default partition of content default with (toast_tuple_target = 8160);
create table recipient_default partition of recipient default;
create table ledger_default partition of ledger default;
create table event_default partition of event default;
create table outcome_default partition of outcome default;

-- The tables that have a partition for each day, and the column that holds the id.
create function daily_tables() returns table (parent text, key text) language sql stable set search_path from current as $$
    select c.relname::text, a.attname::text
    from pg_partitioned_table p
    join pg_class c on c.oid = p.partrelid and c.relnamespace = current_schema()::regnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
    order by c.relname
$$;

-- The days of the rows in the default partitions. They are empty unless a partition was missing.
create function days_in_default() returns table (parent text, day date)
language plpgsql stable security definer set search_path from current as $$
declare d record;
begin
    for d in select * from daily_tables() loop
        return query execute format('select distinct %L, day_of(%I) from %I', d.parent, d.key, d.parent || '_default');
    end loop;
end $$;

-- Rows in the default partitions, counted to at most `most` for each table, so that the answer is quick.
create function rows_in_default(most bigint) returns table (parent text, rows bigint)
language plpgsql stable security definer set search_path from current as $$
declare d record;
begin
    for d in select * from daily_tables() loop
        return query execute format('select %L, count(*) from (select from %I limit %s) x', d.parent, d.parent || '_default', most);
    end loop;
end $$;

-- Makes one day's partition of one table, and moves the day's rows out of the default partition. False if it exists already.
-- Attaching it locks the default partition and, for message, the table lane (its foreign key), so both are locked first, in the
-- order in which claims lock them. The lock_timeout is short since whoever reads these tables queues behind us: the caller repeats.
create function make_partition(parent text, day date) returns boolean
language plpgsql security definer set search_path from current set lock_timeout = '500ms' as $$
declare
    name text := parent || to_char(day, '"_p"YYYYMMDD');
    low bigint := first_id_of(day);
    high bigint := first_id_of(day + 1);
    key text;
begin
    select d.key into key from daily_tables() d where d.parent = make_partition.parent;
    if key is null or low < 0 then
        raise exception 'no partitions of % for %', parent, day using errcode = 'invalid_parameter_value';
    end if;
    perform pg_advisory_xact_lock(hashtext(current_schema() || '.ensure_partitions'));
    if to_regclass(format('%I', name)) is not null then
        return false;
    end if;
    if parent = 'message' then
        lock table lane in share row exclusive mode;
    end if;
    execute format('lock table %I in access exclusive mode', parent || '_default');
    -- Only ever inserted into, so looked at by vacuum per 200,000 rows instead of per 1,000: on a fresh day it would otherwise run
    -- all the time. Content up to a page stays beside its id: a mail of a few kB in TOAST costs two rows and an index more.
    execute format('create table %I (like %I including all)
                    with (autovacuum_vacuum_insert_threshold = 200000, autovacuum_analyze_threshold = 50000%s)',
        name, parent, case parent when 'content' then ', toast_tuple_target = 8160' else '' end);
    execute format('with gone as (delete from %1$I where %2$I >= %3$s and %2$I < %4$s returning *) insert into %5$I select * from gone',
        parent || '_default', key, low, high, name);
    execute format('alter table %I attach partition %I for values from (%s) to (%s)', parent, name, low, high);
    return true;
end $$;

-- All partitions that are missing: those of the days from yesterday on, and those of the rows in the default partitions.
create or replace function ensure_partitions(days int, from_ms bigint default null) returns int
language plpgsql security definer set search_path from current as $$
declare
    made int := 0; d record;
    first date := (to_timestamp(coalesce(from_ms, now_ms()) / 1000.0) at time zone 'UTC')::date;
begin
    for d in
        select t.parent, first - 1 + n as day from daily_tables() t cross join generate_series(0, days) n
        where first_id_of(first - 1 + n) >= 0
        union
        select i.parent, i.day from days_in_default() i where first_id_of(i.day) >= 0
        order by 2, 1
    loop
        made := made + make_partition(d.parent, d.day)::int;
    end loop;
    return made;
end $$;

-- Ends the retention of one day of one table: drops its partition, and deletes its rows in the default partition. False, and
-- nothing is done, while a queue holds a delivery of that day. A day that mail may still need is refused whoever asks.
-- `drop` locks the parent, so everybody who uses the table queues behind us: the lock_timeout is short, and the caller repeats.
create function drop_day(parent text, day date) returns boolean
language plpgsql security definer set search_path from current set lock_timeout = '500ms' as $$
declare
    low bigint := first_id_of(day);
    high bigint := first_id_of(day + 1);
    key text;
begin
    select d.key into key from daily_tables() d where d.parent = drop_day.parent;
    if key is null then
        raise exception '% has no partitions', parent using errcode = 'invalid_parameter_value';
    end if;
    if high > first_id_at(now_ms() - 86400000 - (select coalesce(max(expiry_ms), 0) from lane)) then
        raise exception 'mail of % may not have expired yet', day using errcode = 'invalid_parameter_value';
    end if;
    -- One statement, so one snapshot: a delivery that moves between the queues is seen in one of them. By lane, since the keys
    -- begin with it.
    if exists (
        select from lane l
        where exists (select from ready r where r.lane = l.id and r.id >= low and r.id < high)
           or exists (select from waiting w where w.lane = l.id and w.id >= low and w.id < high)
    ) then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtext(current_schema() || '.ensure_partitions'));
    execute format('drop table if exists %I', parent || to_char(day, '"_p"YYYYMMDD'));
    execute format('delete from %1$I where %2$I >= %3$s and %2$I < %4$s', parent || '_default', key, low, high);
    return true;
end $$;

revoke all on function days_in_default(), rows_in_default(bigint), make_partition(text, date), drop_day(text, date) from public;
grant execute on function days_in_default(), rows_in_default(bigint), make_partition(text, date), drop_day(text, date) to {{control}};

-- The partitions that message has from yesterday on, and those of the rows there are.
select make_partition(p.parent, p.day)
from (
    select t.parent, to_date(right(c.relname, 8), 'YYYYMMDD') as day
    from pg_inherits i join pg_class c on c.oid = i.inhrelid cross join (values ('note'), ('send_event')) t (parent)
    where i.inhparent = 'message'::regclass and c.relname ~ '_p[0-9]{8}$'
      and to_date(right(c.relname, 8), 'YYYYMMDD') >= (to_timestamp(now_ms() / 1000.0) at time zone 'UTC')::date - 1
    union
    select i.parent, i.day from days_in_default() i where first_id_of(i.day) >= 0
) p
order by p.day, p.parent;

-- A BRIN index only grows wider: once deleted rows' pages are used again, every page may hold an old key, and a purge reads the
-- whole table. New keys go to the right end of a B-tree, which costs little.
drop index idempotency_by_time;
create index idempotency_by_time on idempotency (message);
alter table idempotency set (autovacuum_vacuum_scale_factor = 0.02);
create index quarantine_by_time on quarantine (last_received_at);
create index ses_notice_by_time on ses_notice (last_received_at);

grant delete on quarantine, ses_notice, elsewhere, metric_minute, worker to {{control}};
grant insert, update, delete on lane_intake, lane_finished to {{control}};
