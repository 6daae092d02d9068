-- Computing the counts of cohorts again, from ledger and outcomes (docs/decisions/032-cohorts.md).

-- name: hold_unknown
-- Nobody moves what is counted as unknown while it is compared. Before the snapshot of the transaction.
lock table cohort_unknown in share row exclusive mode;

-- name: move_known
-- What would be moved soon is moved now, so that it is compared as what it is.
select move_unknown(array(select distinct domain from cohort_unknown), 100000);

-- name: bounds
-- The current minute, the longest time that a mail may wait for its call, in ms, and the first minute of which all counts, and all
-- that they are computed from, are kept. Mail of the first day that is left may have been accepted the day before.
with p as (
    select c.relname, (to_date(right(c.relname, 8), 'YYYYMMDD') - date '1970-01-01') as day
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent in ('cohort_minute'::regclass, 'ledger'::regclass) and c.relname ~ '_p[0-9]{8}$'
), f as (
    select (select min(day) from p where relname like 'cohort%') as counts, (select min(day) from p where relname like 'ledger%') as mail,
           (select coalesce(max(expiry_ms), 0) from lane) as longest_expiry_ms
)
select (now_ms() / 60000)::int as now_minute, longest_expiry_ms,
       greatest(counts * 1440, mail * 1440 + case when exists (select from cohort_day where day < f.mail)
                                                  then longest_expiry_ms / 60000 else 0 end)::int as first_minute
  from f;

