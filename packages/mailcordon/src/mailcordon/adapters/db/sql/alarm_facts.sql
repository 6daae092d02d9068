-- Facts of the status that are read every few seconds for the alarms: each is cheap while nothing is wrong, and none reads all lanes.

-- name: index_plans
-- The queue's tables are empty one minute and full the next: statements on them must not be planned by their size (docs/decisions/003).
select set_config(name, 'off', true) from unnest(array['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin', 'enable_bitmapscan']) name;

-- name: late_lanes
-- Lanes whose first mail has waited longer than $1 ms by class, apart from mail that a hold keeps; the longest wait first, at most 200.
-- The lanes with mail are found one after another in the key of `ready`, so a lane without mail costs nothing.
with recursive busy as (
    (select lane from ready order by lane limit 1)
    union all
    select (select r.lane from ready r where r.lane > b.lane order by r.lane limit 1) from busy b where b.lane is not null
), head as (
    select l.id as lane, greatest(ms_of((select r.id from ready r where r.lane = l.id order by r.id limit 1)), l.released_at) as since
      from busy b join lane l on l.id = b.lane and not l.held
), retry as (
    select w.lane, greatest(ms_of(w.id), l.released_at) as since
      from (select lane, id from waiting where why = 1 order by until limit 1000) w
      join lane l on l.id = w.lane and not l.held
), late as (
    select x.lane, min(x.since) as since from (select * from head union all select * from retry) x
      join lane l on l.id = x.lane where (select now_ms()) - x.since > ($1::bigint[])[l.class + 1]
     group by x.lane order by min(x.since) limit 200
)
select l.class, e.slug as tenant, t.name as type, x.since, x.lane, r.domain, r.configuration_set, r.ses_tenant
  from late x join lane l on l.id = x.lane join tenant e on e.id = l.tenant join message_type t on t.id = l.type
  left join lateral (select o.* from route o where o.lane = l.id order by o.share desc limit 1) r on true
 order by x.since;

-- name: past_stops
-- Stops that ended in the last $1 ms: mail may still wait because of them.
select s.*, e.slug, t.name as type_name
  from stop s left join tenant e on e.id = s.tenant
  left join lane l on l.id = s.lane left join message_type t on t.id = l.type
 where s.ended_at > now_ms() - $1::bigint order by s.ended_at desc limit 200;

-- name: stopped_releases
-- Releases that bad feedback has closed, or of which no outcomes come for $1 ms, while mail waits for them; the oldest first. Those that
-- an alarm or the breaker closes have its alarm.
select r.id, e.slug as tenant, t.name as type, r.lane, r.kind, r.name, r.phase = 'closed' as closed, r.because, r.sent, r.heard, l.expiry_ms,
       greatest(r.opened_at, r.left_at) as since
  from release r join lane l on l.id = r.lane join tenant e on e.id = r.tenant join message_type t on t.id = l.type
  join send_limit s on s.tenant = r.tenant and s.owner = 'release' and s.lane = r.lane and s.scope = r.kind and s.mode = 'enforce'
       and s.campaign is not distinct from case r.kind when 'campaign' then r.name end
       and s.list is not distinct from case r.kind when 'list' then r.name end
 where r.ended_at is null and (r.phase = 'closed' and r.why <> 'warned'
                               or r.phase = 'steps' and r.why = 'silence' and greatest(r.opened_at, r.left_at) < now_ms() - $1::bigint)
   and exists (select from waiting w where w.send_limit = s.id)
 order by since limit 100;

-- name: urgent_over_limits
-- Urgent mail that waits for a limit of its lane or of its class. What waits for the limit of one address is left out: it is a loop.
with recursive ids as (
    (select w.send_limit as id from waiting w where w.send_limit is not null order by w.send_limit limit 1)
    union all
    select (select w.send_limit from waiting w where w.send_limit > s.id order by w.send_limit limit 1) from ids s where s.id is not null
)
select s.id as "limit", e.slug as tenant, t.name as type, l.id as lane, s.because, l.expiry_ms, f.since
  from ids i join send_limit s on s.id = i.id and s.scope not in ('recipient', 'repeat') and s.mode = 'enforce'
 cross join lateral (select w.lane, w.since from waiting w where w.send_limit = s.id order by w.id limit 1) f
  join lane l on l.id = f.lane and l.class = 0 and (s.lane is not null or s.class = 0)
  join tenant e on e.id = l.tenant join message_type t on t.id = l.type
 order by f.since limit 100;

