-- Where domains stand at mailbox providers (docs/pacing.md). As the control role.

-- name: domains
-- From domains of tenants with their IP pool, their lanes and those lanes' policies. A domain that tenants share warms up for none.
select r.tenant, r.domain, coalesce(r.ip_pool, '') as pool, array_agg(l.id order by l.id) as lanes, array_agg(l.class order by l.id) as classes,
       array_agg((select jsonb_build_object('version', 0, 'tier', '', 'warm_up', p.document -> 'warm_up')::text from lane_policy p
                   where p.lane = l.id) order by l.id) as documents
  from (select distinct x.lane, x.tenant, x.domain, x.ip_pool from route x where x.path = 'isolated') r
  join lane l on l.id = r.lane and l.retired_at is null and not l.observed
 group by 1, 2, 3 order by 1, 2, 3;

-- name: standings
-- Of all domains, or of a tenant's.
select tenant, domain, pool, provider, day, step, steps, last_day, verdict, slowed, cap, mode from warm_up
 where $1::int is null or tenant = $1 order by tenant, domain, pool, provider;

-- name: days
-- What left lane by lane, by UTC day and provider. $1: lanes, $2: the first day since 1970. Of a lane with two paths, what left on its
-- own: days are not kept by path, hours are. The shared addresses are warm, so there only the domain has to be known: what it sent from
-- a pool counts too.
select d.lane, d.day, d.provider, coalesce(d.sent, 0) as sent, coalesce(d.delayed, 0) as delays,
       coalesce(d.sender_reputation, 0) + coalesce(d.content, 0) + coalesce(d.policy, 0) as blocks
  from unnest($1::int[]) l (lane)
 cross join lateral (
    select coalesce(max(case when r.ip_pool is null then m.domain_at else m.at end), 0) / 86400000 as day
      from route_moved m join route r on r.lane = m.lane and r.path = m.path where m.lane = l.lane and m.path = 'isolated') moved
 cross join lateral generate_series(greatest($2::int, moved.day), now_ms() / 86400000) n (day)
 cross join lateral (
       select x.lane, x.day, x.provider, x.sent, x.delayed, x.sender_reputation, x.content, x.policy
         from cohort_day x
        where x.day = n.day and x.lane = l.lane and not exists (select from route o where o.lane = l.lane and o.path = 'shared')
       union all
       select l.lane, n.day, h.provider, sum(h.sent), sum(h.delayed), sum(h.sender_reputation), sum(h.content), sum(h.policy)
         from slice s join cohort_hour h on h.slice = s.id and h.hour >= n.day * 24 and h.hour < n.day * 24 + 24
        where s.lane = l.lane and s.path = 'isolated' and exists (select from route o where o.lane = l.lane and o.path = 'shared')
        group by h.provider) d
 order by d.day;

-- name: save
-- $2 to $4 and $5: domain, pool, provider, day.
insert into warm_up (tenant, domain, pool, provider, day, step, steps, last_day, verdict, slowed, cap, mode, began_day)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $5)
on conflict (tenant, domain, pool, provider) do update
set day = excluded.day, step = excluded.step, steps = excluded.steps, last_day = excluded.last_day, verdict = excluded.verdict,
    slowed = excluded.slowed, cap = excluded.cap, mode = excluded.mode;

-- name: forget
-- Domains that no lane of the tenant sends from any more.
delete from warm_up w
 where w.tenant = $1
   and not exists (select from route r join lane l on l.id = r.lane and l.retired_at is null
                    where r.tenant = w.tenant and r.domain = w.domain and coalesce(r.ip_pool, '') = w.pool);
