-- Reading and cancelling messages.

-- name: message
-- A message with its tenant and type, and the mailbox providers that its recipients' domains were learnt to have then.
select m.*, t.slug, ty.name as type, ty.class, l.expiry_ms, providers_at(m.recipients, m.id) as learnt from message m join tenant t on t.id = m.tenant
  join lane l on l.id = m.lane join message_type ty on ty.id = l.type
 where m.id = $1;

-- name: deliveries
-- One snapshot of everything that is known of a message's deliveries: each is in the queue or in the ledger, and may have an
-- outcome.
select 'ready' as source, r.id, case r.state when 1 then 2 else 1 end::smallint as state, r.attempt, r.provider, null::text as ses_id,
       r.called_at, null::bigint as at, null::text as reason, null::text as detail, l.held, r.campaign, r.list, null::bigint[] as behind
  from ready r join lane l on l.id = r.lane where r.lane = $2 and r.id > $1 and r.id <= $1 + 50
union all
select 'waiting', w.id, case w.why when 2 then 5 when 3 then 4 when 6 then 4 else 3 end::smallint, w.attempt, w.provider, null, w.called_at, w.since,
       w.code, w.reason, l.held, w.campaign, w.list, case when w.code = 'recipient-limit' then waits_behind(w.send_limit, w.hash, w.id, w.until) end
  from waiting w join lane l on l.id = w.lane where w.lane = $2 and w.id > $1 and w.id <= $1 + 50
union all
select 'ledger', g.id, g.state, g.attempt, g.provider, g.ses_id, g.called_at, g.at, g.reason, g.detail, false, null, null, null
  from ledger g where g.id > $1 and g.id <= $1 + 50
union all
select 'outcome', o.id, o.state, o.attempt, 0::smallint, o.ses_id, null, o.at, o.reason, o.detail, false, null, null, null
  from outcome o where o.id > $1 and o.id <= $1 + 50;

-- name: history
-- Notes and SES events of a message's deliveries, oldest first. Limited, since opens and clicks are not.
select n.id as delivery, n.at, n.what, n.detail, n.attempt, null::text as bounce_reason, null::text as follows from note n where n.id > $1 and n.id <= $1 + 50
union all
select e.delivery, e.at, 'event:' || e.kind, coalesce(e.detail ->> 'text', e.detail ->> 'reason', ''), e.attempt,
       e.detail ->> 'bounce_reason', e.detail ->> 'follows'
  from event e where e.delivery > $1 and e.delivery <= $1 + 50
union all
select o.id, o.send_at, 'event:0', '', 1::smallint, null, null from outcome o where o.id > $1 and o.id <= $1 + 50 and o.send_at is not null
order by 1, 2 limit 2000;

-- name: events
-- What SES reported of a message's deliveries, as it is stored. What is larger than $2 is left out. Most Send events are a part of the
-- outcome, without the time of their arrival.
select e.delivery, e.kind, e.attempt, e.at, (extract(epoch from e.received_at) * 1000)::bigint as received_at, e.ses_id,
       octet_length(e.detail::text) as size, case when octet_length(e.detail::text) <= $2 then e.detail end as detail
  from event e where e.delivery > $1 and e.delivery <= $1 + 50
union all
select o.id, 0::smallint, 1::smallint, o.send_at, o.send_at, o.ses_id, 2, '{}'::jsonb
  from outcome o where o.id > $1 and o.id <= $1 + 50 and o.send_at is not null
 order by 1, 4, 2 limit $3;

-- name: holds_since
-- Holds that stopped mail of each lane after a time, lifted ones too: what a delivery's timeline says of them is read from them.
-- The newest, which are the open ones too.
select u.lane as of_lane, newest.*
  from (select l.id as lane, l.tenant, l.class, s.since from unnest($1::int[], $2::bigint[]) s (lane, since) join lane l on l.id = s.lane) u
 cross join lateral (
    (select h.* from hold h where h.tenant = u.tenant and h.lifted_at is null and h.stops and hold_covers(h, u.tenant, u.class, u.lane))
    union all
    (select h.* from hold h
      where h.tenant = u.tenant and h.lifted_at > u.since and h.stops and hold_covers(h, u.tenant, u.class, u.lane)
      order by h.lifted_at desc limit 100)
     order by lifted_at desc nulls first, id desc limit 100
) newest order by newest.since, newest.id;

