-- The database as a second lock: what a login may make the owner do (docs/control.md, "Logins"), and a quarantine with an end
-- (docs/observe.md, "Quarantine").

-- Functions that run as the owner ---------------------------------------------------------------------------------------------
--
-- Their names are looked up in PostgreSQL's own schema, then in ours, and last in the caller's temporary one, which would come first
-- if it were not named. The first schema is also that of `create` and `current_schema()`, so both are written out here.

-- The clock that a function of the owner goes by: a session cannot shift it, as it can shift `now_ms`. A test that shifts the clock
-- of everybody sets the offset for the whole database, which only the database's owner may.
create function owner_now_ms() returns bigint language sql stable set search_path = pg_catalog, mailcordon, pg_temp as $$
    select (extract(epoch from clock_timestamp()) * 1000)::bigint + coalesce((
        select substr(c.one, length('mailcordon.clock_offset_ms=') + 1)::bigint
          from pg_db_role_setting s cross join unnest(s.setconfig) c (one)
         where s.setrole = 0 and s.setdatabase = (select oid from pg_database where datname = current_database())
           and c.one ~ '^mailcordon\.clock_offset_ms=-?[0-9]+$'), 0)
$$;
create function owner_today() returns date language sql stable set search_path = pg_catalog, mailcordon, pg_temp as $$
    select (to_timestamp(owner_now_ms() / 1000.0) at time zone 'UTC')::date
$$;

create or replace function daily_tables() returns table (parent text, key text)
language sql stable set search_path = pg_catalog, mailcordon, pg_temp as $$
    select c.relname::text, a.attname::text
    from pg_partitioned_table p
    join pg_class c on c.oid = p.partrelid and c.relnamespace = 'mailcordon'::regnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
    order by c.relname
$$;

create or replace function days_in_default() returns table (parent text, day date)
language plpgsql stable security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
declare d record;
begin
    for d in select * from daily_tables() loop
        return query execute format('select distinct %L, day_of(%I) from mailcordon.%I', d.parent, d.key, d.parent || '_default');
    end loop;
end $$;

-- Rows in the default partitions, counted to at most `most` for each table and never beyond 100,000, so that the answer is quick.
create or replace function rows_in_default(most bigint) returns table (parent text, rows bigint)
language plpgsql stable security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
declare d record;
begin
    for d in select * from daily_tables() loop
        return query execute format('select %L, count(*) from (select from mailcordon.%I limit %s) x', d.parent, d.parent || '_default',
                                    least(greatest(coalesce(most, 0), 0), 100000));
    end loop;
end $$;

-- Whether the partitions of a day may be made: from a year ago to 31 days ahead. Every partition costs each statement a lock, so a
-- caller must not be able to make any number of them. Older days may be made if rows wait for them.
create function day_is_near(day date) returns boolean language sql stable set search_path = pg_catalog, mailcordon, pg_temp as $$
    select coalesce(day between owner_today() - 366 and owner_today() + 31, false)
$$;

create or replace function make_partition(parent text, day date) returns boolean
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp set lock_timeout = '500ms' as $$
declare
    name text := parent || to_char(day, '"_p"YYYYMMDD');
    low bigint := first_id_of(day);
    high bigint := first_id_of(day + 1);
    key text;
    waits boolean;
