-- What the watch of feedback reads and records (observe/feedback_loop.py), as the control role.

-- name: fold
-- The newest fold, what it is as of, and whether the feed still has all after the one that was seen.
select f.fold, f.folded_at, now_ms() as now,
       $1::bigint is not null and $1 <= f.fold
           and coalesce((select min(x.fold) from cohort_feed x), f.fold + 1) <= $1 + 1 as continues
  from cohort_fold f;

-- name: changed
-- What was folded since, by set and minute. Counts are those of core.cohort.COLUMNS. Mail belongs to the set that its lane's route had
-- in that minute, as set_at says; here by a join, for thousands of lanes.
with period as materialized (
    select lane, path, configuration_set, upto, lag(upto, 1, -1::bigint) over (partition by lane, path order by upto) as after
      from (select lane, path, configuration_set, until as upto from route_before where until >= $3 * 60000::bigint
            union all
            select lane, path, configuration_set, 9223372036854775807 from route) x
), change as materialized (
    select s.lane, s.path, f.minute, f.provider, sum(f.counts[1]) as sent, sum(f.counts[2]) as seen,
           sum(f.counts[3] + f.counts[4] + f.counts[5] + f.counts[6] + f.counts[7] + f.counts[8]) as others, sum(f.counts[4]) as bounced
      from cohort_feed f join slice s on s.id = f.slice
     where f.fold > $1 and f.fold <= $2 and f.minute >= $3 group by 1, 2, 3, 4
)
select p.configuration_set, c.minute, c.provider, sum(c.sent)::int as sent, sum(c.seen)::int as seen, sum(c.others)::int as others,
       sum(c.bounced)::int as bounced
  from change c
  join period p on p.lane = c.lane and p.path = c.path and c.minute * 60000::bigint > p.after and c.minute * 60000::bigint <= p.upto
 group by 1, 2, 3;

-- name: window
-- The same of all minutes since one.
with period as materialized (
    select lane, path, configuration_set, upto, lag(upto, 1, -1::bigint) over (partition by lane, path order by upto) as after
      from (select lane, path, configuration_set, until as upto from route_before where until >= $1 * 60000::bigint
            union all
            select lane, path, configuration_set, 9223372036854775807 from route) x
)
select p.configuration_set, c.minute, c.provider, sum(coalesce(c.sent, 0))::int as sent, sum(coalesce(c.send_events, 0))::int as seen,
       sum(coalesce(c.delivered, 0) + coalesce(c.hard_bounced, 0) + coalesce(c.soft_bounced, 0) + coalesce(c.complained, 0)
           + coalesce(c.delayed, 0) + coalesce(c.rejected, 0))::int as others,
       sum(coalesce(c.hard_bounced, 0))::int as bounced
  from cohort_minute c join slice s on s.id = c.slice
  join period p on p.lane = s.lane and p.path = s.path and c.minute * 60000::bigint > p.after and c.minute * 60000::bigint <= p.upto
 where c.minute >= $1 group by 1, 2, 3;

-- name: days
-- Whole days by the set that the lane has now: what bounces and complaints let expect.
select r.configuration_set, d.provider, d.day, sum(coalesce(d.sent, 0))::bigint as sent,
       sum(coalesce(d.hard_bounced, 0))::bigint as bounced, sum(coalesce(d.complained, 0))::bigint as complained
  from cohort_day d
  join (select distinct on (lane) lane, configuration_set from route order by lane, share desc, path) r on r.lane = d.lane
 where d.day >= $1 group by 1, 2, 3;

-- name: observers
-- The last reports of observers, with their outcome queue.
select b.host, b.pid, b.beat, q.queue ->> 'name' as name, coalesce((q.queue ->> 'live')::boolean, false) as live,
       coalesce(q.queue ->> 'uncertain', q.queue ->> 'problem') as problem, (q.queue ->> 'last_event')::bigint as last_event
  from role_health b
  left join lateral (select x as queue from jsonb_array_elements(b.facts -> 'queues') x where x ->> 'name' = $1 limit 1) q on true
 where b.role = 'observe' order by b.beat desc limit 100;

-- name: observer_login
-- Whether the database lets the observer's login in, and its connections.
select sessions, may_connect from observer_login();

-- name: differences
-- What differed of sets and of their outcome destinations, as reconciling found it.
select f.kind, f.detail, case when f.kind = 'missing-resource' then f.resource else f.detail ->> 'set_name' end as configuration_set,
       (extract(epoch from f.since) * 1000)::bigint as since, (extract(epoch from f.ended_at) * 1000)::bigint as ended
  from finding f
 where (f.kind in ('missing-destination', 'destination-disabled', 'destination-redirected', 'destination-events')
            and f.detail ->> 'destination' = 'outcome'
        or f.kind = 'missing-resource' and f.resource_kind = 'configuration-set')
   and (f.ended_at is null or f.ended_at > now() - make_interval(mins => $1))
 order by f.id limit 1000;

-- name: seen_calls
-- By set, the latest call whose Send event arrived, within the window.
select configuration_set, called_at from send_seen where called_at >= $1::bigint;

-- name: losses
-- Those that last, and the newest of those that ended within a day.
select id, signal, configuration_set, provider, since, until, cause, coalesce((evidence ->> 'last')::bigint, since) as last
  from feedback_loss where ended_at is null or ended_at > now_ms() - 86400000
 order by ended_at is not null, id desc limit 2000;

-- name: raise_loss
-- A new loss; nothing if one of the same mail lasts.
insert into feedback_loss (signal, configuration_set, provider, since, until, raised_at, ended_at, cause, because, late, evidence,
                           missing, counted_at)
values ($1, $2, $3, $4, $5, $6, case when $5::bigint is not null then $6::bigint end, $7, $8, $9, $10::jsonb, $11, $6)
on conflict (signal, coalesce(configuration_set, ''), coalesce(provider, -1)) where ended_at is null do nothing
returning id;

-- name: change_loss
-- What is now known of a loss that lasts; null: as before. $6: it is over.
update feedback_loss
   set cause = coalesce($2, cause), because = coalesce($3, because), late = coalesce($4, late),
       evidence = evidence || coalesce($5::jsonb, '{}'), until = $6, ended_at = case when $6::bigint is not null then $7::bigint end,
       missing = coalesce($8, missing), counted_at = $7
 where id = $1 and ended_at is null;

-- name: recount
-- How many Send events are missing of the mail of losses that are over: late ones may have come.
update feedback_loss x
   set missing = (
        select coalesce(sum(greatest(0, m.sent - m.seen)), 0)
          from (select sum(coalesce(c.sent, 0)) as sent, sum(coalesce(c.send_events, 0)) as seen
                  from cohort_minute c join slice s on s.id = c.slice
                 where c.minute >= x.since / 60000 and c.minute < x.until / 60000
                   and (x.configuration_set is null or s.lane in (
                            select r.lane from route r where r.configuration_set = x.configuration_set
                            union all
                            select b.lane from route_before b where b.configuration_set = x.configuration_set and b.until >= x.since)
                        and set_at(s.lane, s.path, c.minute) = x.configuration_set)
                 group by c.minute, s.lane, s.path) m),
       counted_at = $2
 where x.id = any ($1::bigint[]) and x.signal = 'send' and x.until is not null;
