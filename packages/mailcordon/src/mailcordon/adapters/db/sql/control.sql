-- name: lock_onboarding
-- One at a time: two tenants must not claim the same domain at the same moment.
select pg_advisory_xact_lock(20553, 0)

-- name: tenant_by_slug
select id, key, slug, dedicated, created_at, retired_at from tenant where slug = $1

-- name: lanes_of_tenant
select t.name as type, l.class, r.domain
from lane l join message_type t on t.id = l.type join route r on r.lane = l.id and r.path = 'isolated'
where l.tenant = $1 and l.retired_at is null

-- name: types
select id, name, class, criticality, description, expiry_ms, grace_ms, resend
from message_type where retired_at is null order by name

-- name: taken_domains
-- Equal to, above or below one of another tenant's.
select distinct asked.domain
from unnest($2::text[]) asked (domain)
join identity i on i.domain = asked.domain or i.domain like '%.' || asked.domain or asked.domain like '%.' || i.domain
where i.tenant is distinct from $1

-- name: count_sets
select count(*)::int from configuration_set

-- name: insert_tenant
insert into tenant (key, slug, dedicated) values ($1, $2, $3) returning id

-- name: insert_identity
insert into identity (tenant, domain) values ($1, $2) on conflict (domain) do nothing

-- name: insert_set
insert into configuration_set (name, kind, class, tenant) values ($1, $2, $3, $4) on conflict (name) do nothing

-- name: insert_turn
insert into turn (tenant, class) values ($1, $2) on conflict (tenant, class) do nothing

-- name: insert_lane
-- Closed until the governor has derived it from the set of holds: a new lane cannot slip past its tenant's.
insert into lane (tenant, type, class, turn, held, expiry_ms, grace_ms, resend)
select $1, $2, $3, t.id, true, $4, $5, $6 from turn t where t.tenant = $1 and t.class = $3
returning id

-- name: insert_route
insert into route (lane, tenant, path, ses_tenant, identity, domain, configuration_set)
select $1, $2, 'isolated', $3, i.id, i.domain, $5 from identity i where i.tenant = $2 and i.domain = $4

-- name: want_resource
-- What is wanted anew is looked at at once; what is wanted unchanged keeps its state.
insert into ses_resource (kind, name, phase, tenant, desired)
values ($1, $2, $3, $4, $5::jsonb)
on conflict (kind, name) do update
set desired = excluded.desired, state = 'pending', error = null, attempts = 0, next_try_at = now()
where ses_resource.desired is distinct from excluded.desired

-- name: key_prefix
select prefix from api_key
where tenant = $1 and revoked_at is null and (expires_at is null or expires_at > now())
order by id limit 1

-- name: bump_control
update epoch set value = value + 1 where name = 'control'

-- name: write_audit
insert into audit (actor, action, tenant, object, before, after, because)
values ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7)

-- name: tenants_after
select id, key from tenant where id > $1 and retired_at is null order by id limit $2

-- name: domains_of_tenant
select domain from identity where tenant = $1 order by domain

-- name: sets_of_tenant
select distinct c.name, c.kind, c.class
from route r join configuration_set c on c.name = r.configuration_set
where r.tenant = $1 order by c.name

-- name: insert_type
insert into message_type (name, class, criticality, description, expiry_ms, grace_ms, resend)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (name) do nothing
returning id, name, class, criticality, description, expiry_ms, grace_ms, resend

-- name: lock_type
select id, name, class, criticality, description, expiry_ms, grace_ms, resend
from message_type where name = $1 and retired_at is null for update

-- name: update_type
update message_type set criticality = $2, description = $3, expiry_ms = $4, grace_ms = $5, resend = $6 where id = $1

-- name: update_lanes_of_type
update lane set expiry_ms = $2, grace_ms = $3, resend = $4
where id in (select id from lane where type = $1 order by id for no key update)
