-- What objectives of lanes are judged by (observe/objectives.py), as the control role; for a tenant's key as the reader role.

-- name: fold_times
-- Adds up times of delivery that observers appended. Each change is deleted where it is added. One process at a time reads alarms; two
-- would each take other rows. Classes are written out (guard/objectives.py, TIME_BOUNDS); from the sixth on, above 15 s, they are slow.
with c as (
    delete from delivery_time_change where id = any (array(select c.id from delivery_time_change c order by c.id limit $1::int))
    returning tenant, lane, minute, provider, path, counts
), b as (
    delete from delivery_time_batch where id = any (array(select b.id from delivery_time_batch b order by b.id limit $1))
    returning tenants, lanes, minutes, providers, paths, counts
), t as (
    select * from c
    union all
    select u.tenant, u.lane, u.minute, u.provider, u.path, u.counts::int[]
      from b cross join lateral unnest(b.tenants, b.lanes, b.minutes, b.providers, b.paths, b.counts)
           u (tenant, lane, minute, provider, path, counts)
), y as (
    -- By path for rollouts, which are rare: of a lane in one.
    select b.span, t.minute - t.minute % b.span as minute, t.lane, t.provider, t.path, t.tenant, u.place, sum(u.n)::int as n
      from t cross join (values (10), (60), (1440)) b (span)
     cross join lateral unnest(t.counts) with ordinality u (n, place)
     where exists (select from rollout_lane r where r.lane = t.lane and r.open)
     group by 1, 2, 3, 4, 5, 6, 7
), p as (
    insert into path_time as d (lane, span, minute, path, provider, tenant, counts)
    select lane, span, minute, path, provider, tenant, array_agg(n order by place) from y group by 1, 2, 3, 4, 5, 6 order by 1, 2, 3, 4, 5
    on conflict (lane, span, minute, path, provider) do update
       set counts = array(select coalesce(u.a, 0) + coalesce(u.b, 0) from unnest(d.counts, excluded.counts) with ordinality u (a, b, place)
                           order by u.place)
), x as (
    select b.span, t.minute - t.minute % b.span as minute, t.lane, t.provider, t.tenant,
           array[
                 sum(t.counts[1]), sum(t.counts[2]), sum(t.counts[3]), sum(t.counts[4]), sum(t.counts[5]), sum(t.counts[6]),
                 sum(t.counts[7]), sum(t.counts[8]), sum(t.counts[9]), sum(t.counts[10]), sum(t.counts[11]), sum(t.counts[12]),
                 sum(t.counts[13]), sum(t.counts[14]), sum(t.counts[15]), sum(t.counts[16]), sum(t.counts[17]),
                 sum(t.counts[18]), sum(t.counts[19]), sum(t.counts[20]), sum(t.counts[21]), sum(t.counts[22])]::int[] as counts
      from t cross join (values (10), (60), (1440)) b (span)
     group by 1, 2, 3, 4, 5
), s as (
    insert into delivery_time as d (span, minute, lane, provider, tenant, counts, slow)
    select span, minute, lane, provider, tenant, counts,
           counts[6] + counts[7] + counts[8] + counts[9] + counts[10] + counts[11] + counts[12] + counts[13] + counts[14] +
           counts[15] + counts[16] + counts[17] + counts[18] + counts[19] + counts[20] + counts[21] + counts[22]
      from x order by 1, 2, 3, 4
    on conflict (span, minute, lane, provider) do update
       set counts = add_times(d.counts, excluded.counts), slow = d.slow + excluded.slow
)
select count(*)::int from t;

-- name: forget_times
-- Tens are read for an hour, hours for three days, days for the time of a budget.
delete from delivery_time
 where span = 10 and minute < now_ms() / 60000 - 1440 or span = 60 and minute < now_ms() / 60000 - 20160
    or span = 1440 and minute < now_ms() / 60000 - 144000;

-- name: forget_path_times
-- Of lanes that are in no rollout any more. Tens are read for the hour in which a share began, hours for its day.
delete from path_time p
 where not exists (select from rollout_lane r where r.lane = p.lane and r.open)
    or p.span = 10 and p.minute < now_ms() / 60000 - 10080 or p.span = 60 and p.minute < now_ms() / 60000 - 43200;

-- name: now
-- The database's clock, in minutes since 1970.
select now_ms() / 60000;

