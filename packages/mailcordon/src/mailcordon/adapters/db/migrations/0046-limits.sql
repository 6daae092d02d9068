-- Limits that dispatchers obey (docs/limits.md, core/limit.py). Policy, warm-up and releases write them; each owner replaces its own.

-- What left, counted once for all limits of the same mail. A window that has passed counts nothing; before one in the future, as after the
-- clock was set back, nothing leaves (guard/limits/windows.py).
create table limit_use (
    id int generated always as identity primary key,
    tenant int not null references tenant,
    scope text not null check (scope in ('tenant', 'class', 'lane', 'key', 'campaign', 'list', 'provider', 'identity')),
    class smallint check (class in (0, 1, 2)),
    lane int,
    api_key int,
    campaign text,
    list text,
    provider smallint,
    domain text,
    minute int not null default 0,                          -- since 1970, UTC; so are hour and day
    in_minute bigint not null default 0,
    hour int not null default 0,
    in_hour bigint not null default 0,
    day int not null default 0,
    in_day bigint not null default 0,
    ever bigint not null default 0,
    constraint limit_use_scope unique nulls not distinct (tenant, scope, class, lane, api_key, campaign, list, provider, domain),
    foreign key (tenant, lane) references lane (tenant, id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

create table send_limit (
    id int generated always as identity primary key,
    tenant int not null references tenant,
    owner text not null check (owner in ('policy', 'new-sender', 'warm-up', 'release', 'guard', 'default')),
    scope text not null check (scope in ('tenant', 'class', 'lane', 'key', 'campaign', 'list', 'provider', 'identity', 'recipient')),
    class smallint check (class in (0, 1, 2)),
    lane int,
    api_key int,
    campaign text,
    list text,
    provider smallint,
    domain text,
    per text not null check (per in ('minute', 'hour', 'day', 'ever')),
    cap bigint not null check (cap >= 0),
    mode text not null check (mode in ('observe', 'shadow', 'enforce')),
    spares_urgent boolean not null default true,
    refuses boolean not null default false,
    because text not null check (because <> ''),
    use int references limit_use,                           -- null: each address is counted apart, in recipient_use
    since bigint not null,                                  -- when the owner first wrote it
    constraint send_limit_of unique nulls not distinct (tenant, owner, scope, class, lane, api_key, campaign, list, provider, domain, per),
    foreign key (tenant, lane) references lane (tenant, id),
    check ((use is null) = (scope = 'recipient')),
    check (scope <> 'class' or class is not null),
    check (scope not in ('lane', 'campaign', 'list', 'provider', 'recipient') or lane is not null),
    check (scope <> 'key' or api_key is not null),
    check (scope <> 'campaign' or campaign is not null),
    check (scope <> 'list' or list is not null),
    check (scope <> 'provider' or provider is not null),
    check (scope <> 'identity' or domain is not null),
    check (scope <> 'recipient' or per <> 'ever')
) with (fillfactor = 70);

create index send_limit_use on send_limit (use);

-- Changes with each change of a tenant's limits: a claim reads it and the limits again. A tenant without a row has none.
create table limit_version (
    tenant int primary key references tenant,
    value bigint not null
) with (fillfactor = 50);

-- As limit_use, for each address of a lane with a limit of scope `recipient`. Rows of past windows are deleted.
create table recipient_use (
    lane int not null,
    hash bytea not null,
    minute int not null,
    in_minute int not null,
    hour int not null,
    in_hour int not null,
    day int not null,
    in_day int not null,
    primary key (lane, hash)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 5000);
create index recipient_use_day on recipient_use (day);

-- What limits in shadow mode would have held, counted when it left.
create table limit_shadow (
    send_limit int primary key,
    tenant int not null,
    mails bigint not null,
    first_at bigint not null,
    last_at bigint not null
) with (fillfactor = 50);

-- Mail that waits for a limit's next window, or until its cap grows.
alter table waiting add column send_limit int;
create index waiting_limit on waiting (send_limit, id) where send_limit is not null;
create index waiting_limit_address on waiting (send_limit, hash, id) where code = 'recipient-limit';

-- Moves ready deliveries to `waiting`, for the limits that keep them. As queue_defer; nothing that is on the wire. Returns how many.
create function queue_limit(lanes int[], ids bigint[], limits int[], untils bigint[], reasons text[], codes text[])
returns int language plpgsql
set search_path = pg_catalog, mailcordon, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_bitmapscan = off as $$
declare
    moved int;
begin
    if ids is null then
        return 0;
    end if;
    with u as materialized (
        select * from unnest(lanes, ids, limits, untils, reasons, codes) u (lane, id, send_limit, until, reason, code) order by u.lane, u.id
    ), d as (
        delete from ready r using u where r.lane = u.lane and r.id = u.id and r.state = 0
        returning r.lane, r.id, r.tenant, r.attempt, r.provider, r.hash, r.campaign, r.list, u.send_limit, u.until, u.reason, u.code
    ), w as (
        insert into waiting (lane, id, tenant, why, until, attempt, provider, hash, campaign, list, send_limit, reason, code, since)
        select lane, id, tenant, 5, until, attempt, provider, hash, campaign, list, send_limit, reason, code, now_ms() from d
    )
    select count(*) into moved from d;
    return moved;
end $$;

-- What an owner wants instead of its limits of the tenant, or with `of_lane` of the lane: a JSON array of objects with the columns of
-- send_limit from `scope` to `because`. A limit that stays keeps its id, what it counted and the mail that waits for it. Returns how many
-- rows changed. Locks no row that a claim locks.
create function replace_limits(of_tenant int, of_owner text, wanted jsonb, of_lane int default null) returns int language plpgsql as $$
#variable_conflict use_column
declare
    changed int;
begin
    -- One at a time for each tenant.
    insert into limit_version (tenant, value) values (of_tenant, 1) on conflict do nothing;
    perform from limit_version v where v.tenant = of_tenant for no key update;
    insert into limit_use (tenant, scope, class, lane, api_key, campaign, list, provider, domain)
    select distinct of_tenant, w.scope, w.class, w.lane, w.api_key, w.campaign, w.list, w.provider, w.domain
      from jsonb_to_recordset(wanted) w (scope text, class smallint, lane int, api_key int, campaign text, list text, provider smallint, domain text)
     where w.scope <> 'recipient'
    on conflict do nothing;
    with w as materialized (
        select w.*, (select u.id from limit_use u
                      where u.tenant = of_tenant and u.scope = w.scope and u.class is not distinct from w.class
                        and u.lane is not distinct from w.lane and u.api_key is not distinct from w.api_key
                        and u.campaign is not distinct from w.campaign and u.list is not distinct from w.list
                        and u.provider is not distinct from w.provider and u.domain is not distinct from w.domain) as use
          from jsonb_to_recordset(wanted) w (scope text, class smallint, lane int, api_key int, campaign text, list text, provider smallint,
                                             domain text, per text, cap bigint, mode text, spares_urgent boolean, refuses boolean, because text)
    ), d as (
        delete from send_limit s
         where s.tenant = of_tenant and s.owner = of_owner and (of_lane is null or s.lane = of_lane)
           and not exists (select from w where w.scope = s.scope and w.class is not distinct from s.class and w.lane is not distinct from s.lane
                              and w.api_key is not distinct from s.api_key and w.campaign is not distinct from s.campaign
                              and w.list is not distinct from s.list and w.provider is not distinct from s.provider
                              and w.domain is not distinct from s.domain and w.per = s.per)
        returning 1
    ), i as (
        insert into send_limit as s (tenant, owner, scope, class, lane, api_key, campaign, list, provider, domain, per, cap, mode, spares_urgent,
                                     refuses, because, use, since)
        select of_tenant, of_owner, scope, class, lane, api_key, campaign, list, provider, domain, per, cap, mode, spares_urgent, refuses,
               because, use, now_ms() from w
        on conflict on constraint send_limit_of do update
        set cap = excluded.cap, mode = excluded.mode, spares_urgent = excluded.spares_urgent, refuses = excluded.refuses,
            because = excluded.because
        where (s.cap, s.mode, s.spares_urgent, s.refuses, s.because)
              is distinct from (excluded.cap, excluded.mode, excluded.spares_urgent, excluded.refuses, excluded.because)
        returning 1
    )
    select (select count(*) from d) + (select count(*) from i) into changed;
    -- What nothing counts in any more, for a week: a limit that comes back soon goes on where it was.
    delete from limit_use u
     where u.tenant = of_tenant and u.day < now_ms() / 86400000 - 8 and not exists (select from send_limit s where s.use = u.id);
    if changed > 0 then
        update limit_version set value = value + 1 where tenant = of_tenant;
    end if;
    return changed;
end $$;

-- The limits that Mailcordon has by itself (core/limit.py), for lanes that have none yet: 5 mails an hour to one address of an urgent type.
create function default_limits(of_lanes int[]) returns void language plpgsql as $$
begin
    insert into limit_version (tenant, value)
    select distinct l.tenant, 1 from lane l where l.id = any (of_lanes) and l.class = 0 order by l.tenant
    on conflict (tenant) do update set value = limit_version.value + 1;
    insert into send_limit (tenant, owner, scope, lane, per, cap, mode, because, since)
    select l.tenant, 'default', 'recipient', l.id, 'hour', 5, 'enforce',
           'This is built in, so that a loop that asks for mail to one person stops.', now_ms()
      from lane l where l.id = any (of_lanes) and l.class = 0
    on conflict do nothing;
end $$;
select default_limits(array(select id from lane));

-- Rights ------------------------------------------------------------------------------------------------------------------------

revoke all on function replace_limits(int, text, jsonb, int) from public;
grant execute on function replace_limits(int, text, jsonb, int) to {{control}}, {{governor}};
revoke all on function default_limits(int[]), queue_limit(int[], bigint[], int[], bigint[], text[], text[]) from public;
grant execute on function default_limits(int[]) to {{control}};
grant execute on function queue_limit(int[], bigint[], int[], bigint[], text[], text[]) to {{send}};
grant select on send_limit, limit_use, limit_version, limit_shadow to {{control}}, {{governor}}, {{send}}, {{observe}}, {{reader}};
grant select on recipient_use to {{control}}, {{governor}}, {{send}};
grant insert, update, delete on send_limit, limit_version to {{control}}, {{governor}};
grant insert, delete on limit_use to {{control}}, {{governor}};
grant update on limit_use to {{send}};
grant insert, update, delete on recipient_use, limit_shadow to {{send}};
do $$
declare t text;
begin
    foreach t in array array['send_limit', 'limit_use', 'limit_version', 'limit_shadow'] loop
        execute format('alter table %I enable row level security', t);
        execute format('create policy own_tenant on %I for select to {{reader}} using (tenant = nullif(current_setting(''mailcordon.tenant'', true), '''')::int)', t);
        execute format('create policy planes on %I to {{control}}, {{governor}}, {{send}}, {{observe}} using (true) with check (true)', t);
    end loop;
end $$;
