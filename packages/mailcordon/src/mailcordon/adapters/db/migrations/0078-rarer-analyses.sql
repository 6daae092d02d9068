-- Small tables whose rows are updated all the time were analyzed after every 50 updates: at 50 mails a second three times a second in
-- all. Each time PostgreSQL writes their statistics and plans every statement again that reads them, in every session
-- (docs/decisions/104). What is in them does not change a plan.
do $$
declare
    name text;
begin
    foreach name in array array[
        'cohort_slice', 'cohort_day', 'cohort_lane_ten', 'cohort_lane_hour', 'cohort_lane_quarter', 'cohort_lane_day', 'cohort_lane_week',
        'cohort_lane_month', 'cohort_fleet', 'cohort_feed', 'cohort_fold', 'delivery_time', 'lane_intake', 'lane_finished', 'turn',
        'limit_use', 'limit_shadow', 'send_seen', 'breaker_lane', 'account_rate', 'role_health', 'dispatch_home', 'worker', 'ses_resource']
    loop
        execute format('alter table %I set (autovacuum_analyze_threshold = 5000)', name);
    end loop;
    for name in
        select i.inhrelid::regclass::text from pg_inherits i where i.inhparent in ('cohort_minute'::regclass, 'cohort_hour'::regclass)
    loop
        execute format('alter table %s set (autovacuum_analyze_threshold = 5000)', name);
    end loop;
end $$;

-- As before (0025): partitions of counts have the same bound.
create or replace function make_partition(parent text, day date) returns boolean
language plpgsql security definer set search_path = pg_catalog, mailcordon, pg_temp set lock_timeout = '500ms' as $$
declare
    name text := parent || to_char(day, '"_p"YYYYMMDD');
    low bigint;
    high bigint;
    key text;
    waits boolean;
begin
    select d.key into key from daily_tables() d where d.parent = make_partition.parent;
    low := first_key_of(key, day);
    high := first_key_of(key, day + 1);
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
    -- Rows of mail are only ever inserted, so vacuum looks per 200,000 rows instead of per 1,000: on a fresh day it would otherwise run
    -- all the time. Content up to a page stays beside its id: a mail of a few kB in TOAST costs two rows and an index more. Counts
    -- are updated in place for minutes after they were inserted, and need room for that.
    execute format('create table mailcordon.%I (like mailcordon.%I including all) with (%s)', name, parent,
        case when key in ('minute', 'hour') then 'fillfactor = 80, autovacuum_analyze_threshold = 5000'
             else 'autovacuum_vacuum_insert_threshold = 200000, autovacuum_analyze_threshold = 50000'
                  || case parent when 'content' then ', toast_tuple_target = 8160' else '' end end);
    execute format('with gone as (delete from mailcordon.%1$I where %2$I >= %3$s and %2$I < %4$s returning *)
                    insert into mailcordon.%5$I select * from gone', parent || '_default', key, low, high, name);
    execute format('alter table mailcordon.%I attach partition mailcordon.%I for values from (%s) to (%s)', parent, name, low, high);
    return true;
end $$;
