-- What the breaker's loop reads and writes (observe/breaker/loop.py), as the control role.

-- name: followed
-- How far whoever led before has read the feed.
select fold from breaker_follow;

-- name: standings
-- Where lanes and their parts stand.
select document from breaker_standing order by lane, part, signal;

-- name: open_decisions
-- The decisions that last.
select id, tenant, lane, part, signal, half, level, mode, at, since, seen, done, waiting, rate, document, sharers, hold
  from breaker_decision where ended_at is null order by id;

-- name: limited
-- Tenants with limits of the breaker.
select distinct s.tenant from send_limit s where s.owner = 'guard';

-- name: lanes_to_load
-- Lanes whose counts have changed since a fold, that had bounces or complaints since a minute (the first of a day), or whose first mail
-- is younger than $3 (minutes since 1970): pools of new senders are counted whole.
select distinct s.lane from cohort_feed f join slice s on s.id = f.slice where f.fold > $1
union
select c.lane from cohort_lane c where c.span = 1440 and c.minute >= $2 and (c.hard_bounced > 0 or c.complained > 0)
union
select s.lane from slice s group by s.lane having min(s.first_minute) > $3;

-- name: fold
-- The newest fold, and whether the feed of changes still has all after the one that was seen.
select f.fold, now_ms() as now,
       $1::bigint is not null and $1 <= f.fold
           and coalesce((select min(x.fold) from cohort_feed x), f.fold + 1) <= $1 + 1 as continues
  from cohort_fold f;

-- name: changes
-- What a round reads, in one snapshot: as `fold`; the changes of counts in the folds since the one that was seen; of the lanes and
-- minutes of hard bounces outside the named providers, these by the recipient's domain; open decisions that a person has accepted
-- as normal; their holds that somebody else has lifted; those whose mail a person wants to be tried at once.
with f as materialized (
    select f.fold, $1::bigint is not null and $1 <= f.fold
                   and coalesce((select min(x.fold) from cohort_feed x), f.fold + 1) <= $1 + 1 as continues
      from cohort_fold f
), c as materialized (
    select x.fold, x.minute, s.lane, s.campaign, s.list, x.provider, x.counts[1] as sent, x.counts[3] as delivered,
           x.counts[4] as hard_bounces, x.counts[6] as complaints, x.counts[17] + x.counts[19] + x.counts[21] as blocks,
           x.counts[7] as delays, x.counts[10] as opens, x.slice
      from cohort_feed x
     cross join lateral (select y.lane, y.campaign, y.list from slice y where y.id = x.slice limit 1) s
     where (select f.continues from f) and x.fold > $1 and x.fold <= (select f.fold from f)
       and (x.counts[1] <> 0 or x.counts[3] <> 0 or x.counts[4] <> 0 or x.counts[6] <> 0 or x.counts[7] <> 0 or x.counts[10] <> 0
            or x.counts[17] + x.counts[19] + x.counts[21] <> 0)
)
select f.fold, now_ms() as now, f.continues,
       (select json_agg(json_build_array(c.fold, c.minute, c.lane, c.campaign, c.list, c.provider, c.sent, c.delivered, c.hard_bounces,
                                         c.complaints, c.blocks, c.delays, c.opens)
                        order by c.fold, c.minute, c.slice, c.provider) from c) as deltas,
       (select json_agg(json_build_array(d.minute, d.lane, d.domain, d.hard_bounced))
          from (select distinct c.minute, c.lane from c where c.hard_bounces <> 0 and c.provider <= 0) k
         cross join lateral (select x.* from cohort_bounce_domain x where x.minute = k.minute and x.lane = k.lane) d) as domains,
       (select json_agg(json_build_object('decision', b.id, 'by', b.accepted_by, 'because', b.accepted_because))
          from breaker_decision b where b.ended_at is null and b.accepted_at is not null) as accepted,
       (select json_agg(json_build_object('decision', b.id, 'by', coalesce(h.lifted_by, '?'), 'because', coalesce(h.lifted_because, '')))
          from breaker_decision b join hold h on h.id = b.hold
         where b.ended_at is null and h.lifted_at is not null and h.lifted_by <> 'breaker') as lifted,
       (select json_agg(json_build_object('decision', b.id, 'at', b.tried_at))
          from breaker_decision b where b.ended_at is null and b.tried_at is not null) as tried
  from f;

