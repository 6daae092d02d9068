-- name: insert_key
insert into api_key (tenant, prefix, hash, name, scopes, created_by, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)
returning id, prefix, name, scopes, created_at, created_by, expires_at, revoked_at

-- name: tenant_of_slug
select id from tenant where slug = $1 and retired_at is null

-- name: revoke_key
update api_key set revoked_at = now() where prefix = $1 and revoked_at is null returning id

-- name: key_by_prefix
select k.id, k.prefix, k.name, e.slug as tenant, k.tenant as tenant_id, k.scopes, k.created_at, k.created_by, k.expires_at, k.revoked_at
from api_key k left join tenant e on e.id = k.tenant
where k.prefix = $1

-- name: find_key
-- One snapshot: the answer belongs to the epoch it comes with. A row even if there is no such key.
select p.value as epoch, k.id, k.prefix, k.name, k.tenant as tenant_id, e.slug, k.scopes,
       extract(epoch from k.expires_at)::float8 as expires_at
from epoch p
left join (api_key k left join tenant e on e.id = k.tenant)
    on k.hash = $1 and k.revoked_at is null and (k.tenant is null or e.retired_at is null)
where p.name = 'control'

-- name: epoch
select value from epoch where name = 'control'

-- name: bump_control
update epoch set value = value + 1 where name = 'control'

-- name: write_audit
insert into audit (actor, action, tenant, object, before, after, because)
values ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7)

-- name: list_keys
select k.id, k.prefix, k.name, e.slug as tenant, k.scopes, k.created_at, k.created_by, k.expires_at, k.revoked_at
from api_key k left join tenant e on e.id = k.tenant
where ($1::int is null or k.tenant = $1) and k.id > $2
order by k.id limit $3
