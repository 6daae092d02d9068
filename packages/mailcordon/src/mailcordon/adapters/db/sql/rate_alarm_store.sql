-- What alarms about rates are judged from (observe/rate_watch.py), as the control role.

-- name: changes
-- In one snapshot: the newest fold, whether the feed of changes still has all after the one that was seen ($1), and new hard bounces and
-- complaints since, by lane: a row for each, one without a lane if there are none.
with f as materialized (
    select f.fold, $1::bigint is not null and $1 <= f.fold
                   and coalesce((select min(x.fold) from cohort_feed x), f.fold + 1) <= $1 + 1 as continues
      from cohort_fold f
)
select f.fold, now_ms() as now, f.continues, c.lane, c.events
  from f
  left join (
       select (select s.lane from slice s where s.id = x.slice) as lane,
              sum(greatest(0, x.counts[4]) + greatest(0, x.counts[6]))::int as events
         from cohort_feed x
        where (select f.continues from f) and x.fold > $1 and x.fold <= (select f.fold from f) and (x.counts[4] > 0 or x.counts[6] > 0)
        group by 1) c on true;

-- name: suspects
-- Lanes with enough hard bounces or complaints since a day ($1: its first minute). One row a lane and day is read, once an hour.
select c.lane, (coalesce(sum(c.hard_bounced), 0) + coalesce(sum(c.complained), 0))::int as events
  from cohort_lane c
 where c.span = 1440 and c.minute >= $1 and (c.hard_bounced > 0 or c.complained > 0)
 group by c.lane
having greatest(coalesce(sum(c.hard_bounced), 0), coalesce(sum(c.complained), 0)) >= $2;

-- name: lanes
-- The lanes that are judged. Those of a retired tenant have no mail that anybody could still hold.
select l.id, l.tenant, t.slug, y.name as type, l.class, l.observed
  from lane l join tenant t on t.id = l.tenant and t.retired_at is null join message_type y on y.id = l.type
 where l.id = any ($1::int[]);

-- name: whole
-- All mail of these lanes: by hour from $2, by ten minutes from $3 (both minutes since 1970, at whole hours) to $4. Each bucket is
-- looked up by its whole key.
select l.lane, b.minute, b.span, sum(coalesce(c.sent, 0))::int as sent, sum(coalesce(c.hard_bounced, 0))::int as bounced,
       sum(coalesce(c.complained, 0) - coalesce(c.silent_complained, 0))::int as complained,
       sum(coalesce(c.sent, 0) - coalesce(c.silent_sent, 0))::int as heard
  from unnest($1::int[]) l (lane)
 cross join (select 60 as span, generate_series($2::int, $3::int - 1, 60) as minute
             union all
             select 10, generate_series($3::int, $4::int, 10)) b
 cross join (values (true), (false)) i (isolated)
 cross join lateral (select x.* from cohort_lane x
                      where x.span = b.span and x.minute = b.minute and x.lane = l.lane and x.isolated = i.isolated limit 1) c
 group by 1, 2, 3;

-- name: slices
-- The campaigns and lists of these lanes that had mail since a minute: those with most bounces and complaints first, $3 of each lane.
select l.lane, s.id, s.campaign, s.list, s.first_minute, s.last_minute
  from unnest($1::int[]) l (lane)
 cross join lateral (
       select e.id, e.campaign, e.list, c.first_minute, c.last_minute
         from slice e
        cross join lateral (select min(x.first_minute) as first_minute, max(x.last_minute) as last_minute,
                                   coalesce(sum(x.hard_bounced), 0) + coalesce(sum(x.complained), 0) as bad
                              from cohort_slice x where x.slice = e.id) c
        where e.lane = l.lane and c.last_minute >= $2
        order by c.bad desc, c.last_minute desc, e.id limit $3) s;

-- name: hours
-- The mail of these slices by hour and mailbox provider. $2, $3: the hours (since 1970) of each that are read.
select s.id as slice, c.hour, c.provider, coalesce(c.sent, 0) as sent, coalesce(c.hard_bounced, 0) as bounced,
       coalesce(c.complained, 0) as complained, q.provider is not null as silent
  from unnest($1::int[], $2::int[], $3::int[]) s (id, low, high)
 cross join lateral generate_series(s.low, s.high) h (hour)
 cross join lateral (select x.* from cohort_hour x where x.hour = h.hour and x.slice = s.id) c
  left join complaint_silence q on q.provider = c.provider and q.from_minute <= c.hour * 60;

-- name: minutes
-- The same by minute. $2, $3: the minutes of each slice.
select s.id as slice, c.minute, c.provider, coalesce(c.sent, 0) as sent, coalesce(c.hard_bounced, 0) as bounced,
       coalesce(c.complained, 0) as complained, q.provider is not null as silent
  from unnest($1::int[], $2::int[], $3::int[]) s (id, low, high)
 cross join lateral generate_series(s.low, s.high) m (minute)
 cross join lateral (select x.* from cohort_minute x where x.minute = m.minute and x.slice = s.id) c
  left join complaint_silence q on q.provider = c.provider and q.from_minute <= c.minute;

-- name: first_seen
-- The first fold after $1 that counted mail of a minute as sent: counts know minutes only. It is found within a minute of folds.
select f.at from cohort_feed f
 where f.fold > $1 and f.minute = $2 and f.slice = any ($3::int[]) and f.counts[1] > 0 and ($4::smallint is null or f.provider = $4)
 order by f.fold limit 1;

-- name: holds
-- The open holds that stop any mail of these lanes.
select l.id as covered_lane, h.id, h.tenant, h.class, h.lane, h.provider, h.campaign, h.list, h.stops, h.rate, h.owner, h.because,
       h.by, h.since, h.until
  from lane l join hold h on h.tenant = l.tenant and h.lifted_at is null and h.stops and hold_covers(h, l.tenant, l.class, l.id)
 where l.id = any ($1::int[])
 order by h.id;

-- name: open_alarms
-- The alarms that last, of whoever read them before.
select lane, signal, part, value, since, raised_at from rate_alarm;

-- name: raise_alarm
-- A new alarm. Another process may have written it.
insert into rate_alarm (lane, signal, part, value, since, raised_at) values ($1, $2, $3, $4, $5, $6) on conflict do nothing;

-- name: end_alarm
-- An alarm that is over.
delete from rate_alarm where lane = $1 and signal = $2 and part = $3 and value = $4;