-- name: candidates
-- Lanes that may spend their budgets too fast: with bad mail since a day ($1: its first minute), with slow deliveries, or with mail
-- that ended unsent. The worst first.
select x.lane, sum(x.bad)::int as bad
  from (select c.lane, coalesce(sum(c.hard_bounced), 0) + coalesce(sum(c.soft_bounced), 0) + coalesce(sum(c.complained), 0)
                       + coalesce(sum(c.rejected), 0) as bad
          from cohort_lane c
         where c.span = 1440 and c.minute >= $1 and (c.hard_bounced > 0 or c.soft_bounced > 0 or c.complained > 0 or c.rejected > 0)
         group by 1
        union all
        select d.lane, sum(d.slow) from delivery_time d where d.span = 1440 and d.minute >= $1 and d.slow > 0 group by 1
        union all
        select f.lane, f.ended - coalesce((select o.expired + o.given_up + o.no_outcome from lane_count o
                                            where o.lane = f.lane and o.at <= $1 * 60000::bigint order by o.at desc limit 1), 0)
          from (select z.lane, sum(z.expired + z.given_up + z.no_outcome) as ended from lane_finished z
                 where z.expired + z.given_up + z.no_outcome > 0 group by 1) f) x
 group by x.lane
having sum(x.bad) >= $2
 order by 2 desc, 1 limit $3;

-- name: lanes
-- Lanes with the objectives of their policy, and whether a hold stops all of their mail. $2: a tenant, or null; $3: the last lane of the
-- page before.
select l.id, l.tenant, t.slug, y.name as type, l.class, p.document,
       exists (select from hold h where h.tenant = l.tenant and h.lifted_at is null and h.stops and (h.until is null or h.until > now_ms())
                  and hold_covers(h, l.tenant, l.class, l.id) and not hold_is_narrow(h)) as held
  from lane l
  join tenant t on t.id = l.tenant and t.retired_at is null
  join message_type y on y.id = l.type
  left join lane_policy p on p.lane = l.id
 where ($1::int[] is null or l.id = any ($1)) and ($2::int is null or l.tenant = $2) and ($3::text is null or y.name = $3)
   and l.id > $4::int
 order by l.id limit $5;

-- name: causes
-- Alarms about rates of these lanes and open decisions of the breaker, which explain theirs: what of the lane is at fault.
select lane, case when part = '' then '' else part || ':' || value end as part from rate_alarm where lane = any ($1::int[])
union
select lane, coalesce(document ->> 'at_fault', part) from breaker_decision
 where lane = any ($1::int[]) and ended_at is null and signal not in ('volume', 'account');

-- name: whole
-- All mail of these lanes: by ten minutes of the last hour, by hour of three days, by day of $3 days. $2: the minute that is now. The
-- lanes of a bucket are read together: those of a page are next to each other in the key.
select c.lane, b.span, b.minute, sum(coalesce(c.sent, 0))::int as sent,
       sum(coalesce(c.sent, 0) - coalesce(c.silent_sent, 0))::int as heard, sum(coalesce(c.delivered, 0))::int as delivered,
       sum(coalesce(c.hard_bounced, 0))::int as hard_bounced,
       sum(coalesce(c.hard_bounced, 0) + coalesce(c.soft_bounced, 0))::int as bounced, sum(coalesce(c.recipient_gone, 0))::int as gone,
       sum(coalesce(c.complained, 0) - coalesce(c.silent_complained, 0))::int as complained, sum(coalesce(c.rejected, 0))::int as rejected
  from (select 10 as span, generate_series(($2::int - 60) / 10 * 10, $2, 10) as minute
        union all select 60, generate_series(($2 - 4320) / 60 * 60, $2, 60)
        union all select 1440, generate_series(($2 - $3::int * 1440) / 1440 * 1440, $2, 1440)) b
 cross join lateral (select x.* from cohort_lane x
                      where x.span = b.span and x.minute = b.minute and x.lane = any ($1::int[]) offset 0) c
 group by 1, 2, 3;

-- name: times
-- Times of delivery of these lanes, in the same buckets, by mailbox provider.
select c.lane, b.span, b.minute, c.provider, c.counts
  from (select 10 as span, generate_series(($2::int - 60) / 10 * 10, $2, 10) as minute
        union all select 60, generate_series(($2 - 4320) / 60 * 60, $2, 60)
        union all select 1440, generate_series(($2 - $3::int * 1440) / 1440 * 1440, $2, 1440)) b
 cross join lateral (select x.lane, x.provider, x.counts from delivery_time x
                      where x.span = b.span and x.minute = b.minute and x.lane = any ($1::int[]) offset 0) c;

