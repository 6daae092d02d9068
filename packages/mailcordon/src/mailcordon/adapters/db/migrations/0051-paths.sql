-- Mail of one lane on two paths (docs/paths.md): the one that all tenants shared before, and the tenant's own.

-- What tenants shared before they had domains of their own. The domain and its SES tenant are the platform's: taken over as they
-- are, and never created or deleted by us.
create table shared_path (
    name text primary key check (name ~ '^[a-z0-9](-?[a-z0-9]+)*$' and length(name) <= 64),
    domain text not null unique,
    ses_tenant text not null,
    ip_pool text,                                           -- null: SES's shared addresses
    since bigint not null default now_ms()
);
grant select, insert, update, delete on shared_path to {{control}};

-- A shared path sends from the platform's domain, which is no identity of the tenant.
alter table route alter column identity drop not null;
alter table route add check (identity is not null or path = 'shared');

-- Bit n - 1: the delivery with number n takes the other path. Bit 62: the message keeps its path, since its From cannot be changed.
-- Null: the lane had one path when the message was accepted.
alter table message add column other_path bigint;

-- Which path a delivery takes. `path` and `others` are of its message.
create function path_of(path text, others bigint, delivery bigint) returns text language sql immutable parallel safe
    return case when others is null or (others >> ((delivery & 63)::int - 1)) & 1 = 0 then path
                when path = 'isolated' then 'shared' else 'isolated' end;
revoke all on function path_of(text, bigint, bigint) from public;
grant execute on function path_of(text, bigint, bigint) to {{control}}, {{governor}}, {{send}}, {{observe}}, {{reader}};

-- As before (0025), by the path of each delivery.
create or replace function count_finished(ids bigint[]) returns void language plpgsql
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    low bigint;
    high bigint;
begin
    perform lock_deliveries(ids);
    select min(x) & -64, max(x) into low, high from unnest(ids) x;
    insert into cohort_change (tenant, lane, minute, path, campaign, list, provider, domain, counts)
    select e.tenant, e.lane, e.minute, path_of(m.path, m.other_path, x) as path, m.campaign, m.list, e.provider,
           case when e.provider = -1 then domain_of(m.recipients[(x & 63)::int]) end as domain,
           case when e.is_sent then array[count(*)::int] else array_append(array_fill(0, array[13]), count(*)::int) end
      from unnest(ids) x
     cross join lateral (
           select l.tenant, l.lane, coalesce(o.provider, l.provider) as provider, (coalesce(o.left_at, l.called_at) / 60000)::int as minute,
                  o.id is not null or l.state = 20 as is_sent
             from ledger l
             left join lateral (select t.id, t.left_at, t.provider from outcome t where t.id = x and t.id between low and high limit 1) o
               on true
            where l.id = x and l.id between low and high
              and (o.id is not null or l.state in (13, 20, 28) and l.called_at is not null)
            limit 1) e
     cross join lateral (
           select t.path, t.other_path, t.campaign, t.list, t.recipients from message t
            where t.id = (x & -64) and t.id between low and high limit 1) m
     group by e.tenant, e.lane, e.minute, 4, m.campaign, m.list, e.provider, 8, e.is_sent;
end $$;

-- As before (0005), with the configuration set of the delivery's path. A path that is gone had mail that was called before.
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
        insert into waiting (lane, id, tenant, why, until, attempt, provider, called_at, hash, campaign, list, hold, reason, code,
                             configuration_set, since)
        select d.lane, d.id, d.tenant, d.why, d.until, case d.why when 3 then d.attempt - d.state else d.attempt end, d.provider,
               case when d.state = 1 and d.why <> 3 then d.called_at end, d.hash, d.campaign, d.list, d.hold, d.reason, d.code,
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

-- Moves up to `most` deliveries of a lane that wait behind `after` and were never called to another path. What is on the wire, was
-- called before or has no clear outcome stays, and so does a message whose From cannot be changed. `upto`: where the next batch begins;
-- null once there are no more. The lock keeps a claim from reading the path meanwhile: it reads it after it has the row.
create function move_path(of_lane int, to_path text, most int, after bigint default 0)
returns table (upto bigint, moved int, kept int) language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
begin
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
end $$;
revoke all on function move_path(int, text, int, bigint) from public;
grant execute on function move_path(int, text, int, bigint) to {{control}};

-- As before (0023), and of a lane with two paths its own: that of the shared one is the platform's.
create or replace function proof_parts(of_lane int) returns jsonb
language sql stable security definer set search_path = pg_catalog, mailcordon, pg_temp as $$
    select jsonb_build_object(
        'ses_tenant', r.ses_tenant, 'domain', r.domain, 'configuration_set', r.configuration_set, 'ip_pool', r.ip_pool,
        'topic', s.observed ->> 'topic', 'enabled', s.observed -> 'enabled',
        'events', (select jsonb_agg(e order by e collate "C") from jsonb_array_elements_text(s.observed -> 'events') e))
      from route r
      left join ses_resource s on s.kind = 'event-destination' and s.name = r.configuration_set || '/outcome'
     where r.lane = of_lane
       and (r.tenant = nullif(current_setting('mailcordon.tenant', true), '')::int
            -- The reader sees nothing before it names a tenant; who may change a resource sees all.
            or nullif(current_setting('mailcordon.tenant', true), '') is null
               and has_table_privilege(session_user, 'mailcordon.ses_resource', 'update'))
     order by r.path limit 1
$$;
