-- name: due
-- New wishes and failures before re-checks; nothing of a tenant before what it needs.
select r.kind, r.name, r.tenant, r.desired, r.observed is not null as seen, r.attempts,
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
order by r.state = 'applied', r.phase, r.next_try_at
limit $1

-- name: applied
update ses_resource
set observed = $3::jsonb, observed_at = now(), state = 'applied', error = null, attempts = 0,
    next_try_at = now() + make_interval(secs => $4::float8)
where kind = $1 and name = $2 and desired = $5::jsonb

-- name: failed
update ses_resource
set state = 'failing', error = $3, attempts = attempts + 1, next_try_at = now() + make_interval(secs => $4::float8)
where kind = $1 and name = $2 and desired = $5::jsonb

-- name: look_again
-- What hung on something that had vanished and was made anew.
update ses_resource
set next_try_at = now()
where (kind in ('policy', 'association') and name = $1)
   or (kind = 'event-destination' and name like $1 || '/%')
   or (kind = 'association' and desired -> 'resources' ?| array['identity/' || $1, 'configuration-set/' || $1])

-- name: lock_identity
select tenant, status, records from identity where domain = $1 for update

-- name: set_identity
update identity set status = $2, records = $3::jsonb, checked_at = now() where domain = $1

-- name: tenant_arn
select observed ->> 'arn' from ses_resource where kind = 'tenant' and name = $1

-- name: bump_control
update epoch set value = value + 1 where name = 'control'

-- name: write_audit
insert into audit (actor, action, tenant, object, before, after, because)
values ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7)

-- name: sole
select pg_try_advisory_lock(20554, 0)
