-- The guard at 10,000 tenants: policies are applied and limits written for many tenants in a few statements.

-- A version is applied in transactions of some tenants each: those that do not have it yet, in the order in which they get it. Null: all have.
alter table policy_version add column unwritten int[] check (unwritten <> '{}');
create index policy_version_unwritten on policy_version (id) where unwritten is not null;

-- What owners want instead of their limits, for many at once: place by place a tenant, an owner, a lane or null (all lanes of the tenant),
-- and a JSON array of objects with the columns of send_limit from `scope` to `because`. Nobody is named twice. A limit that stays keeps its
-- id, what it counted and the mail that waits for it. Rows of the owner `each` follow the policy's limits that they were made from. Returns
-- how many rows changed. Locks no row that a claim locks, but for a claim that makes limits of its own. Every table is read by its index,
-- whatever is known of its size: new rows of one large transaction are in no statistics.
create function replace_limits_of(tenants int[], owners text[], lanes int[], wants jsonb[]) returns int language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
#variable_conflict use_column
declare
    changed int;
    changes int[];
    of_policy int[];
begin
    -- One at a time for each tenant.
    insert into limit_version (tenant, value)
    select distinct g.tenant, 1 from unnest(tenants) g (tenant)
     where not exists (select from limit_version v where v.tenant = g.tenant) order by g.tenant
    on conflict do nothing;
    perform from limit_version v where v.tenant = any (tenants) order by v.tenant for no key update;
    insert into limit_use (tenant, scope, class, lane, api_key, campaign, list, provider, domain)
    select distinct g.tenant, w.scope, w.class, w.lane, w.api_key, w.campaign, w.list, w.provider, w.domain
      from unnest(tenants, wants) g (tenant, want)
     cross join lateral jsonb_to_recordset(g.want) w (scope text, class smallint, lane int, api_key int, campaign text, list text,
                                                      provider smallint, domain text)
     where w.scope not in ('recipient', 'repeat')
       and not exists (select from limit_use u
                        where u.tenant = g.tenant and u.scope = w.scope and u.class is not distinct from w.class
                          and u.lane is not distinct from w.lane and u.api_key is not distinct from w.api_key
                          and u.campaign is not distinct from w.campaign and u.list is not distinct from w.list
                          and u.provider is not distinct from w.provider and u.domain is not distinct from w.domain)
    on conflict do nothing;
    with d as (
        delete from send_limit s using unnest(tenants, owners, lanes, wants) g (tenant, owner, lane, want)
         where s.tenant = g.tenant and s.owner = g.owner and (g.lane is null or s.lane = g.lane)
           and not exists (select from jsonb_to_recordset(g.want) w (scope text, class smallint, lane int, api_key int, campaign text,
                                                                     list text, provider smallint, domain text, per text)
                            where w.scope = s.scope and w.class is not distinct from s.class and w.lane is not distinct from s.lane
                              and w.api_key is not distinct from s.api_key and w.campaign is not distinct from s.campaign
                              and w.list is not distinct from s.list and w.provider is not distinct from s.provider
                              and w.domain is not distinct from s.domain and w.per = s.per)
        returning s.tenant, s.owner
    ), i as (
        insert into send_limit as s (tenant, owner, scope, class, lane, api_key, campaign, list, provider, domain, per, cap, mode, spares_urgent,
                                     refuses, because, use, since)
        select g.tenant, g.owner, w.*,
               (select u.id from limit_use u
                 where u.tenant = g.tenant and u.scope = w.scope and u.class is not distinct from w.class
                   and u.lane is not distinct from w.lane and u.api_key is not distinct from w.api_key
                   and u.campaign is not distinct from w.campaign and u.list is not distinct from w.list
                   and u.provider is not distinct from w.provider and u.domain is not distinct from w.domain), now_ms()
          from unnest(tenants, owners, wants) g (tenant, owner, want)
         cross join lateral jsonb_to_recordset(g.want) w (scope text, class smallint, lane int, api_key int, campaign text, list text,
                                                          provider smallint, domain text, per text, cap bigint, mode text,
                                                          spares_urgent boolean, refuses boolean, because text)
         where not exists (select from send_limit o
                            where o.tenant = g.tenant and o.owner = g.owner and o.scope = w.scope and o.class is not distinct from w.class
                              and o.lane is not distinct from w.lane and o.api_key is not distinct from w.api_key
                              and o.campaign is not distinct from w.campaign and o.list is not distinct from w.list
                              and o.provider is not distinct from w.provider and o.domain is not distinct from w.domain and o.per = w.per
                              and (o.cap, o.mode, o.spares_urgent, o.refuses, o.because)
                                  is not distinct from (w.cap, w.mode, w.spares_urgent, w.refuses, w.because))
        on conflict on constraint send_limit_of do update
        set cap = excluded.cap, mode = excluded.mode, spares_urgent = excluded.spares_urgent, refuses = excluded.refuses,
            because = excluded.because
        returning s.tenant, s.owner
    ), x as (
        select tenant, owner from d union all select tenant, owner from i
    )
    select count(*), array_agg(distinct tenant), array_agg(distinct tenant) filter (where owner = 'policy')
      into changed, changes, of_policy from x;
    if of_policy is not null then
        delete from send_limit m
         where m.tenant = any (of_policy) and m.owner = 'each'
           and (not exists (select from send_limit e where e.tenant = m.tenant and e.owner = 'policy' and e.scope = 'each-' || m.scope
                                                       and e.lane = m.lane and e.per = m.per)
                or exists (select from send_limit o where o.tenant = m.tenant and o.owner = 'policy' and o.scope = m.scope and o.lane = m.lane
                              and o.per = m.per and o.campaign is not distinct from m.campaign and o.provider is not distinct from m.provider));
        update send_limit m set cap = e.cap, mode = e.mode, refuses = e.refuses, because = e.because
          from send_limit e
         where m.tenant = any (of_policy) and m.owner = 'each' and e.tenant = m.tenant and e.owner = 'policy'
           and e.scope = 'each-' || m.scope and e.lane = m.lane and e.per = m.per
           and (m.cap, m.mode, m.refuses, m.because) is distinct from (e.cap, e.mode, e.refuses, e.because);
    end if;
    -- What nothing counts in any more, for a week: a limit that comes back soon goes on where it was.
    delete from limit_use u
     where u.tenant = any (tenants) and u.day < now_ms() / 86400000 - 8 and not exists (select from send_limit s where s.use = u.id);
    if changed > 0 then
        update limit_version set value = value + 1 where tenant = any (changes);
    end if;
    return changed;
