-- API keys. Only hashes are stored.

-- name: insert_key
-- A null tenant makes a platform key.
insert into api_key (tenant, prefix, hash, created_by, also_mints, succeeds, name, scopes, types, networks, messages_per_second,
                     bytes_per_second, reads_per_second, expires_at, holder, default_type)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16);

-- name: unknown_types
-- A key that is for a misspelled message type would send nothing.
select t from unnest($1::text[]) t where not exists (select from message_type where name = t) order by t;

-- name: lock_key
-- Changes of one key come after each other.
select id from api_key where prefix = $1 for update;

-- name: change_key
-- Everything but the owner and the secret.
update api_key set name = $2, scopes = $3, types = $4, networks = $5, messages_per_second = $6, bytes_per_second = $7,
                   reads_per_second = $8, expires_at = $9, holder = $10, default_type = $11
 where id = $1;

-- name: valid_successor
-- A key has one successor at a time.
select prefix from api_key
where succeeds = $1 and revoked_at is null and (expires_at is null or expires_at > now())
order by id limit 1;

-- name: write_uses
-- Several processes see the same key: one of them writes it in a minute. Locked in order, so that two never wait for each other.
-- A key that a cache still held when it was revoked was refused, not used.
update api_key set last_used_at = now()
  from (select id from api_key
         where id = any ($1::int[]) and revoked_at is null and (last_used_at is null or last_used_at <= now() - interval '60s')
         order by id for update) due
 where api_key.id = due.id;

-- name: revoke_key
-- Gives no row if the key is unknown or revoked already.
update api_key set revoked_at = now() where prefix = $1 and revoked_at is null returning id;

-- name: key_by_prefix
-- A key as people name it.
select k.id, k.prefix, k.name, k.holder, e.slug as tenant, k.tenant as tenant_id, k.scopes, k.types, k.networks, k.messages_per_second,
       k.bytes_per_second, k.reads_per_second, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.last_used_at, k.also_mints, k.default_type,
       s.prefix as succeeds
from api_key k left join tenant e on e.id = k.tenant left join api_key s on s.id = k.succeeds
where k.prefix = $1;

-- name: find_key
-- The key of a request. One snapshot: the result belongs to the epoch that comes with it. Returns a row even if there is no such
-- key.
select p.value as epoch, k.id, k.prefix, k.name, k.holder, k.tenant as tenant_id, e.slug, k.scopes, k.types, k.networks,
       k.messages_per_second, k.bytes_per_second, k.reads_per_second, k.also_mints, k.default_type,
       extract(epoch from k.expires_at)::float8 as expires_at
from epoch p
left join (api_key k left join tenant e on e.id = k.tenant)
    on k.hash = $1 and k.revoked_at is null and (k.tenant is null or e.retired_at is null)
where p.name = 'control';

-- name: list_keys
-- A page of keys, of one tenant or of all.
select k.id, k.prefix, k.name, k.holder, e.slug as tenant, k.tenant as tenant_id, k.scopes, k.types, k.networks, k.messages_per_second,
       k.bytes_per_second, k.reads_per_second, k.created_at, k.created_by, k.expires_at, k.revoked_at, k.last_used_at, k.also_mints, k.default_type,
       s.prefix as succeeds
from api_key k left join tenant e on e.id = k.tenant left join api_key s on s.id = k.succeeds
where ($1::int is null or k.tenant = $1) and k.id > $2
order by k.id limit $3;
