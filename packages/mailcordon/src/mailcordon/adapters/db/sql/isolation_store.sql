-- Who else uses what a tenant's lanes use. As the control role, since a tenant's key may know how many there are, and no more. $1 is
-- the tenant, $3 how many others are named.

-- name: others_of_sets
-- Other tenants with lanes that send through these configuration sets.
select r.configuration_set as name, count(distinct r.tenant) as number, (array_agg(distinct e.slug order by e.slug))[1:$3] as named
  from route r join lane l on l.id = r.lane and l.retired_at is null join tenant e on e.id = r.tenant
 where r.configuration_set = any($2::text[]) and r.tenant <> $1 group by 1;

-- name: others_of_pools
-- The same of IP pools.
select r.ip_pool as name, count(distinct r.tenant) as number, (array_agg(distinct e.slug order by e.slug))[1:$3] as named
  from route r join lane l on l.id = r.lane and l.retired_at is null join tenant e on e.id = r.tenant
 where r.ip_pool = any($2::text[]) and r.tenant <> $1 group by 1;

-- name: others_of_domains
-- The same of domains.
select r.domain as name, count(distinct r.tenant) as number, (array_agg(distinct e.slug order by e.slug))[1:$3] as named
  from route r join lane l on l.id = r.lane and l.retired_at is null join tenant e on e.id = r.tenant
 where r.domain = any($2::text[]) and r.tenant <> $1 group by 1;

-- name: others_of_organisations
-- Other tenants that send from these domains or from one below.
select o.name, count(distinct r.tenant) as number, (array_agg(distinct e.slug order by e.slug))[1:$3] as named
  from unnest($2::text[]) o (name)
  join route r on r.domain = o.name or right(r.domain, length(o.name) + 1) = '.' || o.name
  join lane l on l.id = r.lane and l.retired_at is null join tenant e on e.id = r.tenant
 where r.tenant <> $1 group by 1;

-- name: others_of_account
-- All other tenants with lanes.
select count(*) as number, (array_agg(e.slug order by e.slug))[1:$2] as named
  from tenant e where e.id <> $1 and e.retired_at is null and exists (select from lane l where l.tenant = e.id and l.retired_at is null);

-- name: parents
-- Domains that the platform shares among tenants, which these are, or are below.
select p.domain from shared_parent p
 where exists (select from unnest($1::text[]) d (name) where d.name = p.domain or right(d.name, length(p.domain) + 1) = '.' || p.domain)
 order by length(p.domain) desc;

-- name: sending_keys
-- Keys that can send for the tenant.
select tenant is null as platform, types from api_key
 where (tenant is null or tenant = $1) and 'send' = any(scopes) and revoked_at is null and (expires_at is null or expires_at > now())
 limit 10000;

-- name: unsubscribe_host
-- What the tenant's links to unsubscribe begin with, if it has a name of its own.
select host from unsubscribe_host where tenant = $1;