begin
    select d.key into key from daily_tables() d where d.parent = make_partition.parent;
    if key is null or low is null or low < 0 then
        raise exception 'no partitions of % for %', parent, day using errcode = 'invalid_parameter_value';
    end if;
    if not day_is_near(day) then
        execute format('select exists (select from mailcordon.%1$I where %2$I >= %3$s and %2$I < %4$s)', parent || '_default', key, low, high)
           into waits;
        if day > owner_today() or not waits then
            raise exception 'no partitions of % for %: it is more than 31 days ahead or a year ago', parent, day
                  using errcode = 'invalid_parameter_value';
        end if;
    end if;
    perform pg_advisory_xact_lock(hashtext('mailcordon.ensure_partitions'));
    if to_regclass(format('mailcordon.%I', name)) is not null then
        return false;
    end if;
    if parent = 'message' then
        lock table mailcordon.lane in share row exclusive mode;
    end if;
    execute format('lock table mailcordon.%I in access exclusive mode', parent || '_default');
    -- Only ever inserted into, so looked at by vacuum per 200,000 rows instead of per 1,000: on a fresh day it would otherwise run
    -- all the time. Content up to a page stays beside its id: a mail of a few kB in TOAST costs two rows and an index more.
    execute format('create table mailcordon.%I (like mailcordon.%I including all)
                    with (autovacuum_vacuum_insert_threshold = 200000, autovacuum_analyze_threshold = 50000%s)',
        name, parent, case parent when 'content' then ', toast_tuple_target = 8160' else '' end);
    execute format('with gone as (delete from mailcordon.%1$I where %2$I >= %3$s and %2$I < %4$s returning *)
                    insert into mailcordon.%5$I select * from gone', parent || '_default', key, low, high, name);
    execute format('alter table mailcordon.%I attach partition mailcordon.%I for values from (%s) to (%s)', parent, name, low, high);
    return true;
end $$;

create or replace function ensure_partitions(days int, from_ms bigint default null) returns int
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    made int := 0; d record;
    first date := (to_timestamp(coalesce(from_ms, owner_now_ms()) / 1000.0) at time zone 'UTC')::date;
begin
    if days is null or days not between 0 and 31 or not day_is_near(first) or not day_is_near(first + days - 1) then
        raise exception 'partitions of % days from % on: at most 31 days ahead can be made', days, first
              using errcode = 'invalid_parameter_value';
    end if;
    for d in
        select t.parent, first - 1 + n as day from daily_tables() t cross join generate_series(0, days) n
        where first_id_of(first - 1 + n) >= 0
        union
        select i.parent, i.day from days_in_default() i where first_id_of(i.day) >= 0 and i.day <= owner_today() + 31
        order by 2, 1
    loop
        made := made + make_partition(d.parent, d.day)::int;
    end loop;
    return made;
end $$;

create or replace function drop_day(parent text, day date) returns boolean
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp set lock_timeout = '500ms' as $$
declare
    low bigint := first_id_of(day);
    high bigint := first_id_of(day + 1);
    key text;
begin
    select d.key into key from daily_tables() d where d.parent = drop_day.parent;
    if key is null then
        raise exception '% has no partitions', parent using errcode = 'invalid_parameter_value';
    end if;
    if high is null or high > first_id_at(owner_now_ms() - 86400000 - (select coalesce(max(expiry_ms), 0) from lane)) then
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
    perform pg_advisory_xact_lock(hashtext('mailcordon.ensure_partitions'));
    execute format('drop table if exists mailcordon.%I', parent || to_char(day, '"_p"YYYYMMDD'));
    execute format('delete from mailcordon.%1$I where %2$I >= %3$s and %2$I < %4$s', parent || '_default', key, low, high);
    return true;
end $$;

-- The moves of a delivery run with the caller's rights, and look names up in the same order.
alter function queue_forget(int[], bigint[]) set search_path = pg_catalog, mailcordon, pg_temp;
alter function queue_finish(int[], bigint[], smallint[], int, smallint[], text[], bigint[], text[], text[], int)
    set search_path = pg_catalog, mailcordon, pg_temp;
alter function queue_defer(int[], bigint[], smallint[], bigint[], smallint[], bigint[], bigint[], text[], text[], text[], int)
    set search_path = pg_catalog, mailcordon, pg_temp;
alter function queue_ready(int[], bigint[], boolean, smallint[]) set search_path = pg_catalog, mailcordon, pg_temp;
alter function queue_requeue(int[], bigint[], smallint[], bigint[]) set search_path = pg_catalog, mailcordon, pg_temp;

-- Nobody runs a function of ours who was not granted it. PUBLIC has EXECUTE by default.
alter default privileges revoke execute on functions from public;
alter default privileges revoke usage on types from public;
revoke execute on all functions in schema mailcordon from public;
grant execute on function now_ms(), now_us(), ms_of(bigint), first_id_at(bigint), day_of(bigint), first_id_of(date),
    hold_covers(hold, int, smallint, int), hold_is_narrow(hold), stop_names(text, text, route), stop_time(stop),
    lanes_under(text, text), stops_of(int[]), stops_on(int, bigint), every_worker_stopped(), every_lane_stopped(), no_way_out(bigint)
    to {{control}}, {{governor}}, {{send}}, {{observe}}, {{reader}};

-- A quarantine with an end -------------------------------------------------------------------------------------------------------

-- Mail that did not pass through us has one entry for each identity, caller and day: its first document, and a few more.
alter table quarantine add column samples text[] not null default '{}', add column bytes int not null default 0;
update quarantine set bytes = octet_length(document);

-- What each kind of quarantine may take, and what it takes. Observers lock a kind's row before they add to it. Beyond the bounds a
-- document is counted, and not kept.
create table quarantine_kind (
    why text primary key,
    most_entries int not null default 5000,
    most_bytes bigint not null default 33554432,            -- of documents
    keep_days int not null default 90,                      -- since the last document; MAILCORDON_KEEP_RECORDS_DAYS if that is less
    entries bigint not null default 0,
    bytes bigint not null default 0,
    documents bigint not null default 0,                    -- ever received, copies included
    not_kept bigint not null default 0,                     -- of these, only counted
    not_kept_at bigint                                      -- when the last one was
) with (fillfactor = 50);
insert into quarantine_kind (why, most_entries, most_bytes, keep_days) values
    ('malformed', 5000, 67108864, 90), ('unverified', 5000, 67108864, 90), ('disagreement', 5000, 67108864, 90), ('unknown-delivery', 5000, 67108864, 90),
    ('double', 5000, 67108864, 90), ('ungoverned', 2000, 33554432, 30);
insert into quarantine_kind as k (why, entries, bytes, documents)
select why, count(*), sum(bytes), sum(copies) from quarantine group by why
on conflict (why) do update set entries = excluded.entries, bytes = excluded.bytes, documents = excluded.documents;
grant select on quarantine_kind to {{control}}, {{observe}};
grant insert, update on quarantine_kind to {{observe}};
grant update (entries, bytes) on quarantine_kind to {{control}};

-- Events of other installations are counted by name as long as a day has few names.
create index elsewhere_by_day on elsewhere (day);
