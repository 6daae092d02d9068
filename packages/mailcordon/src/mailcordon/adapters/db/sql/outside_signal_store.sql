-- What others say of our mail (docs/signals.md). As the control role, but for `page`.

-- name: add
-- Adds signals, or makes those of the same source, domain, day and report what is said now. $13: who imports them. One row for each
-- that is new or has changed: whether it is new.
insert into outside_signal as s (source, domain, day, provider, reporter, report, rate, bad, of_mails, elsewhere, elsewhere_bad, trust,
                                 tenant, imported_by)
select n.source, n.domain, n.day, n.provider, n.reporter, n.report, n.rate, n.bad, n.of_mails, n.elsewhere, n.elsewhere_bad, n.trust,
       (select case when min(r.tenant) = max(r.tenant) then min(r.tenant) end
          from route r join lane l on l.id = r.lane and l.retired_at is null where r.domain = n.domain),
       $13
  from unnest($1::text[], $2::text[], $3::int[], $4::smallint[], $5::text[], $6::text[], $7::float8[], $8::bigint[], $9::bigint[],
              $10::bigint[], $11::bigint[], $12::text[])
       n (source, domain, day, provider, reporter, report, rate, bad, of_mails, elsewhere, elsewhere_bad, trust)
    on conflict (source, domain, day, reporter, report) do update
   set provider = excluded.provider, rate = excluded.rate, bad = excluded.bad, of_mails = excluded.of_mails,
       elsewhere = excluded.elsewhere, elsewhere_bad = excluded.elsewhere_bad, trust = excluded.trust, tenant = excluded.tenant,
       imported_at = excluded.imported_at, imported_by = excluded.imported_by
 where (s.provider, s.rate, s.bad, s.of_mails, s.elsewhere, s.elsewhere_bad, s.trust)
       is distinct from (excluded.provider, excluded.rate, excluded.bad, excluded.of_mails, excluded.elsewhere, excluded.elsewhere_bad,
                         excluded.trust)
returning xmax = 0 as is_new;

-- name: forget
-- Those of days that are older than $1 days.
delete from outside_signal where day < now_ms() / 86400000 - $1::int;

-- name: fresh
-- Those of the last $1 days, and no later ones.
select source, domain, day, provider, reporter, report, rate, bad, of_mails, elsewhere, elsewhere_bad, trust
  from outside_signal where day between now_ms() / 86400000 - $1::int and now_ms() / 86400000
 order by source, domain, day, reporter, report;

-- name: senders
-- Who sends from these domains: tenants, their lanes and those lanes' policies.
select r.domain, r.tenant, t.slug, array_agg(l.id order by l.id) as lanes, array_agg(l.class order by l.id) as classes,
       array_agg((select jsonb_build_object('version', 0, 'tier', '', 'warm_up', p.document -> 'warm_up')::text from lane_policy p
                   where p.lane = l.id) order by l.id) as documents
  from (select distinct x.lane, x.tenant, x.domain from route x where x.domain = any ($1::text[])) r
  join lane l on l.id = r.lane and l.retired_at is null and not l.observed
  join tenant t on t.id = r.tenant
 group by 1, 2, 3 order by 1, 2;

-- name: sent
-- What left of these lanes to a provider, and on how many days. $3 and $4: the first and the last day, since 1970.
select coalesce(sum(d.sent), 0)::bigint as sent, count(distinct d.day) filter (where d.sent > 0) as days
  from cohort_day d where d.lane = any ($1::int[]) and d.provider = $2 and d.day between $3::int and $4::int;

-- name: limited
-- Tenants with mail that is slowed.
select distinct tenant from send_limit where owner = 'outside';

-- name: page
-- The newest first. $1: of a tenant, $2: of a domain, $3: of a source, $4: before this id.
select s.id, s.source, s.domain, s.day, s.provider, s.reporter, s.report, s.rate, s.bad, s.of_mails, s.elsewhere, s.elsewhere_bad, s.trust,
       s.imported_at, s.imported_by, t.slug, now_ms() / 86400000 as today
  from outside_signal s left join tenant t on t.id = s.tenant
 where ($1::int is null or s.tenant = $1) and ($2::text is null or s.domain = $2) and ($3::text is null or s.source = $3)
   and ($4::int is null or s.id < $4)
 order by s.id desc limit $5;
