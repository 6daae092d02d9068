-- A stop of one path, and complaints that are nobody's (docs/decisions/081-paths-apart.md). Times are milliseconds since 1970.

-- What of the platform's list covers one class only. Null: all mail.
alter table platform_suppression add column class smallint check (class between 0 and 2);
update platform_suppression p set class = 2
 where p.provenance = 'unowned' and p.cause = 'complaint'
   and not exists (select from split_entry e where e.hash = p.hash and e.state in ('unowned', 'platform') and e.reason <> 'COMPLAINT');

-- As before (0005), with the class of an entry of the platform's list.
create or replace function suppressed_for(of_tenant int, of_hash bytea, of_class smallint, of_lane int, at bigint) returns boolean
language plpgsql stable as $$
begin
    -- Scopes: 0 the tenant, 1 its class, 2 the lane; besides, the platform's own list. `accept` and `claim` ask the same inline.
    return exists (select from suppression s where s.tenant = of_tenant and s.hash = of_hash
                      and (s.scope = 0 or s.scope = 1 and s.target = of_class or s.scope = 2 and s.target = of_lane)
                      and (s.until is null or s.until > at))
        or exists (select from platform_suppression p where p.hash = of_hash and (p.class is null or p.class = of_class));
end $$;

-- Mail of one path that waits for the end of a stop, while the lane's other path sends: why 6.
alter table waiting add column stop bigint;
create index waiting_stop on waiting (stop, lane, id) where stop is not null;
alter table waiting drop constraint waiting_why;
alter table waiting add constraint waiting_why check (why between 1 and 6), add constraint waiting_stopped check ((why = 6) = (stop is not null));

-- The lanes whose every path an open stop covers. Their mail is not claimed.
create function lanes_stopped(lanes int[]) returns setof int language sql stable as $$
    select distinct s.lane from stops_of(lanes) s
     where not exists (select from route r
                        where r.lane = s.lane
                          and not exists (select from stop o where o.ended_at is null and stop_names(o.scope, o.name, r)))
$$;

-- The path of a lane with two that this stop covers. Null: all of them.
create function path_under(one stop, of_lane int) returns text language sql stable as $$
    select case when count(*) filter (where not stop_names(one.scope, one.name, r)) > 0
                then min(r.path) filter (where stop_names(one.scope, one.name, r)) end
      from route r where r.lane = of_lane
$$;

-- Why SES takes no mail over a lane's own path while it does over the shared one, in words. Null: it does, as far as is known, or it
-- refuses what both have.
create function own_path_stopped(of_lane int) returns text language sql stable as $$
    select s.because from route r join stop s on s.ended_at is null and stop_names(s.scope, s.name, r)
     where r.lane = of_lane and r.path = 'isolated' and path_under(s, of_lane) = 'isolated' order by s.id limit 1
$$;
revoke all on function lanes_stopped(int[]), path_under(stop, int), own_path_stopped(int) from public;
grant execute on function lanes_stopped(int[]) to {{governor}};
grant execute on function path_under(stop, int) to {{control}}, {{governor}}, {{send}}, {{observe}}, {{reader}};
grant execute on function own_path_stopped(int) to {{control}};

-- As before (0006), and what tenants share besides sets: the domain and the SES tenant of a shared path are nobody's own.
alter policy own_tenant on stop
    using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int
           or scope in ('cell', 'worker')
           or scope in ('set', 'identity', 'tenant') and exists (select from route r where stop_names(stop.scope, stop.name, r)));

-- As before (0051). For a stop of its path (6) as for a hold (3): it was not called, and `holds` has the stop.
create or replace function queue_defer(lanes int[], ids bigint[], attempts smallint[], called_ats bigint[], whys smallint[], untils bigint[],
                            holds bigint[], reasons text[], codes text[], configuration_sets text[] default null,
                            places int default 2)
returns int language plpgsql
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    deferred int;
begin
    if ids is null then
        return 0;
    end if;
    with u as materialized (
        select * from unnest(lanes, ids, attempts, called_ats, whys, untils, holds, reasons, codes, configuration_sets)
                   u (lane, id, attempt, called_at, why, until, hold, reason, code, configuration_set)
         order by u.lane, u.id
    ), d as (
        delete from ready r using u
         where r.lane = u.lane and r.id = u.id and places & (1 << r.state) <> 0 and r.attempt = coalesce(u.attempt, r.attempt)
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
    select count(*) into deferred from d;
    return deferred;
end $$;

-- As before (0051). What waited for the end of a stop of the path that it leaves is ready at once.
create or replace function move_path(of_lane int, to_path text, most int, after bigint default 0)
returns table (upto bigint, moved int, kept int) language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    freed bigint[];
begin
    select array_agg(w.id order by w.id) into freed
      from (select x.id from waiting x where x.lane = of_lane and x.id > after order by x.id limit most) p
      join waiting w on w.lane = of_lane and w.id = p.id and w.why = 6;
    return query
    with seen as materialized (
        (select r.id from ready r where r.lane = of_lane and r.id > after order by r.id limit most)
        union all
        (select w.id from waiting w where w.lane = of_lane and w.id > after order by w.id limit most)
    ), page as materialized (
        select s.id from seen s order by s.id limit most
    ), of_ready as materialized (
        select r.id from ready r where r.lane = of_lane and r.state = 0 and r.attempt = 0 and r.id in (select p.id from page p)
         order by r.id for update skip locked
    ), of_waiting as materialized (
        select w.id from waiting w where w.lane = of_lane and w.why <> 2 and w.attempt = 0 and w.id in (select p.id from page p)
         order by w.id for update skip locked
    ), free as (
        select r.id from of_ready r union all select w.id from of_waiting w
    ), wrong as materialized (
        select f.id, m.id as message, m.path = to_path as takes_other,
               coalesce(m.other_path & (1::bigint << 62), 1) = 0 as may_move
          from free f join message m on m.id = (f.id & -64)
         where path_of(m.path, m.other_path, f.id) <> to_path
    ), bits as (
        select w.message, bool_or(w.takes_other) as takes_other, bit_or(1::bigint << ((w.id & 63)::int - 1)) as bits
          from wrong w where w.may_move group by w.message
    ), gone as (
        update message m set other_path = case when b.takes_other then m.other_path & ~b.bits else m.other_path | b.bits end
          from bits b where m.id = b.message
    )
    select (select max(p.id) from page p), (select count(*)::int from wrong w where w.may_move),
           (select count(*)::int from wrong w where not w.may_move);
    -- Now that the paths are changed: what takes the other path does not wait for the stop of this one.
    if freed is not null then
        perform queue_ready(array_agg(of_lane), array_agg(w.id order by w.id))
           from waiting w join message m on m.id = (w.id & -64)
          where w.lane = of_lane and w.id = any (freed) and w.why = 6 and path_of(m.path, m.other_path, w.id) = to_path
         having count(*) > 0;
    end if;
end $$;
