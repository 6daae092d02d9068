-- API keys. Only hashes are stored.

-- name: insert_key
-- A null tenant makes a platform key.
insert into api_key (tenant, prefix, hash, name, scopes, created_by, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)
returning id, prefix, name, scopes, created_at, created_by, expires_at, revoked_at;

-- name: revoke_key
-- Gives no row if the key is unknown or revoked already.
update api_key set revoked_at = now() where prefix = $1 and revoked_at is null returning id;

-- name: key_by_prefix
-- A key as people name it.
select k.id, k.prefix, k.name, e.slug as tenant, k.tenant as tenant_id, k.scopes, k.created_at, k.created_by, k.expires_at, k.revoked_at
from api_key k left join tenant e on e.id = k.tenant
where k.prefix = $1;

-- name: find_key
-- The key of a request. One snapshot: the result belongs to the epoch that comes with it. Returns a row even if there is no such
-- key.
select p.value as epoch, k.id, k.prefix, k.name, k.tenant as tenant_id, e.slug, k.scopes, k.types, k.networks,
       k.messages_per_second, k.bytes_per_second, k.reads_per_second, k.also_mints,
       extract(epoch from k.expires_at)::float8 as expires_at
from epoch p
left join (api_key k left join tenant e on e.id = k.tenant)
    on k.hash = $1 and k.revoked_at is null and (k.tenant is null or e.retired_at is null)
where p.name = 'control';

-- name: list_keys
-- A page of keys, of one tenant or of all.
select k.id, k.prefix, k.name, e.slug as tenant, k.scopes, k.created_at, k.created_by, k.expires_at, k.revoked_at
from api_key k left join tenant e on e.id = k.tenant
where ($1::int is null or k.tenant = $1) and k.id > $2
order by k.id limit $3;
