-- What the alarms tell beside the facts of the status.

-- name: open_holds
-- The holds of these tenants, oldest first.
select h.*, e.slug from tenant e join hold h on h.tenant = e.id and h.lifted_at is null
 where e.slug = any($1::text[]) order by h.id limit 200;

-- name: tenant_numbers
-- The numbers of these tenants.
select slug, id from tenant where slug = any($1::text[]);
