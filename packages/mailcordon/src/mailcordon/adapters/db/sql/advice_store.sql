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

-- name: volume
-- Mail of some buckets of time ($2: their sizes, $3: their beginnings, both in minutes): a tenant's, and that of all.
select (select coalesce(sum(c.sent), 0)::bigint
          from unnest($2::int[], $3::int[]) b (span, minute)
         cross join (select id from lane where tenant = $1) l
         cross join (values (true), (false)) i (isolated)
         cross join lateral (select x.sent from cohort_lane x
                              where x.span = b.span and x.minute = b.minute and x.lane = l.id and x.isolated = i.isolated limit 1) c
       ) as own,
       (select coalesce(sum(x.sent), 0)::bigint from cohort_fleet x
         where x.span = 1440 and x.minute >= (now_ms() / 86400000 - $4::int) * 1440 and x.minute < now_ms() / 86400000 * 1440) as all;

-- name: minimums
-- What each pool needs: a member is judged by the minimum of its own.
select name, minimum from ip_pool;

-- name: one_at_a_time
-- Two processes do not replace the same rows. Readers do not wait.
lock table advice_fleet in share row exclusive mode;

-- name: forget_senders
-- What was counted before.
delete from advice_tenant;

-- name: count_senders
-- All tenants, with their mail of some buckets of time ($1: their sizes, $2: their beginnings, both in minutes; in all $3 days) and what
-- they have at SES. A pool's addresses are divided by its mail. Each day of a lane in a pool is looked up.
insert into advice_tenant (place, tenant, sent, bad, managed, ses_tenants, sets, domains, addresses)
with volume as materialized (
    select x.tenant, coalesce(sum(x.sent), 0)::bigint as sent,
           sum(coalesce(x.hard_bounced, 0) + coalesce(x.complained, 0) + coalesce(x.sender_reputation, 0) + coalesce(x.content, 0)
               + coalesce(x.policy, 0))::bigint as bad
      from unnest($1::int[], $2::int[]) b (span, minute)
     cross join lateral (select c.* from cohort_lane c where c.span = b.span and c.minute = b.minute offset 0) x
     group by 1
), sets as materialized (select tenant, count(*) as n from configuration_set group by tenant),
domains as materialized (
    select tenant, count(*) as n from identity where retired_at is null and freed_at is null group by tenant),
routed as materialized (select tenant, count(distinct ses_tenant) as n from route group by tenant),
member as materialized (
    select m.pool, m.tenant, p.managed, coalesce(jsonb_array_length(s.observed -> 'ips'), 0) as addresses,
           coalesce(sum(x.sent), 0)::bigint as sent
      from ip_pool_member m join ip_pool p on p.name = m.pool
      left join ses_resource s on s.kind = 'ip-pool' and s.name = m.pool
      left join lane l on l.tenant = m.tenant and l.class = m.class
      left join lateral (
           select c.sent
             from generate_series(greatest(m.since / 86400000, now_ms() / 86400000 - $3::int), now_ms() / 86400000 - 1) d (day)
            cross join (values (true), (false)) i (isolated)
            cross join lateral (select c.sent from cohort_lane c
                                 where c.span = 1440 and c.minute = d.day * 1440 and c.lane = l.id and c.isolated = i.isolated limit 1) c
           ) x on true
     where m.ended_at is null group by 1, 2, 3, 4
), pooled as materialized (
    select m.tenant, coalesce(sum(m.sent) filter (where m.managed), 0)::bigint as managed,
           coalesce(sum(m.addresses * case when a.sent > 0 then m.sent::double precision / a.sent else 1.0 / a.members end)
                        filter (where not m.managed), 0)::double precision as addresses
      from member m join (select pool, sum(sent) as sent, count(*) as members from member group by 1) a using (pool)
     group by 1)
select row_number() over (order by case when v.sent > 0 then v.bad else 0 end desc, e.slug collate "C"), e.id,
       coalesce(v.sent, 0), coalesce(v.bad, 0), coalesce(p.managed, 0), coalesce(r.n, 0), coalesce(s.n, 0), coalesce(d.n, 0),
       coalesce(p.addresses, 0)
  from tenant e
  left join volume v on v.tenant = e.id left join pooled p on p.tenant = e.id left join routed r on r.tenant = e.id
  left join sets s on s.tenant = e.id left join domains d on d.tenant = e.id
 where e.retired_at is null and not e.observed;

-- name: sum_senders
-- It only says again what counts say, so it takes a number of `quiet_write`.
insert into advice_fleet as f (at, tenants, payers, sent, bad, managed, ses_tenants, sets, domains, addresses)
select now_ms(), count(*), count(*) filter (where managed > 0), coalesce(sum(sent), 0), coalesce(sum(bad), 0), coalesce(sum(managed), 0),
       coalesce(sum(ses_tenants), 0), coalesce(sum(sets), 0), coalesce(sum(domains), 0), coalesce(sum(addresses), 0)
  from advice_tenant
on conflict (is_one) do update
   set at = excluded.at, tenants = excluded.tenants, payers = excluded.payers, sent = excluded.sent, bad = excluded.bad,
       managed = excluded.managed, ses_tenants = excluded.ses_tenants, sets = excluded.sets, domains = excluded.domains,
       addresses = excluded.addresses
returning nextval('quiet_write');

-- name: counted
-- The sums of all tenants, if they were ever counted.
select * from advice_fleet;

-- name: senders
-- Tenants after a place, as they were counted.
select (select e.slug from tenant e where e.id = a.tenant) as slug, a.sent, a.bad, a.managed, a.ses_tenants, a.sets, a.domains, a.addresses
  from advice_tenant a
 where a.place > $1 and a.place <= $1 + $2::bigint order by a.place;
