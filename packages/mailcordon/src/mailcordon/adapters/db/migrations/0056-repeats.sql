-- Limits of the same mail to one person, and of each campaign and mailbox provider (docs/limits.md).

-- What mail of one kind has in common: a digest of its template or of the shape of its subject (core/subject_shape.py). Null: it was accepted
-- before, and is not counted.
alter table message add column alike int;

-- `each-campaign` and `each-provider` say what each campaign or provider of a lane gets. Its own rows, of the owner `each`, are made when a
-- claim first meets it. Campaigns beyond the most of a lane count together in the row of `each-campaign`.
alter table limit_use drop constraint limit_use_scope_check;
alter table limit_use add constraint limit_use_scope_check check (
    scope in ('tenant', 'class', 'lane', 'key', 'campaign', 'list', 'provider', 'identity', 'each-campaign', 'each-provider'));
alter table send_limit drop constraint send_limit_owner_check, drop constraint send_limit_scope_check, drop constraint send_limit_check,
    drop constraint send_limit_check2, drop constraint send_limit_check8;
alter table send_limit
    add constraint send_limit_owner_check check (owner in ('policy', 'each', 'new-sender', 'warm-up', 'release', 'guard', 'outside', 'default')),
    add constraint send_limit_scope_check check (
        scope in ('tenant', 'class', 'lane', 'key', 'campaign', 'list', 'provider', 'identity', 'recipient', 'repeat', 'each-campaign', 'each-provider')),
    add constraint send_limit_counted check ((use is null) = (scope in ('recipient', 'repeat'))),
    add constraint send_limit_of_lane check (
        scope not in ('lane', 'campaign', 'list', 'provider', 'recipient', 'repeat', 'each-campaign', 'each-provider') or lane is not null),
    add constraint send_limit_window check (scope not in ('recipient', 'repeat', 'each-campaign', 'each-provider') or per <> 'ever');
create index send_limit_each on send_limit (lane) where owner = 'each';

-- As in 0046, and the rows of the owner `each` follow the policy's limits that they were made from.
create or replace function replace_limits(of_tenant int, of_owner text, wanted jsonb, of_lane int default null) returns int language plpgsql as $$
#variable_conflict use_column
declare
    changed int;
    more int;
begin
    -- One at a time for each tenant.
    insert into limit_version (tenant, value) values (of_tenant, 1) on conflict do nothing;
    perform from limit_version v where v.tenant = of_tenant for no key update;
    insert into limit_use (tenant, scope, class, lane, api_key, campaign, list, provider, domain)
    select distinct of_tenant, w.scope, w.class, w.lane, w.api_key, w.campaign, w.list, w.provider, w.domain
      from jsonb_to_recordset(wanted) w (scope text, class smallint, lane int, api_key int, campaign text, list text, provider smallint, domain text)
     where w.scope not in ('recipient', 'repeat')
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
    if changed > 0 and of_owner = 'policy' then
        delete from send_limit m
         where m.tenant = of_tenant and m.owner = 'each'
           and (not exists (select from send_limit e where e.tenant = of_tenant and e.owner = 'policy' and e.scope = 'each-' || m.scope
                                                       and e.lane = m.lane and e.per = m.per)
                or exists (select from send_limit o where o.tenant = of_tenant and o.owner = 'policy' and o.scope = m.scope and o.lane = m.lane
                              and o.per = m.per and o.campaign is not distinct from m.campaign and o.provider is not distinct from m.provider));
        update send_limit m set cap = e.cap, mode = e.mode, refuses = e.refuses, because = e.because
          from send_limit e
         where m.tenant = of_tenant and m.owner = 'each' and e.tenant = of_tenant and e.owner = 'policy' and e.scope = 'each-' || m.scope
           and e.lane = m.lane and e.per = m.per
           and (m.cap, m.mode, m.refuses, m.because) is distinct from (e.cap, e.mode, e.refuses, e.because);
    end if;
    -- What nothing counts in any more, for a week: a limit that comes back soon goes on where it was.
    delete from limit_use u
     where u.tenant = of_tenant and u.day < now_ms() / 86400000 - 8 and not exists (select from send_limit s where s.use = u.id);
    if changed > 0 then
        update limit_version set value = value + 1 where tenant = of_tenant;
    end if;
    return changed;
end $$;

