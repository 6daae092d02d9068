-- What is known of tenants, which suggests their tier (docs/policy.md).

-- name: facts
-- Of these tenants, or of all, after $2. One of which nothing was told has nulls.
select e.id, e.slug, f.sign_up_source, f.list_source, f.planned_per_day, f.payment, f.owner_group, f.signed_up_at, f.told_at, f.told_by,
       ((now_ms() - coalesce(f.signed_up_at, (extract(epoch from e.created_at) * 1000)::bigint)) / 86400000)::int as age_days,
       coalesce(p.document ->> 'tier', 'standard') as tier
  from tenant e left join tenant_fact f on f.tenant = e.id
  left join lateral (select o.document from lane_policy o where o.tenant = e.id limit 1) p on true
 where ($1::text[] is null or e.slug = any ($1)) and e.id > $2 and e.retiring_at is null and not e.observed order by e.id limit $3;

-- name: types
-- The message types of these tenants' lanes.
select l.tenant, t.name, l.class, t.criticality from lane l join message_type t on t.id = l.type
 where l.tenant = any ($1::int[]) and l.retired_at is null order by l.tenant, t.name;

-- name: put
-- All facts of a tenant.
insert into tenant_fact (tenant, sign_up_source, signed_up_at, list_source, planned_per_day, payment, owner_group, told_at, told_by)
values ($1, $2, $3, $4, $5, $6, $7, now_ms(), $8)
on conflict (tenant) do update
set sign_up_source = excluded.sign_up_source, signed_up_at = excluded.signed_up_at, list_source = excluded.list_source,
    planned_per_day = excluded.planned_per_day, payment = excluded.payment, owner_group = excluded.owner_group,
    told_at = excluded.told_at, told_by = excluded.told_by;