-- name: stops_since
-- Stops that kept mail of each lane from leaving after a time, ended ones too, and from when to when. As of the route that the
-- lane has now. A dispatcher's own stop kept mail only while no other dispatcher could call SES. The newest, as for holds.
select u.lane as of_lane, newest.*
  from unnest($1::int[], $2::bigint[]) u (lane, since)
 cross join lateral (
    select s.*, s.since as kept_from, s.ended_at as kept_until, path_under(s, u.lane) as path from stops_on(u.lane, u.since) s
     where s.scope <> 'worker'
    union all
    select s.*, lower(t.kept), upper(t.kept), null
      from stop s cross join lateral unnest(no_way_out(u.since) * int8multirange(stop_time(s))) t (kept)
     where s.scope = 'worker' and (s.ended_at is null or s.ended_at > u.since)
     order by kept_until desc nulls first, id desc limit 100
) newest order by kept_from, id;

-- name: without_dispatcher
-- When no dispatcher ran after this time, for as long as it takes to notice. The newest.
select lower(t.gone) as kept_from, upper(t.gone) as kept_until
  from unnest(no_way_out($1) - coalesce((
           select range_agg(stop_time(s)) from stop s
            where s.scope = 'worker' and (s.ended_at is null or s.ended_at > $1)), '{}')) t (gone)
 where coalesce(upper(t.gone), now_ms()) - lower(t.gone) >= 10000
 order by 1 desc limit 100;

-- name: newest_to
-- The newest deliveries to an address.
select id from recipient where tenant = $1 and hash = $2 order by id desc limit $3;

-- name: messages_of
-- The messages of some deliveries, newest first.
select d.id as delivery, m.*, t.slug, ty.name as type, ty.class, l.expiry_ms, providers_at(m.recipients, m.id) as learnt
  from unnest($1::bigint[]) d (id)
 cross join lateral (select * from message where id = d.id & -64 limit 1) m
  join tenant t on t.id = m.tenant join lane l on l.id = m.lane join message_type ty on ty.id = l.type
 order by d.id desc;

-- name: states
-- What is known of each of these deliveries, as in `deliveries`. Each row is looked up by its key, whatever the planner believes
-- of the sizes of tables: so `limit`.
with d as (select * from unnest($1::bigint[], $2::int[]) d (id, lane))
select 'ready' as source, r.id, case r.state when 1 then 2 else 1 end::smallint as state, r.attempt, r.provider, null::text as ses_id,
       r.called_at, null::bigint as at, null::text as reason, null::text as detail, l.held
  from d cross join lateral (select * from ready r where r.lane = d.lane and r.id = d.id limit 1) r join lane l on l.id = r.lane
union all
select 'waiting', w.id, case w.why when 2 then 5 when 3 then 4 when 6 then 4 else 3 end::smallint, w.attempt, w.provider, null, w.called_at, w.since,
       w.code, w.reason, l.held
  from d cross join lateral (select * from waiting w where w.lane = d.lane and w.id = d.id limit 1) w join lane l on l.id = w.lane
union all
select 'ledger', g.id, g.state, g.attempt, g.provider, g.ses_id, g.called_at, g.at, g.reason, g.detail, false
  from d cross join lateral (select * from ledger g where g.id = d.id limit 1) g
union all
select 'outcome', o.id, o.state, o.attempt, 0::smallint, o.ses_id, null, o.at, o.reason, o.detail, false
  from d cross join lateral (select * from outcome o where o.id = d.id limit 1) o;

-- name: suppressions_of
-- Every suppression of an address for a tenant, widest first, expired ones included.
select s.tenant, s.hash, s.address, s.scope, s.target, s.cause, s.evidence, s.since, s.until, s.by, s.removing_since, s.removal_waits,
       ty.name as type
  from suppression s
  left join lane l on s.scope = 2 and l.id = s.target
  left join message_type ty on ty.id = l.type
 where s.tenant = $1 and s.hash = $2 order by s.scope, s.target;

-- name: cancel_message
-- Cancels what has not left: ready rows that no worker has claimed, and waiting rows whose outcome is not unknown.
select f.id
  from (select array_agg(q.lane) as lanes, array_agg(q.id) as ids, array_agg(12::smallint) as states,
               array_agg('cancelled'::text) as reasons, array_agg($3::text) as details
          from (select lane, id from ready where lane = $2 and id > $1 and id <= $1 + 50
                union all
                select lane, id from waiting where lane = $2 and id > $1 and id <= $1 + 50) q) c
 cross join lateral queue_finish(c.lanes, c.ids, null, 1 | 4, c.states, null, null, c.reasons, c.details, 0) f
 order by f.id;