-- name: history_domains
-- Hard bounces outside the named providers by the recipient's domain, of these lanes since a minute.
select d.minute, d.lane, d.domain, d.hard_bounced from cohort_bounce_domain d where d.minute >= $2 and d.lane = any ($1::int[]);

-- name: history
-- All counts of these lanes since a minute: by hour until $3 (a whole hour), by minute after it.
select s.lane, s.campaign, s.list, h.hour * 60 as minute, h.provider, coalesce(h.sent, 0) as sent, coalesce(h.delivered, 0) as delivered,
       coalesce(h.hard_bounced, 0) as hard_bounces, coalesce(h.complained, 0) as complaints,
       coalesce(h.sender_reputation, 0) + coalesce(h.content, 0) + coalesce(h.policy, 0) as blocks,
       coalesce(h.delayed, 0) as delays, coalesce(h.opened, 0) as opens
  from slice s
 cross join lateral (select min(x.first_minute) as first, max(x.last_minute) as last from cohort_slice x where x.slice = s.id) b
 cross join lateral generate_series(greatest(b.first, $2::int) / 60, least(b.last, $3::int - 1) / 60) g (hour)
 cross join lateral (select x.* from cohort_hour x where x.hour = g.hour and x.slice = s.id) h
 where s.lane = any ($1::int[])
union all
select s.lane, s.campaign, s.list, m.minute, m.provider, coalesce(m.sent, 0), coalesce(m.delivered, 0),
       coalesce(m.hard_bounced, 0), coalesce(m.complained, 0),
       coalesce(m.sender_reputation, 0) + coalesce(m.content, 0) + coalesce(m.policy, 0),
       coalesce(m.delayed, 0), coalesce(m.opened, 0)
  from slice s
 cross join lateral (select min(x.first_minute) as first, max(x.last_minute) as last from cohort_slice x where x.slice = s.id) b
 cross join lateral generate_series(greatest(b.first, $3::int), b.last) g (minute)
 cross join lateral (select x.* from cohort_minute x where x.minute = g.minute and x.slice = s.id) m
 where s.lane = any ($1::int[])
 order by minute, lane, campaign, list, provider;

-- name: lanes
-- Facts of lanes. None passes mail through us of those that are only observed, so nothing could hold it.
select l.id as lane, l.tenant, t.slug, y.name as type, l.class, p.document, f.sign_up_source, f.payment, f.owner_group,
       (select min(s.first_minute) from slice s where s.lane = l.id) as first_minute,
       array(select distinct r.domain from route r where r.lane = l.id) as domains,
       exists (select from ses_finding f where f.tenant = l.tenant and f.ended_at is null and f.impact = 'HIGH') as doubted
  from lane l join tenant t on t.id = l.tenant and t.retired_at is null join message_type y on y.id = l.type
  left join lane_policy p on p.lane = l.id
  left join tenant_fact f on f.tenant = l.tenant
 where l.id = any ($1::int[]) and not l.observed and l.retired_at is null;

-- name: findings
-- SES's own open findings about the tenant of a lane.
select f.type, f.impact from ses_finding f where f.tenant = $1 and f.ended_at is null order by f.impact, f.type limit 5;

-- name: open_holds
-- The breaker's open holds, with the decision that each carries out.
select h.*, (h.evidence ->> 'decision')::bigint as decision, h.evidence ->> 'does' as does
  from hold h where h.owner = 'breaker' and h.lifted_at is null order by h.id;

