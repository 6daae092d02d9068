-- The moves of the queue look each delivery up by its key and take it where they found it, as finish_sent and queue_forget do since 0083.
-- A join of the queue with the batch, planned while the queue was empty, read all of it for each batch (docs/decisions/119).
--
-- A row of `ready` that another transaction updates meanwhile is not where it was found any more. So what was not taken is looked for a
-- second time. Rows of `waiting` are never updated.

-- As before (0025).
create or replace function queue_finish(lanes int[], ids bigint[], attempts smallint[], places int, states smallint[], ses_ids text[],
                                        called_ats bigint[], reasons text[], details text[], node int)
returns table (lane int, id bigint) language plpgsql
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
    low bigint;
    high bigint;
    of_lanes int[] := '{}';
    of_ids bigint[] := '{}';
    more_lanes int[];
    more_ids bigint[];
    called bigint[] := '{}';
    more_called bigint[];
begin
    if ids is null then
        return;
    end if;
    select min(x) & -64, max(x) & -64 into low, high from unnest(ids) x;
    for look in 1 .. 2 loop
        with u as materialized (
            select u.*, (select r.ctid from ready r where r.lane = u.lane and r.id = u.id) as in_ready,
                   (select w.ctid from waiting w where w.lane = u.lane and w.id = u.id) as in_waiting
              from unnest(lanes, ids, attempts, states, ses_ids, called_ats, reasons, details)
                       u (lane, id, attempt, state, ses_id, called_at, reason, detail)
             order by u.lane, u.id
        ), d as (
            delete from ready r using u
             where r.ctid = u.in_ready and places & (1 << r.state) <> 0 and r.attempt = coalesce(u.attempt, r.attempt)
            returning r.lane, r.id, r.tenant, r.provider, r.attempt, u.state, u.ses_id,
                      coalesce(u.called_at, case r.state when 1 then r.called_at end) as called_at, u.reason, u.detail
        ), w as (
            delete from waiting r using u
             where r.ctid = u.in_waiting and places & (case r.why when 2 then 8 else 4 end) <> 0
               and r.attempt = coalesce(u.attempt, r.attempt)
            returning r.lane, r.id, r.tenant, r.provider, r.attempt, u.state, u.ses_id, coalesce(u.called_at, r.called_at) as called_at,
                      u.reason, u.detail
        ), gone as (
            select * from d union all select * from w
        ), g as (
            insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at, reason, detail)
            select id, tenant, lane, state, attempt, provider, ses_id, called_at, now_ms(), reason, detail from gone
        ), f as (
            insert into lane_finished as z (lane, node, deliveries, bytes, refused, expired, cancelled, given_up, rejected, no_outcome)
            select x.lane, queue_finish.node, count(*),
                   coalesce(sum((select m.bytes from message m where m.id = (x.id & -64) and m.id between low and high)), 0),
                   count(*) filter (where x.state = 10), count(*) filter (where x.state = 11), count(*) filter (where x.state = 12),
                   count(*) filter (where x.state = 13), count(*) filter (where x.state = 14), count(*) filter (where x.state = 28)
              from gone x group by x.lane order by x.lane
            on conflict (lane, node) do update
            set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes, refused = z.refused + excluded.refused,
                expired = z.expired + excluded.expired, cancelled = z.cancelled + excluded.cancelled,
                given_up = z.given_up + excluded.given_up, rejected = z.rejected + excluded.rejected,
                no_outcome = z.no_outcome + excluded.no_outcome
        )
        select array_agg(x.lane order by x.lane, x.id), array_agg(x.id order by x.lane, x.id), array_agg(x.id) filter (where x.attempt > 0)
          into more_lanes, more_ids, more_called from gone x;
        if more_ids is not null then
            of_lanes := of_lanes || more_lanes;
            of_ids := of_ids || more_ids;
            called := called || coalesce(more_called, '{}');
        end if;
        exit when cardinality(of_ids) >= cardinality(ids);
    end loop;
    -- After the rows, which others lock first as well.
    if called <> '{}' then
        perform count_finished(called);
    end if;
    if of_ids <> '{}' then
        perform queue_forget(of_lanes, of_ids);
    end if;
    return query select * from unnest(of_lanes, of_ids);
end $$;

-- As before (0060).
create or replace function queue_defer(lanes int[], ids bigint[], attempts smallint[], called_ats bigint[], whys smallint[], untils bigint[],
                                       holds bigint[], reasons text[], codes text[], configuration_sets text[] default null,
                                       places int default 2)
returns int language plpgsql
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    deferred int := 0;
    more int;
