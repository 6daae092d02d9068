-- Holds: one transaction locks the tenant's holds, then its lanes in id order, writes the hold, derives the lanes from the set of
-- open holds, wakes turns that may send again, and bumps the epoch that every dispatcher reads.

-- name: lock_tenant
-- Serialises all changes to one tenant's holds. Without it a lane that is being created could be derived from the set as it was
-- just before a tenant-wide hold, which in turn did not see the lane.
select pg_advisory_xact_lock(20552, $1);

-- name: tenant_slug
-- For the words of the audit trail.
select slug from tenant where id = $1;

-- name: lock_lanes
-- `for no key update` does not block accept's foreign keys.
select l.id, t.name as type, l.class
from lane l join message_type t on t.id = l.type
where l.tenant = $1 and l.retired_at is null and ($2::smallint is null or l.class = $2) and ($3::int is null or l.id = $3)
order by l.id
for no key update of l;

-- name: same_hold
-- An open hold of the same owner, target and evidence, so that a repeated request adds no second one.
select * from hold
where tenant = $1 and lifted_at is null and owner = $2 and evidence = $3::jsonb
  and class is not distinct from $4 and lane is not distinct from $5 and provider is not distinct from $6
  and campaign is not distinct from $7 and list is not distinct from $8
order by id limit 1;

-- name: insert_hold
-- The lanes are derived by a statement of its own.
insert into hold (tenant, class, lane, provider, campaign, list, stops, rate, owner, because, evidence, by, since, until)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12, now_ms(), $13)
returning *;

-- name: lift_holds
-- Holds that are lifted already stay as they are.
update hold set lifted_at = now_ms(), lifted_by = $3, lifted_because = $4
where tenant = $1 and id = any($2) and lifted_at is null
returning *;

-- name: derive_lanes
-- `held` and `rate` depend only on the set of open holds. The release time starts the ramp if mail has gathered; an empty lane,
-- such as a new one, needs no ramp.
with derived as (
    select l.id, l.held as was_held, l.rate as was_rate,
           exists (
               select from hold h
               where h.lifted_at is null and h.stops and hold_covers(h, l.tenant, l.class, l.id) and not hold_is_narrow(h)
           ) as held,
           least(l.policy_rate, (
               select min(h.rate) from hold h
               where h.lifted_at is null and not h.stops and hold_covers(h, l.tenant, l.class, l.id) and not hold_is_narrow(h)
           )) as rate
    from lane l
    where l.tenant = $1 and l.id = any($2)
)
update lane l
set held = d.held, rate = d.rate,
    released_at = case
        when not (d.was_held and not d.held) then l.released_at
        when exists (select from ready r where r.lane = l.id) or exists (select from waiting w where w.lane = l.id) then now_ms()
    end
from derived d
where l.id = d.id and (d.was_held is distinct from d.held or d.was_rate is distinct from d.rate)
returning l.id, l.turn, l.held;

-- name: set_policy_rate
-- The lane's own limit, in mails per second; null means none.
update lane set policy_rate = $2 where id = $1;

-- name: policy_rate
-- The lane's own limit before a change.
select policy_rate from lane where id = $1 and tenant = $2;

-- name: due_holds
-- Holds whose end has come, by tenant.
select tenant, array_agg(id order by id) as holds
from hold where lifted_at is null and until is not null and until <= now_ms()
group by tenant order by tenant limit 100;

-- name: cancel_ready
-- Cancels a batch of ready mail. Claimed mail is on the wire and is left alone.
with chosen as materialized (
    select lane, id from ready
    where lane = $1 and state = 0 and ($2::smallint is null or provider = $2)
      and ($3::text is null or campaign = $3) and ($4::text is null or list = $4)
    order by id limit $5
    for update
)
select count(*)
from (select array_agg(lane) as lanes, array_agg(id) as ids, array_agg(12::smallint) as states,
             array_agg('cancelled'::text) as reasons, array_agg($6::text) as details from chosen) c
cross join lateral queue_finish(c.lanes, c.ids, null, 1, c.states, null, null, c.reasons, c.details, 0);

-- name: cancel_waiting
-- Cancels a batch of waiting mail. Mail with unknown outcome may have left, so it is not called cancelled.
with chosen as materialized (
    select lane, id from waiting
    where lane = $1 and why <> 2 and ($2::smallint is null or provider = $2)
      and ($3::text is null or campaign = $3) and ($4::text is null or list = $4)
    order by id limit $5
    for update
)
select count(*)
from (select array_agg(lane) as lanes, array_agg(id) as ids, array_agg(12::smallint) as states,
             array_agg('cancelled'::text) as reasons, array_agg($6::text) as details from chosen) c
cross join lateral queue_finish(c.lanes, c.ids, null, 4, c.states, null, null, c.reasons, c.details, 0);

