-- What advice about tenants is made from, as the control role (docs/ip-pools.md). Days are UTC days since 1970; today is not over.

-- name: days
-- A tenant's mail of the last $2 days, by class, day and provider.
select l.class, d.day, d.provider, sum(d.sent)::bigint as sent,
       sum(coalesce(d.sender_reputation, 0) + coalesce(d.content, 0) + coalesce(d.policy, 0))::bigint as blocks
  from lane l
 cross join lateral generate_series(now_ms() / 86400000 - $2::int, now_ms() / 86400000 - 1) n (day)
 cross join lateral (select x.* from cohort_day x where x.day = n.day and x.lane = l.id) d
 where l.tenant = $1 and l.retired_at is null and d.sent > 0
 group by 1, 2, 3 order by 1, 2, 3;

-- name: from_shared_addresses
-- All lanes, and whether they are others' than the tenant's ($1) and send from the shared addresses.
select l.id, l.tenant <> $1 and not exists (select from route r where r.lane = l.id and r.ip_pool is not null) as counts from lane l;

-- name: of_lanes
-- Mail of some lanes of the last $2 days by provider.
select x.provider, coalesce(sum(x.sent), 0)::bigint as sent,
       sum(coalesce(x.sender_reputation, 0) + coalesce(x.content, 0) + coalesce(x.policy, 0))::bigint as blocks
  from generate_series(now_ms() / 86400000 - $2::int, now_ms() / 86400000 - 1) n (day)
 cross join lateral (select c.* from cohort_day c where c.day = n.day and c.lane = any ($1::int[]) offset 0) x
 group by 1;

-- name: of_all
-- The same of all lanes, from the sums of the fleet ($1: days).
select x.provider, coalesce(sum(x.sent), 0)::bigint as sent,
       sum(coalesce(x.sender_reputation, 0) + coalesce(x.content, 0) + coalesce(x.policy, 0))::bigint as blocks
  from cohort_fleet x
 where x.span = 1440 and x.minute >= (now_ms() / 86400000 - $1::int) * 1440 and x.minute < now_ms() / 86400000 * 1440
 group by 1;

-- name: volumes
-- Mail of some buckets of time ($1: their sizes, $2: their beginnings, both in minutes) by tenant, and what of it went wrong.
select x.tenant, coalesce(sum(x.sent), 0)::bigint as sent,
       sum(coalesce(x.hard_bounced, 0) + coalesce(x.complained, 0) + coalesce(x.sender_reputation, 0) + coalesce(x.content, 0)
           + coalesce(x.policy, 0))::bigint as bad
  from unnest($1::int[], $2::int[]) b (span, minute)
 cross join lateral (select c.* from cohort_lane c where c.span = b.span and c.minute = b.minute offset 0) x
 group by 1;

-- name: minimums
-- What each pool needs: a member is judged by the minimum of its own.
select name, minimum from ip_pool;

-- name: senders
-- All tenants, with what they have at SES.
with sets as materialized (select tenant, count(*) as n from configuration_set group by tenant),
domains as materialized (
    select tenant, count(*) as n from identity where retired_at is null and freed_at is null group by tenant),
routed as materialized (select tenant, count(distinct ses_tenant) as n from route group by tenant)
select e.id, e.slug, coalesce(r.n, 0)::int as ses_tenants, coalesce(s.n, 0)::int as sets, coalesce(d.n, 0)::int as domains
  from tenant e left join routed r on r.tenant = e.id left join sets s on s.tenant = e.id left join domains d on d.tenant = e.id
 where e.retired_at is null and not e.observed order by e.slug limit 20000;

-- name: pooled
-- Mail of the last $1 days from pools, by pool and tenant, with the addresses of each pool. Each day of a lane is looked up.
select m.pool, m.tenant, p.managed, coalesce(jsonb_array_length(s.observed -> 'ips'), 0) as addresses,
       coalesce(sum(x.sent), 0)::bigint as sent
  from ip_pool_member m join ip_pool p on p.name = m.pool
  left join ses_resource s on s.kind = 'ip-pool' and s.name = m.pool
  left join lane l on l.tenant = m.tenant and l.class = m.class
  left join lateral (
       select c.sent
         from generate_series(greatest(m.since / 86400000, now_ms() / 86400000 - $1::int), now_ms() / 86400000 - 1) d (day)
        cross join (values (true), (false)) i (isolated)
        cross join lateral (select c.sent from cohort_lane c
                             where c.span = 1440 and c.minute = d.day * 1440 and c.lane = l.id and c.isolated = i.isolated limit 1) c
       ) x on true
 where m.ended_at is null group by 1, 2, 3, 4 order by 1, 2;
