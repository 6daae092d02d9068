-- The observed-state table: what SES should have, and what it was last seen to have.

-- name: by_index
-- For `due` in the same transaction, where the session does not have these settings (provision_store.BY_INDEX).
select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true);

-- name: due
-- The rows of one kind of work that are due, tenant by tenant in the order in which they came, what others depend on first. $3:
-- tenants to leave out (0: what all share), since a call for them is being made. A row waits while what it depends on was not
-- tried; one that is to be deleted waits until nothing needs it.
select r.kind, r.name, r.tenant, r.desired, r.observed, r.attempts, r.xmin::text::bigint as version,
       r.wanted, r.work, r.accepted,
       plan_allowed(r.kind, r.name) as allowed, plan_later(r.kind, r.name) as later, open_findings(r.kind, r.name) as open,
       coalesce((select extract(epoch from now() - i.created_at) from identity i where r.kind = 'identity' and i.domain = r.name and i.freed_at is null),
                0)::float8 as age
from ses_resource r
where r.work = $1 and coalesce(r.due_since, r.next_try_at) <= now() and r.next_try_at <= now()
  and coalesce(r.tenant, 0) <> all($3::int[])
  and case
      when r.wanted and r.kind in ('policy', 'association') then (
          select true from ses_resource p
          where p.tenant = r.tenant and p.wanted
            and (p.kind = 'tenant' and p.name = r.name and p.state <> 'applied' or p.kind = 'identity' and p.state = 'pending')
          limit 1
      )
      when r.wanted and r.kind = 'event-destination' then (
          select true from ses_resource p
          where p.kind = 'configuration-set' and p.name = split_part(r.name, '/', 1) and p.state <> 'applied'
          limit 1
      )
      when not r.wanted and r.kind in ('configuration-set', 'identity', 'tenant') then (
          select true from ses_resource p
          where p.tenant = r.tenant
            and (p.kind = 'association' and (p.name = r.name or p.observed -> 'resources' ? (r.kind || '/' || r.name))
              or not p.wanted and p.kind = 'event-destination' and split_part(p.name, '/', 1) = r.name)
          limit 1
      ) end is null
order by r.work, coalesce(r.due_since, r.next_try_at), r.tenant nulls first, r.phase
limit $2;

-- name: put_newest_first
-- The tenant whose rows became due last is next, if that was in the last minute and nothing was tried yet: somebody who has just
-- onboarded it looks at it. $1: tenants to leave out. Later ones come before earlier ones.
update ses_resource
set due_since = to_timestamp(-extract(epoch from now()))
where state = 'pending' and work = 'onboarding' and next_try_at <= now() and tenant = (
    select r.tenant from ses_resource r
    where r.work = 'onboarding' and coalesce(r.due_since, r.next_try_at) between now() - make_interval(secs => 60) and now()
      and r.state = 'pending' and r.attempts = 0 and r.tenant <> all($1::int[])
    order by r.work desc, coalesce(r.due_since, r.next_try_at) desc, r.tenant desc nulls last, r.phase desc
    limit 1
);

-- name: put_shared_first
-- What all tenants share comes before what has been due for longer, one at a time. That it is looked at again is no news.
update ses_resource
set due_since = '-infinity'
where (kind, name) = (
    select r.kind, r.name from ses_resource r
    where r.tenant is null and r.work = 'scan' and r.next_try_at <= now()
    order by r.next_try_at limit 1
)
returning nextval('quiet_write');

-- name: kinds_due
-- Asked all the time: one look into the index for each kind of work.
select w as work from unnest($1::text[]) w
where exists (
    select from ses_resource r where r.work = w and coalesce(r.due_since, r.next_try_at) <= now() and r.next_try_at <= now()
);

-- name: recheck_all
-- After a start, everything is read again: SES may have been another one, or a local one that lost its state. What was read
-- longest ago comes first, so that restarts do not keep the scan at its beginning.
update ses_resource set next_try_at = least(now(), coalesce(observed_at, now())) where next_try_at > now();

-- name: size
-- How many resources the rolling scan goes through.
select count(*) filter (where tenant is not null) as rows, count(*) filter (where tenant is null) as shared from ses_resource;

-- name: applied
-- Only if the wish has not changed since it was read. A row that was made due meanwhile stays due: SES may have changed after
-- it was read, or a plan was applied, so what it still needs is not known. Returns whether that was not so. `whole` is null if SES
-- did not return all members; what no check covers is accepted when it is first read, and a member that this version does not know
-- ($10) when it first appears. It is no news that a row that was as it should be still is, if the scan read it, or one that waits
-- for its domain ($11; 0071-pulse.sql).
update ses_resource r
set observed = $3::jsonb, observed_at = now(), whole = coalesce($7::jsonb, whole), accepted = coalesce(accepted || $10::jsonb, $8::jsonb),
    state = 'applied', error = null, attempts = 0,
    next_try_at = case when s.same then now() + make_interval(secs => $4::float8) else next_try_at end,
    work = case when s.same then $9 else work end, due_since = case when s.same then null else due_since end