-- name: ended
-- Mail of these lanes that ended without a call or without any report, in all, as it was at the beginnings of windows ($2: minutes
-- since 1970).
select l.lane, m.minute, c.ended
  from unnest($1::int[]) l (lane)
 cross join unnest($2::int[]) m (minute)
 cross join lateral (select x.expired + x.given_up + x.no_outcome as ended from lane_count x
                      where x.lane = l.lane and x.at <= m.minute * 60000::bigint order by x.at desc limit 1) c;

-- name: overdue
-- Mail that still waits and was accepted, or is due, longer ago than $2 seconds, at most 10,000 of each lane and queue.
select l.lane, (select count(*) from (select from ready r where r.lane = l.lane and r.id < first_id_at(now_ms() - l.ms) limit 10000) r)
             + (select count(*) from (select from waiting w where w.lane = l.lane and w.id < first_id_at(now_ms() - l.ms) limit 10000) w)
               as overdue
  from unnest($1::int[], $2::bigint[]) l (lane, ms);

-- name: provider_days
-- Mail of these lanes to mailbox providers, by day since one ($3).
select c.lane, c.provider, c.day, coalesce(c.sent, 0) as sent, coalesce(c.delivered, 0) as delivered,
       coalesce(c.hard_bounced, 0) as hard_bounced, coalesce(c.hard_bounced, 0) + coalesce(c.soft_bounced, 0) as bounced,
       coalesce(c.recipient_gone, 0) as gone, coalesce(c.complained, 0) as complained, coalesce(c.rejected, 0) as rejected,
       q.provider is not null as silent
  from unnest($1::int[], $2::smallint[]) l (lane, provider)
 cross join generate_series($3::int, $4::int) d (day)
 cross join lateral (select x.* from cohort_day x where x.day = d.day and x.lane = l.lane and x.provider = l.provider limit 1) c
  left join complaint_silence q on q.provider = c.provider and q.from_minute <= c.day * 1440;

-- name: provider_slices
-- Campaigns and lists of these lanes with mail to these mailbox providers since a minute ($3), the newest 200 of each.
select l.lane, l.provider, s.id as slice
  from unnest($1::int[], $2::smallint[]) l (lane, provider)
 cross join lateral (select e.id from slice e
                      cross join lateral (select x.last_minute from cohort_slice x where x.slice = e.id and x.provider = l.provider limit 1) c
                      where e.lane = l.lane and c.last_minute >= $3::int order by c.last_minute desc limit 200) s;

-- name: provider_hours
-- Their mail by hour since 1970.
select c.slice, c.provider, c.hour, coalesce(c.sent, 0) as sent, coalesce(c.delivered, 0) as delivered,
       coalesce(c.hard_bounced, 0) as hard_bounced, coalesce(c.hard_bounced, 0) + coalesce(c.soft_bounced, 0) as bounced,
       coalesce(c.recipient_gone, 0) as gone, coalesce(c.complained, 0) as complained, coalesce(c.rejected, 0) as rejected,
       q.provider is not null as silent
  from unnest($1::int[], $2::smallint[]) s (slice, provider)
 cross join generate_series($3::int, $4::int) h (hour)
 cross join lateral (select x.* from cohort_hour x where x.hour = h.hour and x.slice = s.slice and x.provider = s.provider limit 1) c
  left join complaint_silence q on q.provider = c.provider and q.from_minute <= c.hour * 60;

-- name: provider_minutes
-- The same by minute.
select c.slice, c.provider, c.minute, coalesce(c.sent, 0) as sent, coalesce(c.delivered, 0) as delivered,
       coalesce(c.hard_bounced, 0) as hard_bounced, coalesce(c.hard_bounced, 0) + coalesce(c.soft_bounced, 0) as bounced,
       coalesce(c.recipient_gone, 0) as gone, coalesce(c.complained, 0) as complained, coalesce(c.rejected, 0) as rejected,
       q.provider is not null as silent
  from unnest($1::int[], $2::smallint[]) s (slice, provider)
 cross join generate_series($3::int, $4::int) m (minute)
 cross join lateral (select x.* from cohort_minute x where x.minute = m.minute and x.slice = s.slice and x.provider = s.provider limit 1) c
  left join complaint_silence q on q.provider = c.provider and q.from_minute <= c.minute;

-- name: open_alarms
-- The alarms that last, of whoever read them before.
select lane, goal, provider, since from objective_alarm;

-- name: raise_alarm
-- A new alarm. Another process may have written it.
insert into objective_alarm (lane, goal, provider, since) values ($1, $2, $3, $4) on conflict do nothing;

-- name: end_alarm
-- An alarm that is over.
delete from objective_alarm where lane = $1 and goal = $2 and provider = $3;