-- name: differences
-- Counts of the minutes from $1 to before $2 as they should be less as they are, with what is not folded yet: one row for each count
-- that differs. Deliveries of ids from $3 to before $4 are looked at: their calls are later than their acceptance by the longest
-- expiry at most. $5 and $6: by column, the bits of kinds and reasons that it counts.
with l as materialized (
    select id, tenant, lane, state, provider, called_at from ledger where id >= $3 and id < $4
), o as materialized (
    select id, tenant, lane, provider, left_at, kinds, reasons from outcome where id >= $3 and id < $4
), d as (
    select coalesce(l.id, o.id) as id, coalesce(l.tenant, o.tenant) as tenant, coalesce(l.lane, o.lane) as lane,
           coalesce(o.provider, l.provider) as provider, (coalesce(o.left_at, l.called_at) / 60000)::int as minute,
           coalesce(o.kinds, 0) as kinds, coalesce(o.reasons, 0) as reasons,
           l.id is not null and (o.id is not null or l.state = 20) as sent, o.id is null and l.state in (13, 28) as unclear
      from l full join o on o.id = l.id
     where o.id is not null or l.called_at is not null and l.state in (13, 20, 28)
), g as materialized (
    select d.tenant, d.lane, d.minute, path_of(m.path, m.other_path, d.id) as path, m.campaign, m.list, d.provider,
           case when d.provider in (-1, 0) then domain_of(m.recipients[(d.id & 63)::int]) end as domain, d.kinds, d.reasons, d.sent,
           coalesce(d.unclear, false) as unclear, count(*)::int as n
      from d join message m on m.id = (d.id & -64) and m.id >= ($3::bigint & -64) and m.id < $4
     where d.minute >= $1::int and d.minute < $2::int
     group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
), crowded as (
    select lane from slice group by lane having count(*) >= 20000
), k as materialized (
    select g.tenant, g.lane, g.minute, g.path, case when a.there then g.campaign else '*' end as campaign, case when a.there then g.list end as list,
           g.provider, g.domain, g.kinds, g.reasons, g.sent, g.unclear, g.n,
           case when g.provider = -1 and g.domain is not null then provider_at(g.domain, g.minute) else g.provider end as now_provider
      from g
     cross join lateral (
           select g.campaign is null and g.list is null or g.lane not in (select lane from crowded)
               or exists (select from slice s where s.lane = g.lane and s.path = g.path and coalesce(s.campaign, '') = coalesce(g.campaign, '')
                             and coalesce(s.list, '') = coalesce(g.list, '')) as there) a
), wanted as (
    select k.tenant, k.lane, k.minute, k.path, k.campaign, k.list, k.now_provider as provider,
           case when k.now_provider = -1 then k.domain end as domain, b.i, k.n as count
      from k cross join unnest($5::int[], $6::int[]) with ordinality b (kinds, reasons, i)
     where case b.i when 1 then k.sent when 14 then k.unclear else k.kinds & b.kinds <> 0 or k.reasons & b.reasons <> 0 end
), pending as materialized (
    select c.*, case when c.provider = -1 and c.domain is not null then provider_at(c.domain, c.minute) else c.provider end as now_provider
      from pending_change c where c.minute >= $1 and c.minute < $2
), there as (
    select s.tenant, s.lane, c.minute, s.path, s.campaign, s.list, c.provider, null::text as domain, b.i, b.count
      from cohort_minute c join slice s on s.id = c.slice
     cross join unnest(array[c.sent, c.send_events, c.delivered, c.hard_bounced, c.soft_bounced, c.complained, c.delayed, c.rejected,
              c.suppressed_at_ses, c.opened, c.clicked, c.machine_opened, c.machine_clicked, c.unclear, c.recipient_gone,
              c.recipient_full, c.sender_reputation, c.sender_auth, c.content, c.throttled, c.policy, c.infrastructure,
              c.undetermined]) with ordinality b (count, i)
     where c.minute >= $1 and c.minute < $2 and b.count <> 0
    union all
    select s.tenant, s.lane, u.minute, s.path, s.campaign, s.list, -1, v.domain, b.i, v.sign * b.count
      from cohort_unknown u join slice s on s.id = u.slice cross join unnest(u.counts) with ordinality b (count, i)
     cross join lateral (values (u.domain, 1), (null, -1)) v (domain, sign)
     where u.minute >= $1 and u.minute < $2 and b.count <> 0
    union all
    select p.tenant, p.lane, p.minute, p.path, p.campaign, p.list, p.now_provider, case when p.now_provider = -1 then p.domain end, b.i, b.count
      from pending p cross join unnest(p.counts) with ordinality b (count, i) where b.count <> 0
), counts as (
    select tenant, lane, minute, path, campaign, list, provider, domain, i, sum(count) as count
      from (select * from wanted union all
            select tenant, lane, minute, path, campaign, list, provider, domain, i, -count from there) x
     group by 1, 2, 3, 4, 5, 6, 7, 8, 9
    having sum(count) <> 0
), domains as (
    select min(tenant) as tenant, lane, minute, hash, min(domain) as domain, sum(count) as count
      from (select tenant, lane, minute, domain_hash(domain) as hash, domain, n as count from k where kinds & ($5::int[])[4] <> 0 and domain is not null
            union all
            select null, c.lane, c.minute, c.domain, null, -c.hard_bounced from cohort_bounce_domain c where c.minute >= $1 and c.minute < $2
            union all
            select p.tenant, p.lane, p.minute, domain_hash(p.domain), p.domain, -p.counts[4] from pending p where p.domain is not null and p.counts[4] <> 0) x
     group by lane, minute, hash
    having sum(count) <> 0 and min(domain) is not null
)
select false as by_domain, tenant, lane, minute, path, campaign, list, provider, domain, i::int, count::int from counts
union all
select true, tenant, lane, minute, coalesce((select s.path from slice s where s.lane = domains.lane order by s.id limit 1), 'isolated'),
       null, null, 0, domain, 4, count::int
  from domains;

-- name: append
-- Corrections are changes as any other: the next fold adds them, and who follows the feed sees them.
insert into cohort_change (tenant, lane, minute, path, campaign, list, provider, domain, counts)
select x.tenant, x.lane, x.minute, x.path, x.campaign, x.list, x.provider, x.domain, x.counts::int[]
  from unnest($1::int[], $2::int[], $3::int[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::text[], $9::text[])
       as x (tenant, lane, minute, path, campaign, list, provider, domain, counts);

-- name: resum_day
-- Hours and days are sums of minutes. How many of them are not.
select resum_cohorts($1, $1 + 1440, $2);

-- name: resum_slices
-- The same of whole campaigns and lists.
select resum_slices($1, $2);

-- name: wrong_lanes
-- How many buckets of these are not the sums of hours and minutes.
select count_wrong_cohort_sums($1);

-- name: resum_lanes
-- Sums by lane and of the fleet are computed again, as they are of hours and minutes.
select rebuild_cohort_sums($1);
