-- Onboarding tenants and changing the catalogue of message types.

-- name: lock_onboarding
-- One onboarding at a time: two tenants must not claim the same domain at the same moment.
select pg_advisory_xact_lock(20553, 0);

-- name: tenant_by_slug
-- A slug belongs to one tenant, retired ones included.
select id, key, slug, dedicated, created_at, retired_at from tenant where slug = $1;

-- name: lanes_of_tenant
-- The lanes that exist already, with the domain each sends from.
select t.name as type, l.class, r.domain
from lane l join message_type t on t.id = l.type join route r on r.lane = l.id and r.path = 'isolated'
where l.tenant = $1 and l.retired_at is null;

-- name: types
-- The whole catalogue: an onboarding may name any of it.
select id, name, class, criticality, description, expiry_ms, grace_ms, resend
from message_type where retired_at is null order by name;

-- name: taken_domains
-- Domains equal to, above or below one of another tenant's.
select distinct asked.domain
from unnest($2::text[]) asked (domain)
join identity i on i.domain = asked.domain or i.domain like '%.' || asked.domain or asked.domain like '%.' || i.domain
where i.tenant is distinct from $1;

-- name: count_sets
-- SES allows 10,000 configuration sets per account.
select count(*)::int from configuration_set;

-- name: insert_tenant
-- Fails on a slug or key that exists.
insert into tenant (key, slug, dedicated) values ($1, $2, $3) returning id;

-- name: insert_identity
-- A domain that is there already belongs to this tenant: `taken_domains` was checked under the lock.
insert into identity (tenant, domain) values ($1, $2) on conflict (domain) do nothing;

-- name: insert_set
-- Shared sets exist once and belong to no tenant.
insert into configuration_set (name, kind, class, tenant) values ($1, $2, $3, $4) on conflict (name) do nothing;

-- name: insert_turn
-- One turn per tenant and class, whatever the number of lanes.
insert into turn (tenant, class) values ($1, $2) on conflict (tenant, class) do nothing;

-- name: insert_lane
-- Held until the governor has derived it from the set of holds: a new lane must not slip past a hold on its tenant.
insert into lane (tenant, type, class, turn, held, expiry_ms, grace_ms, resend)
select $1, $2, $3, t.id, true, $4, $5, $6 from turn t where t.tenant = $1 and t.class = $3
returning id;

-- name: insert_route
-- Uses the tenant's own identity only; any other domain inserts nothing.
insert into route (lane, tenant, path, ses_tenant, identity, domain, configuration_set)
select $1, $2, 'isolated', $3, i.id, i.domain, $5 from identity i where i.tenant = $2 and i.domain = $4;

-- name: want_resource
-- A changed wish is applied at once; an unchanged one keeps its state.
insert into ses_resource (kind, name, phase, tenant, desired, work)
values ($1, $2, $3, $4, $5::jsonb, $6)
on conflict (kind, name) do update
set desired = excluded.desired, state = 'pending', error = null, attempts = 0, next_try_at = now(), due_since = null,
    work = excluded.work
where ses_resource.desired is distinct from excluded.desired;

-- name: insert_type
-- Gives no row if the name exists.
insert into message_type (name, class, criticality, description, expiry_ms, grace_ms, resend)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (name) do nothing
returning id, name, class, criticality, description, expiry_ms, grace_ms, resend;

-- name: lock_type
-- Locked, so that two changes of one type follow each other.
select id, name, class, criticality, description, expiry_ms, grace_ms, resend
from message_type where name = $1 and retired_at is null for update;

-- name: update_type
-- Name and class never change: lanes depend on them.
update message_type set criticality = $2, description = $3, expiry_ms = $4, grace_ms = $5, resend = $6 where id = $1;

-- name: update_lanes_of_type
-- Lanes carry their type's values. Locked in id order, as everywhere.
update lane set expiry_ms = $2, grace_ms = $3, resend = $4
where id in (select id from lane where type = $1 order by id for no key update);