-- name: ses_findings
-- What SES finds wrong, as it was read last. Of a tenant whose lanes are all held, stopped or retired no mail leaves meanwhile.
select f.id, e.slug as tenant, f.name, f.type, f.impact, f.description, f.since,
       f.tenant is not null and not exists (
           select from lane l where l.tenant = f.tenant and not l.held and not l.stopped and l.retired_at is null) as quiet
  from ses_finding f left join tenant e on e.id = f.tenant
 where f.ended_at is null order by f.id limit 200;

-- name: doubtful
-- Events of the last $1 ms in quarantine, by kind and sender. Mail that did not pass through us has incidents of its own.
select q.why, e.slug as tenant, q.source, sum(q.copies)::bigint as documents,
       (extract(epoch from min(q.first_received_at)) * 1000)::bigint as since,
       (array_agg(q.detail order by q.last_received_at desc))[1] as detail
  from quarantine q left join tenant e on e.id = q.tenant
 where q.last_received_at > to_timestamp((now_ms() - $1::bigint) / 1000.0) and q.resolved_at is null and q.why <> 'ungoverned'
 group by q.why, e.slug, q.source order by min(q.first_received_at) limit 100;

-- name: full_lanes
-- Lanes that refused mail in the last $1 ms since their backlog is full, as the API processes report it, and still would.
select x.lane, e.slug as tenant, t.name as type, max(x.sentence) as sentence, sum(x.refused)::bigint as refused, min(x.since) as since,
       l.held, max(r.domain) as domain, max(r.configuration_set) as configuration_set, max(r.ses_tenant) as ses_tenant
  from role_health h
 cross join lateral jsonb_to_recordset(coalesce(h.facts -> 'full', '[]')) x (lane int, sentence text, refused bigint, since bigint, last bigint)
  join lane l on l.id = x.lane join tenant e on e.id = l.tenant join message_type t on t.id = l.type
  left join lateral (select o.* from route o where o.lane = l.id order by o.share desc limit 1) r on true
 where h.role = 'api' and x.last > now_ms() - $1::bigint
   and ((select coalesce(sum(i.deliveries), 0) from lane_intake i where i.lane = l.id)
          - (select coalesce(sum(f.deliveries), 0) from lane_finished f where f.lane = l.id) >= l.backlog_deliveries
     or (select coalesce(sum(i.bytes), 0) from lane_intake i where i.lane = l.id)
          - (select coalesce(sum(f.bytes), 0) from lane_finished f where f.lane = l.id) >= l.backlog_bytes
     or now_ms() - ms_of((select q.id from ready q where q.lane = l.id order by q.id limit 1)) >= l.backlog_age_ms)
 group by x.lane, e.slug, t.name, l.held order by min(x.since) limit 100;

-- name: back_rollouts
-- Rollouts that went back by themselves and rest since; the oldest first. The gate that led back stands first in its step.
select r.id, e.slug as tenant, x.types, x.lanes, x.domains, x.sets, s.sentence, r.since,
       case when s.gates -> 0 ->> 'verdict' = 'back' then (s.gates -> 0 ->> 'lane')::int end as at_fault,
       case when s.gates -> 0 ->> 'verdict' = 'back' then (s.gates -> 0 ->> 'provider')::smallint end as provider,
       exists (select from rollout_lane m where m.rollout = r.id and m.move_after is not null) as moving
  from rollout r join tenant e on e.id = r.tenant
 cross join lateral (select y.sentence, y.gates, y.by from rollout_step y where y.rollout = r.id and y.what = 'back' order by y.id desc limit 1) s
 cross join lateral (
       select array_agg(t.name order by l.lane) as types, array_agg(l.lane order by l.lane) as lanes,
              array_agg(distinct o.domain) as domains, array_agg(distinct o.configuration_set) as sets
         from rollout_lane l join lane n on n.id = l.lane join message_type t on t.id = n.type
         join route o on o.lane = l.lane and o.path = 'isolated' where l.rollout = r.id) x
 where r.ended_at is null and r.state = 'back' and s.by = 'rollout' and x.types is not null order by r.since limit 100;

-- name: pool_troubles
-- What is wrong with IP pools, as the control role has judged it within the last minutes.
select pool, code, provider, sentence, next, since from ip_pool_trouble order by pool, code, provider limit 200;
