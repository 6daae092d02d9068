-- The breaker as people see it, and what they tell it (docs/breaker.md).

-- name: decisions
-- The newest first, or one of them ($2), of a tenant ($1) and type ($3), open ones or those that are over ($4), of an incident ($7).
select d.id, e.slug as tenant, t.name as type, d.part, d.signal, d.half, d.level, d.mode, d.at, d.since, d.seen, d.done, d.waiting,
       d.rate, d.hold, d.accepted_at, d.ended_at, d.ended_because, d.accepted_by, d.ended_by, d.document, d.sharers,
       (select a.incident from incident_alarm a where a.key = 'breaker:' || d.id order by a.incident desc limit 1) as incident
  from breaker_decision d join lane l on l.id = d.lane join tenant e on e.id = d.tenant join message_type t on t.id = l.type
 where ($1::int is null or d.tenant = $1) and ($2::bigint is null or d.id = $2) and ($3::text is null or t.name = $3)
   and ($4::boolean is null or $4 = (d.ended_at is null)) and ($5::bigint is null or d.id < $5)
   and ($7::bigint is null or 'breaker:' || d.id in (select a.key from incident_alarm a where a.incident = $7))
 order by d.id desc limit $6;

-- name: own_decisions
-- The same for the tenant that the transaction names, without what names others, such as the incident: of one ($7) it is shown none.
select d.id, e.slug as tenant, t.name as type, d.part, d.signal, d.half, d.level, d.mode, d.at, d.since, d.seen, d.done, d.waiting,
       d.rate, d.hold, d.accepted_at, d.ended_at, d.ended_because
  from breaker_decision d join lane l on l.id = d.lane join tenant e on e.id = d.tenant join message_type t on t.id = l.type
 where d.tenant = $1 and ($2::bigint is null or d.id = $2) and ($3::text is null or t.name = $3)
   and ($4::boolean is null or $4 = (d.ended_at is null)) and ($5::bigint is null or d.id < $5) and $7::bigint is null
 order by d.id desc limit $6;

-- name: lanes
-- What the breaker may do to lanes, by their ids from $3 on. `one_cause`: hard bounces of today that it leaves out, of domains with more
-- than $5.
select l.id as lane, e.slug as tenant, t.name as type, l.class, p.document, b.absolute, b.relative, coalesce(b.proposed, false) as proposed,
       b.lost_since, b.judged_at, b.wish, b.wish_at, b.wish_by, b.wish_because, coalesce(b.checks, '[]') as checks,
       (select count(*) from breaker_decision d where d.lane = l.id and d.ended_at is null) as open,
       coalesce(o.bounces, 0)::int as one_cause
  from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type
  left join breaker_lane b on b.lane = l.id left join lane_policy p on p.lane = l.id
  left join (select x.lane, sum(x.bounces - $5) as bounces
               from (select d.lane, sum(d.hard_bounced) as bounces from cohort_bounce_domain d
                      where d.minute >= (now_ms() / 86400000)::int * 1440
                        and d.lane in (select k.id from lane k where $1::int is null or k.tenant = $1)
                      group by d.lane, d.domain having sum(d.hard_bounced) > $5) x
              group by x.lane) o on o.lane = l.id
 where ($1::int is null or l.tenant = $1) and ($2::text is null or t.name = $2) and l.id > $3 and l.retired_at is null and not l.observed
 order by l.id limit $4;

-- name: own_lanes
-- The same for the tenant that the transaction names: who armed a lane and why is the platform's.
select l.id as lane, e.slug as tenant, t.name as type, l.class, p.document, b.absolute, b.relative, coalesce(b.proposed, false) as proposed,
       b.lost_since, b.judged_at, b.wish, b.wish_at, null::text as wish_by, null::text as wish_because, coalesce(b.checks, '[]') as checks,
       (select count(*) from breaker_decision d where d.lane = l.id and d.ended_at is null) as open
  from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type
  left join breaker_lane b on b.lane = l.id left join lane_policy p on p.lane = l.id
 where l.tenant = $1 and ($2::text is null or t.name = $2) and l.id > $3 and l.retired_at is null and not l.observed
 order by l.id limit $4;

-- name: lock_decision
-- One decision, until it is accepted.
select d.tenant, d.ended_at, d.ended_because, d.accepted_at, e.slug, t.name as type
  from breaker_decision d join tenant e on e.id = d.tenant join lane l on l.id = d.lane join message_type t on t.id = l.type
 where d.id = $1 for update of d;

-- name: accept
-- A person says that what it saw is normal. The loop reads it within a second.
update breaker_decision set accepted_at = now_ms(), accepted_by = $2, accepted_because = $3 where id = $1;

-- name: standing
-- What the breaker knows of the part that a decision is about.
select s.document from breaker_standing s join breaker_decision d on d.id = $1
 where s.lane = d.lane and s.part = d.part and s.signal = d.signal;

-- name: try_now
-- A person wants what it holds to be tried at once. The loop reads it within a second.
update breaker_decision set tried_at = now_ms(), tried_by = $2, tried_because = $3 where id = $1;

-- name: lock_lane
-- The lane of a type, and what was said of it before.
select l.id, b.wish from lane l join message_type t on t.id = l.type left join breaker_lane b on b.lane = l.id
 where l.tenant = $1 and t.name = $2 and l.retired_at is null and not l.observed for no key update of l;

-- name: wish
-- What a person said about a lane.
insert into breaker_lane (lane, tenant, wish, wish_at, wish_by, wish_because) values ($1, $2, $3, now_ms(), $4, $5)
on conflict (lane) do update set wish = excluded.wish, wish_at = excluded.wish_at, wish_by = excluded.wish_by,
    wish_because = excluded.wish_because;

-- name: alarms
-- The decisions that last, apart from lanes that are only counted, with their lanes and holds. `held_parts`: what anybody's holds stop
-- of the lane, as provider, campaign and list; three nulls are the whole lane.
select d.id, d.tenant, e.slug, d.lane, t.name as type, d.part, d.signal, d.half, d.level, d.mode, d.at, d.since, d.seen, d.done,
       d.document, d.sharers,
       h.id as hold, h.since as held_since, h.by as held_by, h.stops,
       (select coalesce(jsonb_agg(distinct jsonb_build_array(o.provider, o.campaign, o.list)), '[]') from hold o
         where o.tenant = d.tenant and o.lifted_at is null and o.stops and hold_covers(o, l.tenant, l.class, l.id)
           and (o.until is null or o.until > now_ms())) as held_parts
  from breaker_decision d join lane l on l.id = d.lane join tenant e on e.id = d.tenant join message_type t on t.id = l.type
  left join hold h on h.id = d.hold and h.lifted_at is null
 where d.ended_at is null and d.mode <> 'observe' order by d.id limit 10000;

-- name: lost
-- Lanes that are to enforce and may not.
select b.lane, b.tenant, e.slug, t.name as type, b.lost_since, b.checks
  from breaker_lane b join lane l on l.id = b.lane and l.retired_at is null join tenant e on e.id = b.tenant
  join message_type t on t.id = l.type
 where b.lost_since is not null order by b.lane limit 1000;
