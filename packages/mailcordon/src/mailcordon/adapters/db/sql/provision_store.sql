-- The observed-state table: what SES should have, and what it was last seen to have.

-- name: due
-- Rows made due at once ('epoch') come first, what others depend on before the rest. Then new wishes and failures come before
-- re-checks; a resource of a tenant comes after what it depends on.
select r.kind, r.name, r.tenant, r.desired, r.observed is not null as seen, r.attempts, r.xmin::text::bigint as version,
       extract(epoch from now() - coalesce(i.created_at, now()))::float8 as age
from ses_resource r left join identity i on r.kind = 'identity' and i.domain = r.name
where r.next_try_at <= now()
  and not (r.kind in ('policy', 'association') and exists (
      select from ses_resource p
      where p.tenant = r.tenant and (p.kind = 'tenant' and p.state <> 'applied' or p.kind = 'identity' and p.state = 'pending')
  ))
  and not (r.kind = 'event-destination' and exists (
      select from ses_resource p
      where p.kind = 'configuration-set' and p.name = split_part(r.name, '/', 1) and p.state <> 'applied'
  ))
order by r.next_try_at > 'epoch', r.next_try_at > 'epoch' and r.state = 'applied', r.phase, r.next_try_at
limit $1;

-- name: recheck_all
-- After a start, everything is read again: SES may have been another one, or a local one that lost its state.
update ses_resource set next_try_at = now() where next_try_at > now();

-- name: size
-- How many resources the rolling check goes through.
select count(*) from ses_resource;

-- name: applied
-- Only if the wish has not changed since it was read. A row that was made due meanwhile stays due: SES may have changed after
-- it was read.
update ses_resource
set observed = $3::jsonb, observed_at = now(), state = 'applied', error = null, attempts = 0,
    next_try_at = case when xmin::text::bigint = coalesce($6::bigint, xmin::text::bigint)
                       then now() + make_interval(secs => $4::float8) else next_try_at end
where kind = $1 and name = $2 and desired = $5::jsonb;

-- name: failed
-- As `applied`. The attempts in a row without success decide when to retry.
update ses_resource
set state = 'failing', error = $3, attempts = attempts + 1,
    next_try_at = case when xmin::text::bigint = coalesce($6::bigint, xmin::text::bigint)
                       then now() + make_interval(secs => $4::float8) else next_try_at end
where kind = $1 and name = $2 and desired = $5::jsonb;

-- name: recheck_dependents
-- Resources that depended on something that had vanished and was created again.
update ses_resource
set next_try_at = 'epoch'
where (kind in ('policy', 'association') and name = $1)
   or (kind = 'event-destination' and name like $1 || '/%')
   or (kind = 'association' and desired -> 'resources' ?| array['identity/' || $1, 'configuration-set/' || $1]);

-- name: recheck_needed
-- A resource failed, perhaps because something that it depends on has vanished. That is checked again, unless it was read in
-- the last seconds: the failing resource is retried, and asks again.
update ses_resource p
set next_try_at = 'epoch'
from ses_resource r
where r.kind = $1 and r.name = $2 and p.state = 'applied' and p.next_try_at > now() and p.observed_at < now() - make_interval(secs => 5)
  and (r.kind = 'event-destination' and p.kind = 'configuration-set' and p.name = split_part(r.name, '/', 1)
    or r.kind = 'identity' and p.kind = 'configuration-set' and p.name = r.desired ->> 'configuration_set'
    or r.kind in ('policy', 'association') and p.kind = 'tenant' and p.name = r.name
    or r.kind = 'association' and p.kind in ('identity', 'configuration-set')
       and r.desired -> 'resources' ? (p.kind || '/' || p.name));

-- name: make_due
-- SES refused a call of this lane: every resource on the lane's routes is checked at once, whatever its state. The rows are
-- locked in one order, since lanes share sets.
with route_resource as (
    select s.kind, s.name
    from ses_resource s
    where exists (
        select from route r
        where r.lane = $1
          and (s.kind = 'configuration-set' and s.name = r.configuration_set
            or s.kind = 'event-destination' and split_part(s.name, '/', 1) = r.configuration_set
            or s.kind = 'identity' and s.name = r.domain
            or s.kind in ('tenant', 'policy', 'association') and s.name = r.ses_tenant)
    )
    order by s.kind, s.name for update
)
update ses_resource s
set next_try_at = 'epoch'
from route_resource o
where s.kind = o.kind and s.name = o.name;

-- name: lock_identity
-- Two reports on one domain follow each other.
select tenant, status, records from identity where domain = $1 for update;

-- name: set_identity
-- What SES says of a domain, and the DNS records it asks for.
update identity set status = $2, records = $3::jsonb, checked_at = now() where domain = $1;

-- name: tenant_arn
-- Known once the tenant was seen at SES.
select observed ->> 'arn' from ses_resource where kind = 'tenant' and name = $1;

-- name: try_reconciler_lock
-- The process that holds this lock reconciles. It ends with the connection.
select pg_try_advisory_lock(20554, 0);