-- name: flow
-- The mail of a lane in the busiest ten minutes of the last day.
select coalesce(max(x.sent), 0)::int
  from (select sum(c.sent) as sent
          from generate_series((now_ms() / 60000 - 1440)::int / 10 * 10, (now_ms() / 60000)::int, 10) b (minute)
         cross join (values (true), (false)) i (isolated)
         cross join lateral (select c.sent from cohort_lane c
                              where c.span = 10 and c.minute = b.minute and c.lane = $1 and c.isolated = i.isolated limit 1) c
         group by b.minute) x;

-- name: sharers
-- Others who share the domain of a lane, or its pool at SES. Their mail is not held; what the lane does to the reputation is.
(select distinct t.slug as tenant, y.name as type, 'domain' as shares
   from route r join route o on o.identity = r.identity and o.lane <> r.lane
   join lane l on l.id = o.lane and l.retired_at is null
   join tenant t on t.id = l.tenant join message_type y on y.id = l.type
  where r.lane = $1 order by 1, 2 limit 20)
union all
(select distinct t.slug, '', 'pool'
   from route r join route o on o.path <> 'isolated' and o.path = r.path and o.tenant <> r.tenant
   join lane l on l.id = o.lane and l.retired_at is null join tenant t on t.id = l.tenant
  where r.lane = $1 and r.path <> 'isolated' order by 1 limit 100);

-- name: add_decision
-- A decision. What a process decided twice, since it did not see that it was written, is one.
insert into breaker_decision (tenant, lane, part, signal, half, level, mode, at, since, seen, done, waiting, rate, document, sharers)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::jsonb, $15::jsonb)
returning id;

-- name: change_decision
-- What was done about an open one has changed.
update breaker_decision set mode = $2, done = $3, rate = $4, hold = $5, waiting = $6 where id = $1 and ended_at is null;

-- name: end_decision
-- It is over.
update breaker_decision set ended_at = now_ms(), ended_by = $2, ended_because = $3 where id = $1 and ended_at is null;

-- name: set_standing
-- Where a lane or a part of it stands.
insert into breaker_standing (lane, part, signal, document) values ($1, $2, $3, $4::jsonb)
on conflict (lane, part, signal) do update set document = excluded.document;

-- name: drop_standing
-- It is healthy again.
delete from breaker_standing where lane = $1 and part = $2 and signal = $3;

-- name: follow
-- How far the feed was read.
update breaker_follow set fold = $1 where fold < $1;

-- name: delays
-- How late feedback came.
select signal, provider, day, counts from breaker_delay;

-- name: keep_delays
-- How late the feedback of the mail of a day came.
insert into breaker_delay (signal, provider, day, counts) values ($1, $2, $3, $4)
on conflict (day, signal, provider) do update set counts = excluded.counts;

-- name: purge_delays
-- What is too old to be learned from.
delete from breaker_delay where day < now_ms() / 86400000 - $1::int;

-- name: set_arming
-- What the breaker may do to a lane.
insert into breaker_lane (lane, tenant, absolute, relative, proposed, lost_since, checks, judged_at)
select l.id, l.tenant, $2, $3, $4, $5, $6::jsonb, now_ms() from lane l where l.id = $1
on conflict (lane) do update set absolute = excluded.absolute, relative = excluded.relative, proposed = excluded.proposed,
    lost_since = excluded.lost_since, checks = excluded.checks, judged_at = excluded.judged_at;

-- name: account
-- What the account sent since a minute, and what came back of it, with AWS's word for its state.
select coalesce(sum(c.sent), 0)::bigint as sent, coalesce(sum(c.hard_bounced), 0)::bigint as hard_bounces,
       (coalesce(sum(c.sent), 0) - coalesce(sum(c.silent_sent), 0))::bigint as heard,
       (coalesce(sum(c.complained), 0) - coalesce(sum(c.silent_complained), 0))::bigint as complaints,
       (select min(a.enforcement) filter (where a.enforcement <> 'HEALTHY') from account_rate a) as enforcement
  from cohort_fleet c where c.span = 60 and c.minute >= $1;