-- Makes the limits of campaigns and mailbox providers that a claim has met for the first time: of each lane a campaign or a provider. A lane
-- has `most` campaigns at once; those that nothing was counted in for a day, and for which nothing waits, make room. Returns how many
-- limits were made.
create function meet_each(of_lanes int[], campaigns text[], providers smallint[], most int) returns int language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    one record;
    made int := 0;
    n int;
begin
    for one in select l.tenant, u.lane, u.campaign, u.provider
                 from unnest(of_lanes, campaigns, providers) u (lane, campaign, provider) join lane l on l.id = u.lane
                order by l.tenant, u.lane loop
        insert into limit_version (tenant, value) values (one.tenant, 1) on conflict do nothing;
        perform from limit_version v where v.tenant = one.tenant for no key update;
        if one.campaign is not null and (select count(distinct m.campaign) from send_limit m
                                          where m.owner = 'each' and m.lane = one.lane and m.scope = 'campaign') >= most then
            delete from send_limit m using limit_use x
             where m.owner = 'each' and m.lane = one.lane and m.scope = 'campaign' and x.id = m.use and x.day < now_ms() / 86400000 - 1
               and not exists (select from waiting w where w.send_limit = m.id);
            get diagnostics n = row_count;
            continue when n = 0;
        end if;
        insert into limit_use (tenant, scope, lane, campaign, provider, day)
        select one.tenant, case when one.campaign is null then 'provider' else 'campaign' end, one.lane, one.campaign, one.provider,
               (now_ms() / 86400000)::int
         where exists (select from send_limit e where e.tenant = one.tenant and e.owner = 'policy' and e.lane = one.lane
                          and e.scope = case when one.campaign is null then 'each-provider' else 'each-campaign' end)
        on conflict do nothing;
        insert into send_limit (tenant, owner, scope, lane, campaign, provider, per, cap, mode, refuses, because, use, since)
        select e.tenant, 'each', x.scope, e.lane, x.campaign, x.provider, e.per, e.cap, e.mode, e.refuses, e.because, x.id, now_ms()
          from limit_use x join send_limit e on e.tenant = x.tenant and e.owner = 'policy' and e.scope = 'each-' || x.scope and e.lane = x.lane
         where x.tenant = one.tenant and x.lane = one.lane and x.scope = case when one.campaign is null then 'provider' else 'campaign' end
           and x.campaign is not distinct from one.campaign and x.provider is not distinct from one.provider
           and x.class is null and x.api_key is null and x.list is null and x.domain is null
           and not exists (select from send_limit o where o.tenant = e.tenant and o.owner = 'policy' and o.scope = x.scope and o.lane = e.lane
                              and o.per = e.per and o.campaign is not distinct from x.campaign and o.provider is not distinct from x.provider)
        on conflict do nothing;
        get diagnostics n = row_count;
        made := made + n;
        update limit_version set value = value + 1 where n > 0 and tenant = one.tenant;
    end loop;
    return made;
end $$;

-- Of mail that waits for a limit of its address behind more of the same than the next window lets leave: how many wait before it (counting
-- ends at 10,000), when the limit opens next, and in which window it can leave itself. Null: in the next one.
create function waits_behind(of_limit int, of_hash bytea, of_id bigint, opens_at bigint) returns bigint[] language sql stable as $$
    select array[x.before, opens_at, greatest(opens_at, now_ms() / s.length * s.length) + x.before / s.cap * s.length]
      from (select l.scope, l.cap, case l.per when 'minute' then 60000 when 'hour' then 3600000 else 86400000 end::bigint as length
              from send_limit l where l.id = of_limit and l.cap > 0) s
     cross join lateral (
           select count(*) as before
             from (select from waiting w
                    where w.send_limit = of_limit and w.code = 'recipient-limit' and w.hash = of_hash and w.id < of_id
                      and (s.scope = 'recipient' or (select m.alike from message m where m.id = (w.id & -64))
                                                    is not distinct from (select m.alike from message m where m.id = (of_id & -64)))
                    limit 10000) b) x
     where x.before >= s.cap
$$;

-- Plans and versions of the policy that are long past are deleted.
grant delete on policy_version to {{control}};

-- Rights ------------------------------------------------------------------------------------------------------------------------

revoke all on function meet_each(int[], text[], smallint[], int) from public;
grant execute on function meet_each(int[], text[], smallint[], int) to {{send}};
revoke all on function waits_behind(int, bytea, bigint, bigint) from public;
grant execute on function waits_behind(int, bytea, bigint, bigint) to {{control}}, {{reader}};
