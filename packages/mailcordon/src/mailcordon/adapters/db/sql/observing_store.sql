-- Rules for mail that did not pass through us, as the control role (control/observing.py).

-- name: tenants
-- Those of these slugs that exist.
select slug, id, retired_at is not null or retiring_at is not null as retired from tenant where slug = any ($1::text[]);

-- name: add_tenants
-- Known from their mail alone: nothing of them is at SES.
insert into tenant (key, slug, observed) select key, slug, true from unnest($1::text[], $2::text[]) u (key, slug) returning slug, id;

-- name: types
-- Those of these names that the catalogue has.
select name, id from message_type where name = any ($1::text[]) and retired_at is null;

-- name: there
-- What stands for these values.
select r.id, r.by, r.name, r.value, r.tenant, e.slug as tenant_slug, e.key as tenant_key, t.name as type, r.type_tag
  from unnest($1::text[], $2::text[], $3::text[]) u (by, name, value)
  join observed_rule r on r.by = u.by and coalesce(r.name, '') = coalesce(u.name, '') and r.value = u.value
  join tenant e on e.id = r.tenant left join message_type t on t.id = r.type;

-- name: count
-- How many rules there are.
select count(*) from observed_rule;

-- name: put
-- A rule of the same value is replaced, and keeps its number.
insert into observed_rule as r (by, name, value, tenant, type, type_tag, created_by)
select u.by, u.name, u.value, u.tenant, u.type, u.type_tag, $7
  from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::smallint[], $6::text[]) with ordinality
       u (by, name, value, tenant, type, type_tag, n)
 order by u.n
on conflict (by, coalesce(name, ''), value) do update
   set tenant = excluded.tenant, type = excluded.type, type_tag = excluded.type_tag, created_at = now_ms(), created_by = excluded.created_by
 where (r.tenant, r.type, r.type_tag) is distinct from (excluded.tenant, excluded.type, excluded.type_tag);

-- name: remove
-- Returns what it was.
with gone as (delete from observed_rule where id = $1 returning *)
select r.id, r.by, r.name, r.value, r.tenant, e.slug as tenant_slug, e.key as tenant_key, t.name as type, r.type_tag
  from gone r join tenant e on e.id = r.tenant left join message_type t on t.id = r.type;

-- name: rules
-- A page of them, of all tenants or of one.
select r.id, r.by, r.name, r.value, r.tenant, e.slug as tenant_slug, e.key as tenant_key, t.name as type, r.type_tag
  from observed_rule r join tenant e on e.id = r.tenant left join message_type t on t.id = r.type
 where ($1::text is null or e.slug = $1) and r.id > $2 order by r.id limit $3;

-- name: today
-- By the database's clock, in UTC.
select (to_timestamp(now_ms() / 1000.0) at time zone 'UTC')::date;

-- name: unmapped
-- Mail that no rule named since a day, by origin.
select u.identity, u.from_domain, u.configuration_set, sum(u.events)::bigint as events, sum(u.mails)::bigint as mails,
       (array_agg(u.why order by u.day desc))[1] as why, (select x.tags from observed_unmapped x
         where x.identity = u.identity and x.from_domain = u.from_domain and x.configuration_set = u.configuration_set
         order by x.day desc limit 1) as tags,
       min(u.first_at) as first_at, max(u.last_at) as last_at
  from observed_unmapped u where u.day >= $1
 group by u.identity, u.from_domain, u.configuration_set order by mails desc, events desc, 1, 2, 3 limit $2;