begin
    if ids is null then
        return 0;
    end if;
    for look in 1 .. 2 loop
        with u as materialized (
            select u.*, (select r.ctid from ready r where r.lane = u.lane and r.id = u.id) as row
              from unnest(lanes, ids, attempts, called_ats, whys, untils, holds, reasons, codes, configuration_sets)
                       u (lane, id, attempt, called_at, why, until, hold, reason, code, configuration_set)
             order by u.lane, u.id
        ), d as (
            delete from ready r using u
             where r.ctid = u.row and places & (1 << r.state) <> 0 and r.attempt = coalesce(u.attempt, r.attempt)
               and (r.state = 0 or r.called_at = coalesce(u.called_at, r.called_at))
            returning r.lane, r.id, r.tenant, r.state, r.attempt, r.provider, r.called_at, r.hash, r.campaign, r.list,
                      u.why, u.until, u.hold, u.reason, u.code, u.configuration_set
        ), w as (
            insert into waiting (lane, id, tenant, why, until, attempt, provider, called_at, hash, campaign, list, hold, stop, reason, code,
                                 configuration_set, since)
            select d.lane, d.id, d.tenant, d.why, d.until, case when d.why in (3, 6) then d.attempt - d.state else d.attempt end, d.provider,
                   case when d.state = 1 and d.why not in (3, 6) then d.called_at end, d.hash, d.campaign, d.list,
                   case when d.why <> 6 then d.hold end, case when d.why = 6 then d.hold end, d.reason, d.code,
                   case d.why when 2 then coalesce(d.configuration_set, (
                       select r.configuration_set from route r
                        where r.lane = d.lane
                          and r.path = (select path_of(m.path, m.other_path, d.id) from message m where m.id = (d.id & -64)))) end,
                   now_ms()
              from d
        )
        select count(*) into more from d;
        deferred := deferred + more;
        exit when deferred >= cardinality(ids);
    end loop;
    return deferred;
end $$;

-- As before (0005).
create or replace function queue_ready(lanes int[], ids bigint[], unknown boolean default false, attempts smallint[] default null)
returns int language plpgsql
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    made int;
    of_lanes int[];
begin
    if ids is null then
        return 0;
    end if;
    perform pg_current_xact_id();
    with u as materialized (
        select u.*, (select w.ctid from waiting w where w.lane = u.lane and w.id = u.id) as row
          from unnest(lanes, ids, attempts) u (lane, id, attempt) order by u.lane, u.id
    ), d as (
        delete from waiting w using u
         where w.ctid = u.row and unknown = (w.why + 0 = 2) and w.attempt = coalesce(u.attempt, w.attempt)
        returning w.lane, w.id, w.tenant, w.attempt, w.provider, w.hash, w.campaign, w.list
    ), q as (
        insert into ready (lane, id, tenant, attempt, provider, hash, campaign, list)
        select lane, id, tenant, attempt, provider, hash, campaign, list from d
    )
    select count(*), array_agg(distinct lane) into made, of_lanes from d;
    perform turns_wake(array(select distinct l.turn from lane l where l.id = any (of_lanes) order by l.turn));
    return made;
end $$;

-- As before (0005).
create or replace function queue_requeue(lanes int[], ids bigint[], attempts smallint[], called_ats bigint[]) returns int language plpgsql
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    made int := 0;
    more int;
begin
    if ids is null then
        return 0;
    end if;
    perform pg_current_xact_id();
    for look in 1 .. 2 loop
        with u as materialized (
            select u.*, (select r.ctid from ready r where r.lane = u.lane and r.id = u.id) as in_ready,
                   (select w.ctid from waiting w where w.lane = u.lane and w.id = u.id) as in_waiting
              from unnest(lanes, ids, attempts, called_ats) u (lane, id, attempt, called_at)
             order by u.lane, u.id
        ), b as (
            update ready r set state = 0, attempt = r.attempt - 1, worker = null, called_at = null from u
             where r.ctid = u.in_ready and r.state = 1 and r.attempt = u.attempt and r.called_at = u.called_at
            returning r.id
        ), d as (
            delete from waiting w using u
             where w.ctid = u.in_waiting and w.why + 0 = 2 and w.attempt = u.attempt and w.called_at = u.called_at
            returning w.lane, w.id, w.tenant, w.attempt, w.provider, w.hash, w.campaign, w.list
        ), q as (
            insert into ready (lane, id, tenant, attempt, provider, hash, campaign, list)
            select lane, id, tenant, attempt - 1, provider, hash, campaign, list from d
        )
        select (select count(*) from b) + (select count(*) from d) into more;
        made := made + more;
        exit when made >= cardinality(ids);
    end loop;
    perform turns_wake(array(select distinct l.turn from lane l where l.id = any (lanes) order by l.turn));
    return made;
end $$;

-- As before (0046).
create or replace function queue_limit(lanes int[], ids bigint[], limits int[], untils bigint[], reasons text[], codes text[])
returns int language plpgsql
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    moved int := 0;
    more int;
begin
    if ids is null then
        return 0;
    end if;
    for look in 1 .. 2 loop
        with u as materialized (
            select u.*, (select r.ctid from ready r where r.lane = u.lane and r.id = u.id) as row
              from unnest(lanes, ids, limits, untils, reasons, codes) u (lane, id, send_limit, until, reason, code)
             order by u.lane, u.id
        ), d as (
            delete from ready r using u where r.ctid = u.row and r.state = 0
            returning r.lane, r.id, r.tenant, r.attempt, r.provider, r.hash, r.campaign, r.list, u.send_limit, u.until, u.reason, u.code
        ), w as (
            insert into waiting (lane, id, tenant, why, until, attempt, provider, hash, campaign, list, send_limit, reason, code, since)
            select lane, id, tenant, 5, until, attempt, provider, hash, campaign, list, send_limit, reason, code, now_ms() from d
        )
        select count(*) into more from d;
        moved := moved + more;
        exit when moved >= cardinality(ids);
    end loop;
    return moved;
end $$;