end $$;

-- The same for one tenant and owner.
create or replace function replace_limits(of_tenant int, of_owner text, wanted jsonb, of_lane int default null) returns int language sql as $$
    select replace_limits_of(array[of_tenant], array[of_owner], array[of_lane], array[wanted])
$$;

-- What of a bucket took long (more than 15 s, class 6 of `counts`), so that lanes that may miss an objective are found without reading all.
-- Rows of before are counted as far back as alarms look.
alter table delivery_time add column slow int not null default 0;
update delivery_time set slow = (select coalesce(sum(n), 0) from unnest(counts[6:]) n) where span = 1440 and minute > now_ms() / 60000 - 7200;
create index delivery_time_slow on delivery_time (minute) where span = 1440 and slow > 0;

-- The sum of two arrays of times by class (guard/objectives.py, TIME_CLASSES). Written out, since arrays of one row each would be taken
-- apart and put together again for each change.
create function add_times(a int[], b int[]) returns int[] language sql immutable parallel safe as $$
    select array[
        coalesce(a[1], 0) + coalesce(b[1], 0), coalesce(a[2], 0) + coalesce(b[2], 0), coalesce(a[3], 0) + coalesce(b[3], 0),
        coalesce(a[4], 0) + coalesce(b[4], 0), coalesce(a[5], 0) + coalesce(b[5], 0), coalesce(a[6], 0) + coalesce(b[6], 0),
        coalesce(a[7], 0) + coalesce(b[7], 0), coalesce(a[8], 0) + coalesce(b[8], 0), coalesce(a[9], 0) + coalesce(b[9], 0),
        coalesce(a[10], 0) + coalesce(b[10], 0), coalesce(a[11], 0) + coalesce(b[11], 0),
        coalesce(a[12], 0) + coalesce(b[12], 0), coalesce(a[13], 0) + coalesce(b[13], 0),
        coalesce(a[14], 0) + coalesce(b[14], 0), coalesce(a[15], 0) + coalesce(b[15], 0),
        coalesce(a[16], 0) + coalesce(b[16], 0), coalesce(a[17], 0) + coalesce(b[17], 0),
        coalesce(a[18], 0) + coalesce(b[18], 0), coalesce(a[19], 0) + coalesce(b[19], 0),
        coalesce(a[20], 0) + coalesce(b[20], 0), coalesce(a[21], 0) + coalesce(b[21], 0),
        coalesce(a[22], 0) + coalesce(b[22], 0)]
$$;

-- Rights ------------------------------------------------------------------------------------------------------------------------

revoke all on function replace_limits_of(int[], text[], int[], jsonb[]), add_times(int[], int[]) from public;
grant execute on function add_times(int[], int[]) to {{control}};
grant execute on function replace_limits_of(int[], text[], int[], jsonb[]) to {{control}}, {{governor}};