-- name: preview
-- How much mail of each lane a target covers: ready, waiting, and on the wire or unknown. Expired mail is not counted.
select l.id, t.name as type, l.class,
       (select count(*) from ready r
        where r.lane = l.id and r.state = 0 and r.id >= first_id_at(now_ms() - l.expiry_ms)
          and ($4::smallint is null or r.provider = $4) and ($5::text is null or r.campaign = $5)
          and ($6::text is null or r.list = $6)) as ready,
       (select count(*) from waiting w
        where w.lane = l.id and w.why <> 2 and w.id >= first_id_at(now_ms() - l.expiry_ms)
          and ($4::smallint is null or w.provider = $4) and ($5::text is null or w.campaign = $5)
          and ($6::text is null or w.list = $6)) as waiting,
       (select count(*) from ready r
        where r.lane = l.id and r.state = 1
          and ($4::smallint is null or r.provider = $4) and ($5::text is null or r.campaign = $5)
          and ($6::text is null or r.list = $6))
       + (select count(*) from waiting w
        where w.lane = l.id and w.why = 2
          and ($4::smallint is null or w.provider = $4) and ($5::text is null or w.campaign = $5)
          and ($6::text is null or w.list = $6)) as sending
from lane l join message_type t on t.id = l.type
where l.tenant = $1 and l.retired_at is null and ($2::smallint is null or l.class = $2) and ($3::int is null or l.id = $3)
order by l.class, t.name;

-- name: lane_names
-- All lanes of the tenant, to name those that a target does not cover.
select l.id, t.name as type, l.class from lane l join message_type t on t.id = l.type
where l.tenant = $1 and l.retired_at is null order by l.class, t.name;

-- name: open_holds
-- The tenant's open holds, oldest first.
select * from hold where tenant = $1 and lifted_at is null order by id;

-- name: unverified_lanes
-- Lanes on a domain that SES has not verified and without a hold for that reason. A path that nobody takes holds no lane: all mail may take
-- the shared one while the domain is set up.
select l.id as lane, i.domain, i.freed_because
from lane l join route r on r.lane = l.id join identity i on i.id = r.identity
where l.tenant = $1 and l.retired_at is null and i.status <> 'verified' and r.share > 0 and not exists (
    select from hold h
    where h.tenant = l.tenant and h.lifted_at is null and h.owner = 'policy' and h.lane = l.id
      and h.evidence ->> 'identity' = i.domain and (h.evidence ? 'freed') = (i.freed_at is not null)
)
order by l.id;

-- name: verified_holds
-- Holds for an unverified domain that SES has verified since, that their lane no longer sends from, or whose reason is another now:
-- the domain was freed, or it is the tenant's again.
select h.id, i.domain, i.status = 'verified' as verified, i.freed_because,
       not exists (select from route r where r.lane = h.lane and r.identity = i.id and r.share > 0) as moved
from hold h join identity i on i.tenant = h.tenant and i.domain = h.evidence ->> 'identity'
where h.tenant = $1 and h.lifted_at is null and h.owner = 'policy'
  and (i.status = 'verified' or (h.evidence ? 'freed') <> (i.freed_at is not null)
       or not exists (select from route r where r.lane = h.lane and r.identity = i.id and r.share > 0))
order by h.id;

-- name: unaligned_tenants
-- Tenants with a lane that was never derived, whose row contradicts the set of holds or stops, or whose domain's state does.
(select l.tenant
 from lane l
 where l.retired_at is null and l.held is distinct from exists (
     select from hold h
     where h.lifted_at is null and h.stops and hold_covers(h, l.tenant, l.class, l.id) and not hold_is_narrow(h)
 ))
union
(select l.tenant
 from identity i join route r on r.identity = i.id join lane l on l.id = r.lane
 where i.status <> 'verified' and l.retired_at is null and r.share > 0 and not exists (
     select from hold h
     where h.tenant = l.tenant and h.lifted_at is null and h.owner = 'policy' and h.lane = l.id
       and h.evidence ->> 'identity' = i.domain and (h.evidence ? 'freed') = (i.freed_at is not null)
 ))
union
(select h.tenant
 from hold h join identity i on i.tenant = h.tenant and i.domain = h.evidence ->> 'identity'
 where h.lifted_at is null and h.owner = 'policy'
   and (i.status = 'verified' or (h.evidence ? 'freed') <> (i.freed_at is not null)
       or not exists (select from route r where r.lane = h.lane and r.identity = i.id and r.share > 0)))
union
(select l.tenant
 from lane l
 where l.retired_at is null and l.stopped is distinct from (
     l.id in (select lanes_stopped(array(select id from lane where retired_at is null)))
 ))
limit 100;