from (select kind, name, xmin::text::bigint = coalesce($6::bigint, xmin::text::bigint) as same, state = 'applied' as was
      from ses_resource where kind = $1 and name = $2 for update) s
where r.kind = s.kind and r.name = s.name and r.desired = $5::jsonb and r.wanted
returning s.same, case when $11 and s.was then nextval('quiet_write') end;

-- name: failed
-- As `applied`. The attempts in a row without success decide when to retry; what keeps failing leaves the share of those for whom
-- somebody waits. What the scan has read and could not repair is not behind all that the scan reads.
update ses_resource
set observed = coalesce($7::jsonb, observed), observed_at = case when $7::jsonb is null then observed_at else now() end,
    whole = coalesce($8::jsonb, whole), state = 'failing', error = $3, attempts = attempts + 1,
    (next_try_at, work, due_since) = (
        select case when same then now() + make_interval(secs => $4::float8) else next_try_at end,
               case when same and (attempts >= 4 and work in ('urgent', 'onboarding') or work = 'scan' and $7 is not null)
                   then 'repair' else work end,
               case when same then null else due_since end
          from (select xmin::text::bigint = coalesce($6::bigint, xmin::text::bigint) as same) s
    )
where kind = $1 and name = $2 and desired = $5::jsonb;

-- name: postpone_dependents
-- What depends on a row that failed waits as long as it. Thousands of rows that wait would have to be passed over otherwise.
update ses_resource d
set next_try_at = p.next_try_at
from ses_resource p
where p.kind = $1 and p.name = $2 and p.wanted and p.state = 'failing' and d.next_try_at < p.next_try_at
  and (p.kind = 'tenant' and d.kind in ('policy', 'association') and d.tenant = p.tenant and d.tenant is not null
    or p.kind = 'configuration-set' and d.kind = 'event-destination' and d.name in (p.name || '/outcome', p.name || '/engagement'));

-- name: put_off
-- What is no longer wanted and still needed by mail is due when it is not (`release`); the hour is for the case that this was missed.
update ses_resource r set next_try_at = now() + make_interval(hours => 1), due_since = null
from unnest($1::text[], $2::text[]) u (kind, name)
where r.kind = u.kind and r.name = u.name and not r.wanted and plan_later(r.kind, r.name) <> '{}';

-- name: gone
-- A resource that is no longer wanted does not exist any more at SES.
delete from ses_resource where kind = $1 and name = $2 and not wanted;

-- name: recheck_dependents
-- Resources that depended on something that had vanished and was created again.
update ses_resource
set next_try_at = 'epoch', due_since = coalesce(due_since, now()), work = 'urgent'
where (kind in ('policy', 'association') and name = $1)
   or (kind = 'event-destination' and name like $1 || '/%')
   or (kind = 'association' and desired -> 'resources' ?| array['identity/' || $1, 'configuration-set/' || $1]);

-- name: recheck_needed
-- A resource failed, perhaps because something that it depends on has vanished. That is checked again, unless it was read in
-- the last seconds: the failing resource is retried, and asks again.
update ses_resource p
set next_try_at = 'epoch', due_since = coalesce(p.due_since, now()), work = 'urgent'
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
set next_try_at = 'epoch', due_since = coalesce(s.due_since, now()), work = 'urgent'
from route_resource o
where s.kind = o.kind and s.name = o.name;

-- name: lock_identity
-- Two reports on one domain follow each other.
select tenant, status, records from identity where domain = $1 and freed_at is null for update;

-- name: set_identity
-- What SES says of a domain, and the DNS records it asks for. It is no news that it says the same as before.
update identity i set status = $2, records = $3::jsonb, checked_at = now()
  from (select id, status = $2 and records = $3::jsonb as same from identity where domain = $1 and freed_at is null) b
 where i.id = b.id
returning case when b.same then nextval('quiet_write') end;

-- name: tenant_arn
-- Known once the tenant was seen at SES. Without a name, the one of any tenant.
select observed ->> 'arn' from ses_resource
where kind = 'tenant' and (name = $1 or $1 = '') and observed ->> 'arn' is not null limit 1;

-- name: owners
-- Whose identities and configuration sets these are, as far as they are ours.
select r.kind || '/' || r.name as resource, r.tenant, e.slug
from ses_resource r left join tenant e on e.id = r.tenant
where r.kind = 'identity' and r.name = any ($1::text[]) or r.kind = 'configuration-set' and r.name = any ($2::text[]);

-- name: slug
-- The name that people use for a tenant.
select slug from tenant where id = $1;

-- name: policies
-- What happens to findings of a kind, where it is not the default.
select kind, act, hold from drift_policy;

-- name: try_reconciler_lock
-- The process that holds this lock reconciles. It ends with the connection.
select pg_try_advisory_lock(20554, 0);

-- name: release_reconciler_lock
-- The connection goes back to its pool.
select pg_advisory_unlock(20554, 0);

-- name: holds_reconciler_lock
-- Asked of the connection that took it: a pool may have replaced it.
select exists (select from pg_locks where locktype = 'advisory' and classid = 20554 and objid = 0 and objsubid = 2
                  and pid = pg_backend_pid() and granted);
