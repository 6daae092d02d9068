-- What back-tests are made of (control/backtests.py), as the control role.

-- name: names
-- Tenants and message types, as a document may name them.
select (select coalesce(array_agg(slug), '{}') from tenant where retired_at is null) as tenants,
       array(select name from message_type order by id) as types, array(select class from message_type order by id) as classes;

-- name: lane_ids
-- Lanes that had mail since a day ($2: its first minute); of one tenant, or of all.
select distinct c.lane from cohort_lane c
 where c.span = 1440 and c.minute >= $2 and c.sent > 0 and ($1::int is null or c.tenant = $1);

-- name: from_when
-- The first minute that is kept by minute, and the first whose changes the feed has all of: it is kept for a day.
select now_ms() as now, (select min(minute) from cohort_minute) as minutes,
       (select min(f.at) from cohort_feed f where f.fold = (select min(x.fold) from cohort_feed x)) as feed;

-- name: hours
-- Counts of these lanes by hour, of hours from $2 to $3 (since 1970, the last one not).
select h.hour * 60 as minute, s.lane, s.campaign, s.list, h.provider, sum(coalesce(h.sent, 0))::int as sent,
       sum(coalesce(h.delivered, 0))::int as delivered, sum(coalesce(h.hard_bounced, 0))::int as hard_bounces,
       sum(coalesce(h.complained, 0))::int as complaints,
       sum(coalesce(h.sender_reputation, 0) + coalesce(h.content, 0) + coalesce(h.policy, 0))::int as blocks,
       sum(coalesce(h.delayed, 0))::int as delays, sum(coalesce(h.opened, 0))::int as opens
  from cohort_hour h join slice s on s.id = h.slice
 where h.hour >= $2 and h.hour < $3 and s.lane = any ($1::int[])
 group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5 limit $4;

-- name: minutes
-- The same by minute.
select m.minute, s.lane, s.campaign, s.list, m.provider, sum(coalesce(m.sent, 0))::int as sent,
       sum(coalesce(m.delivered, 0))::int as delivered, sum(coalesce(m.hard_bounced, 0))::int as hard_bounces,
       sum(coalesce(m.complained, 0))::int as complaints,
       sum(coalesce(m.sender_reputation, 0) + coalesce(m.content, 0) + coalesce(m.policy, 0))::int as blocks,
       sum(coalesce(m.delayed, 0))::int as delays, sum(coalesce(m.opened, 0))::int as opens
  from cohort_minute m join slice s on s.id = m.slice
 where m.minute >= $2 and m.minute < $3 and s.lane = any ($1::int[])
 group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5 limit $4;

-- name: changes
-- What became known, and when, of mail of these lanes since a minute. The order is that of the folds, as the breaker reads them.
select f.at, f.minute, s.lane, s.campaign, s.list, f.provider, f.counts[1] as sent, f.counts[3] as delivered,
       f.counts[4] as hard_bounces, f.counts[6] as complaints, f.counts[17] + f.counts[19] + f.counts[21] as blocks,
       f.counts[7] as delays, f.counts[10] as opens
  from cohort_feed f join slice s on s.id = f.slice
 where f.minute >= $2 and s.lane = any ($1::int[])
 order by f.fold, f.minute, f.slice, f.provider limit $3;

-- name: domains
-- Hard bounces outside the named providers by domain, of mail since a minute.
select d.minute, d.lane, d.domain, d.hard_bounced from cohort_bounce_domain d where d.minute >= $2 and d.lane = any ($1::int[])
 order by d.minute, d.lane, d.domain;

-- name: days
-- Mails of these lanes by day since 1970, of the days from $2 to $3 (the last one not), and the minute of their first mail.
select l.lane, (select min(s.first_minute) from slice s where s.lane = l.lane) as first_minute,
       array_agg(c.minute / 1440 order by c.minute) filter (where c.minute is not null) as days,
       array_agg(c.sent order by c.minute) filter (where c.minute is not null) as sent
  from unnest($1::int[]) l (lane)
  left join (select c.lane, c.minute, sum(c.sent)::int as sent from cohort_lane c
              where c.span = 1440 and c.minute >= $2 * 1440 and c.minute < $3 * 1440 and c.sent > 0 group by 1, 2) c on c.lane = l.lane
 group by l.lane;
