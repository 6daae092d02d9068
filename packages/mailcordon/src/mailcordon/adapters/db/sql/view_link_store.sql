-- Tenants' view links. Tokens are looked up by their sha256.

-- name: lock_tenant
-- View links of one tenant are made one after the other, so that their number has a bound.
select id from tenant where slug = $1 and retired_at is null for no key update;

-- name: open_view_links
-- How many of a tenant work.
select count(*) from view_link where tenant = $1 and revoked_at is null and expires_at > now();

-- name: insert_view_link
-- Works until its end.
insert into view_link (prefix, hash, tenant, name, made_by, expires_at) values ($1, $2, $3, $4, $5, $6);

-- name: view_link_by_prefix
-- A view link as people name it, with its tenant's slug.
select v.*, e.slug from view_link v join tenant e on e.id = v.tenant where v.prefix = $1 and e.slug = $2;

-- name: revoke_view_link
-- Gives no row if there is no such link of the tenant, or if it was revoked.
update view_link set revoked_at = now()
 where prefix = $1 and tenant = (select id from tenant where slug = $2) and revoked_at is null
returning id;

-- name: list_view_links
-- A page of a tenant's view links, the oldest first.
select v.*, e.slug from view_link v join tenant e on e.id = v.tenant where v.tenant = $1 and v.id > $2 order by v.id limit $3;

-- name: find_view_link
-- The link of a request, as find_session finds a session.
with found as materialized (
    select v.*, e.slug from view_link v join tenant e on e.id = v.tenant
     where v.hash = $1 and v.revoked_at is null and v.expires_at > now() and e.retired_at is null
), noted as (
    update view_link set last_used_at = now()
     where id = (select v.id from view_link v join found f on f.id = v.id
                  where v.last_used_at is null or v.last_used_at < now() - interval '60s' for update of v skip locked)
)
select * from found;

-- name: open_view_link
-- Its URL was opened. Gives no row if that was noted within the last hour.
update view_link set opened_at = now()
 where id = $1 and (opened_at is null or opened_at < now() - interval '1h')
returning id;
