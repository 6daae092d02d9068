-- Keys of the SES door. A secret is read to check a signature, and leaves the database encrypted.

-- name: lock_key
-- The API key that an access key is made for. What is decided of it holds until the commit.
select k.id, k.tenant as tenant_id from api_key k where k.prefix = $1 for update;

-- name: number_of_key
-- How many of an API key work.
select count(*) from access_key where api_key = $1 and revoked_at is null;

-- name: insert
-- A new one.
insert into access_key (id, api_key, secret, made_by) values ($1, $2, $3, $4);

-- name: by_id
-- An access key as people see it.
select a.id, k.prefix, k.tenant as tenant_id, e.slug as tenant, a.made_at, a.made_by, a.revoked_at
from access_key a join api_key k on k.id = a.api_key left join tenant e on e.id = k.tenant
where a.id = $1;

-- name: of_key
-- All that an API key ever had, the newest first.
select a.id, k.prefix, a.made_at, a.made_by, a.revoked_at
from access_key a join api_key k on k.id = a.api_key
where k.prefix = $1
order by a.made_at desc, a.id limit 200;

-- name: revoke
-- Its secret goes. Gives no row if it is unknown or revoked already.
update access_key set secret = null, revoked_at = now() where id = $1 and revoked_at is null returning id;

-- name: find
-- The access key of a request, with its API key as key_store.sql's find_key has it, and the names of configuration sets: the tenant's
-- own before the platform's. Returns a row even if there is no such key.
select p.value as epoch, k.id, k.prefix, k.name, k.holder, k.tenant as tenant_id, e.slug, k.scopes, k.types, k.networks,
       k.messages_per_second, k.bytes_per_second, k.reads_per_second, k.also_mints, k.default_type,
       extract(epoch from k.expires_at)::float8 as expires_at, a.secret,
       coalesce((select jsonb_object_agg(s.name, s.type) from ses_door_set s where s.tenant is null), '{}')
       || coalesce((select jsonb_object_agg(s.name, s.type) from ses_door_set s where s.tenant = k.tenant), '{}') as sets
from epoch p
left join (access_key a join api_key k on k.id = a.api_key left join tenant e on e.id = k.tenant)
    on a.id = $1 and a.revoked_at is null and k.revoked_at is null and (k.tenant is null or e.retired_at is null)
where p.name = 'control';

-- name: sets
-- The names of a tenant, or those of the platform (null).
select s.name, s.type, e.slug as tenant
from ses_door_set s left join tenant e on e.id = s.tenant
where s.tenant is not distinct from $1
order by s.name;

-- name: number_of_sets
-- How many names a tenant or the platform has, beside this one.
select count(*) from ses_door_set where tenant is not distinct from $1 and name <> $2;

-- name: has_type
-- Whether there is such a message type.
select exists (select from message_type where name = $1);

-- name: put_set
-- Gives the type that the name stood for before.
with before as (select type from ses_door_set where tenant is not distinct from $1 and name = $2)
insert into ses_door_set (tenant, name, type, made_by) values ($1, $2, $3, $4)
on conflict (tenant, name) do update set type = excluded.type, made_at = now(), made_by = excluded.made_by
returning (select type from before);

-- name: remove_set
-- Gives no row if there is no such name.
delete from ses_door_set where tenant is not distinct from $1 and name = $2 returning type;

-- name: secrets
-- For a new key of MAILCORDON_SECRET_KEYS.
select id, secret from access_key where secret is not null;

-- name: rewrite_secret
-- The same secret, encrypted anew.
update access_key set secret = $2 where id = $1;