-- name: account_lanes
-- The same by lane.
select c.lane, l.class, coalesce(sum(c.sent), 0)::bigint as sent, coalesce(sum(c.hard_bounced), 0)::bigint as hard_bounces,
       (coalesce(sum(c.sent), 0) - coalesce(sum(c.silent_sent), 0))::bigint as heard,
       (coalesce(sum(c.complained), 0) - coalesce(sum(c.silent_complained), 0))::bigint as complaints
  from cohort_lane c join lane l on l.id = c.lane and not l.observed and l.retired_at is null
 where c.span = 60 and c.minute >= $1
 group by c.lane, l.class;

-- name: sent_by_hour
-- Mails by hour from an hour ($2, since 1970) on, of those of these lanes that sent more than $3 today and yesterday. Beside it the
-- largest day of eight weeks without the newest two, and what the tenant announced, or what left in a day around the moment when a
-- person ended a decision about the lane's volume.
select k.lane, coalesce(h.hours, '{}') as hours, coalesce(h.mails, '{}') as mails, coalesce(d.largest, 0)::int as largest_day,
       greatest(coalesce(f.planned_per_day, 0), coalesce(a.mails, 0))::int as allowed
  from unnest($1::int[]) k (lane)
 cross join lateral (select (now_ms() / 86400000)::int * 1440 as today) n
 cross join lateral (select coalesce(sum(c.sent), 0) as sent
                       from (values (n.today), (n.today - 1440)) m (minute)
                      cross join (values (true), (false)) i (isolated)
                      cross join lateral (select x.sent from cohort_lane x
                                           where x.span = 1440 and x.minute = m.minute and x.lane = k.lane
                                             and x.isolated = i.isolated limit 1) c) r
 cross join lateral (select array_agg(g.hour) as hours, array_agg(g.sent) as mails
                       from (select m.hour, sum(c.sent)::int as sent
                               from generate_series($2::int, (now_ms() / 3600000)::int) m (hour)
                              cross join (values (true), (false)) i (isolated)
                              cross join lateral (select x.sent from cohort_lane x
                                                   where x.span = 60 and x.minute = m.hour * 60 and x.lane = k.lane
                                                     and x.isolated = i.isolated and x.sent > 0 limit 1) c
                              group by m.hour) g) h
 cross join lateral (select max(g.sent) as largest
                       from (select sum(c.sent) as sent
                               from generate_series(n.today - 56 * 1440, n.today - 2 * 1440, 1440) m (minute)
                              cross join (values (true), (false)) i (isolated)
                              cross join lateral (select x.sent from cohort_lane x
                                                   where x.span = 1440 and x.minute = m.minute and x.lane = k.lane
                                                     and x.isolated = i.isolated limit 1) c
                              group by m.minute) g) d
 cross join lateral (select max(g.sent) as mails
                       from (select sum(c.sent) as sent
                               from breaker_decision b
                              cross join generate_series(-1, 0) w (day)
                              cross join generate_series(0, 23) t (hour)
                              cross join (values (true), (false)) i (isolated)
                              cross join lateral (select x.sent from cohort_lane x
                                                   where x.span = 60 and x.lane = k.lane and x.isolated = i.isolated
                                                     and x.minute = (b.ended_at / 3600000 + 1 + w.day * 24 + t.hour)::int * 60 limit 1) c
                              where b.lane = k.lane and b.signal = 'volume' and b.ended_by <> 'breaker'
                                and b.ended_at > now_ms() - 1123200000
                              group by b.id, w.day) g) a
  join lane l on l.id = k.lane
  left join tenant_fact f on f.tenant = l.tenant
 where r.sent > $3;

-- name: spoken
-- Lanes about whose volume, or what they do to the account, a person has ended a decision since a time.
select distinct d.lane, d.signal from breaker_decision d
 where d.ended_at > $1 and d.ended_by <> 'breaker' and d.signal in ('volume', 'account');

-- name: purge
-- Decisions that ended before a time, and parts of what the breaker knew of lanes that are retired.
delete from breaker_decision where ended_at < $1;
