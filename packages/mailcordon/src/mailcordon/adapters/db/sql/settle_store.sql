-- Settling unknown outcomes and moving what waited.

-- name: lock_if_anything_waits
-- Usually nothing waits, and then no lock is taken. False as well if another dispatcher holds the lock.
select case when exists (select from waiting) then pg_try_advisory_lock($1, 0) else false end;

-- name: settle_by_send_event
-- The Send event that carries our attempt's tag proves that SES took it.
with p as (
    select w.lane, w.id, w.attempt, s.ses_id from waiting w join send_event s on s.delivery = w.id and s.attempt = w.attempt
     where w.why = 2 order by w.lane, w.id limit $1
), d as (
    delete from waiting w using p where w.lane = p.lane and w.id = p.id and w.why = 2 and w.attempt = p.attempt
    returning w.lane, w.id, w.tenant, w.attempt, w.provider, w.called_at, p.ses_id
), g as (
    insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at, reason, detail)
    select id, tenant, lane, 20, attempt, provider, ses_id, called_at, now_ms(), 'sent', {{proved_sent}} from d
), n as (
    insert into note (id, tenant, at, what, attempt, detail)
    select id, tenant, now_ms(), 'proved-sent', attempt, {{send_event_arrived}} from d
), f as (
    insert into lane_finished as z (lane, node, deliveries, bytes)
    select d.lane, 0, count(*), sum((select bytes from message where message.id = (d.id & -64))) from d group by d.lane order by d.lane
    on conflict (lane, node) do update set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes
)
select lane, id from d;

-- name: settle_by_absence
-- Absence is proved if the same configuration set has shown the Send event of a call made at least the lane's grace period later.
with p as (
    select w.lane, w.id, w.attempt, l.resend, l.turn, s.called_at as seen
      from waiting w join lane l on l.id = w.lane
      join route r on r.lane = w.lane and r.path = (select path from message where message.id = (w.id & -64))
      join send_seen s on s.configuration_set = r.configuration_set
     where w.why = 2 and s.called_at >= w.called_at + l.grace_ms
       and not exists (select from send_event e where e.delivery = w.id and e.attempt = w.attempt)
       and w.id >= ((now_ms() - l.expiry_ms - 1767225600000) << 22)
     order by w.lane, w.id limit $1
), d as (
    delete from waiting w using p where w.lane = p.lane and w.id = p.id and w.why = 2 and w.attempt = p.attempt
    returning w.*, p.resend, p.turn, p.seen
), q as (
    insert into ready (lane, id, tenant, attempt, provider, hash, campaign, list)
    select lane, id, tenant, attempt, provider, hash, campaign, list from d where resend
), g as (
    insert into ledger (id, tenant, lane, state, attempt, provider, called_at, at, reason, detail)
    select id, tenant, lane, 13, attempt, provider, called_at, now_ms(), 'given-up',
           {{given_up}} from d where not resend
), n as (
    insert into note (id, tenant, at, what, attempt, detail)
    select id, tenant, now_ms(), case when resend then 'resend' else 'given-up' end, attempt,
           format({{proved_absent %s}}, (seen - called_at) / 1000) from d
), f as (
    insert into lane_finished as z (lane, node, deliveries, bytes)
    select d.lane, 0, count(*), sum((select bytes from message where message.id = (d.id & -64))) from d where not resend group by d.lane order by d.lane
    on conflict (lane, node) do update set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes
)
select lane, id, turn, resend from d;

-- name: canary_needs
-- Unknown outcomes past their grace period whose configuration set has shown nothing since: only a canary can settle them.
select distinct on (r.configuration_set) r.configuration_set, w.lane, w.id, w.tenant, w.attempt, w.called_at
  from waiting w join lane l on l.id = w.lane
  join route r on r.lane = w.lane and r.path = (select path from message where message.id = (w.id & -64))
 where w.why = 2 and now_ms() >= w.called_at + l.grace_ms
   and coalesce((select s.called_at from send_seen s where s.configuration_set = r.configuration_set), 0) < w.called_at + l.grace_ms
 order by r.configuration_set, w.called_at desc;

-- name: expire_waiting
-- Ends what waited past its expiry. An unknown outcome ends as "no outcome reported", and raises an alarm. Goes lane by lane,
-- from the head of each: a million deferred mails cost no more to check than one.
with recursive lanes as (
    (select w.lane from waiting w order by w.lane limit 1)
    union all
    select (select w.lane from waiting w where w.lane > s.lane order by w.lane limit 1) from lanes s where s.lane is not null
), p as (
    select x.lane, x.id from lanes s join lane l on l.id = s.lane
     cross join lateral (select w.lane, w.id from waiting w
                          where w.lane = s.lane and w.id < ((now_ms() - l.expiry_ms - 1767225600000) << 22) order by w.id limit $1) x
     order by x.lane, x.id limit $1
), d as (
    delete from waiting w using p where w.lane = p.lane and w.id = p.id returning w.*
), g as (
    insert into ledger (id, tenant, lane, state, attempt, provider, called_at, at, reason, detail)
    select id, tenant, lane, case when why = 2 then 28 else 11 end, attempt, provider, called_at, now_ms(),
           case when why = 2 then 'no-outcome' else 'expired' end,
           case when why = 2 then {{no_outcome_reported}}
                else format({{expired_while_waiting %s}}, reason) end from d
), f as (
    insert into lane_finished as z (lane, node, deliveries, bytes)
    select d.lane, 0, count(*), sum((select bytes from message where message.id = (d.id & -64))) from d group by d.lane order by d.lane
    on conflict (lane, node) do update set deliveries = z.deliveries + excluded.deliveries, bytes = z.bytes + excluded.bytes
)
select lane, id, why from d;

-- name: due_waiting
-- Retries that are due, and mail deferred by a hold that has ended.
with recursive holds as (
    (select w.hold from waiting w where w.hold is not null order by w.hold limit 1)
    union all
    select (select w.hold from waiting w where w.hold > s.hold order by w.hold limit 1) from holds s where s.hold is not null
), p as (
    select w.lane, w.id from waiting w where w.why in (1, 4, 5) and w.until <= now_ms() order by w.why, w.until limit $1
), o as (
    select x.lane, x.id from holds s join hold h on h.id = s.hold and (h.lifted_at is not null or h.until <= now_ms())
     cross join lateral (select w.lane, w.id from waiting w where w.hold = s.hold limit $1) x limit $1
), d as (
    delete from waiting w using (select * from p union select * from o) x where w.lane = x.lane and w.id = x.id and w.why <> 2
    returning w.*
), q as (
    insert into ready (lane, id, tenant, attempt, provider, hash, campaign, list)
    select lane, id, tenant, attempt, provider, hash, campaign, list from d
)
select distinct l.turn from d join lane l on l.id = d.lane order by 1;
