-- Templates and their versions.

-- name: newest
-- Each name that a message gives, of the tenant itself or else of the platform; $3 is the version, 0 for the newest.
select u.o, t.id, v.version
  from unnest($1::text[], $2::text[], $3::int[]) with ordinality u (slug, name, version, o)
  cross join lateral (
      select t.id, t.latest from template t
       where t.name = u.name and t.retired_at is null
         and (t.tenant is null or t.tenant = (select id from tenant where slug = u.slug))
       order by t.tenant nulls last limit 1
  ) t
  join template_version v on v.template = t.id and v.version = coalesce(nullif(u.version, 0), t.latest);

-- name: version
-- What is rendered.
select t.name, v.* from template_version v join template t on t.id = v.template where v.template = $1 and v.version = $2;

-- name: shown
-- As `newest`, for one who looks: $1 the tenant, null for the platform; retired ones too.
select t.id, t.name, t.retired_at, t.retired_by, t.latest, o.slug as owner, v.version, v.dialect, v.subject, v.text, v.html, v.mjml,
       v.compiled, v.parts, v.bytes, v.made_at, v.made_by, v.because
  from (
      select * from template t
       where t.name = $2 and (t.tenant is null or t.tenant = $1::int)
       order by t.retired_at is not null, t.tenant nulls last limit 1
  ) t
  left join tenant o on o.id = t.tenant
  join template_version v on v.template = t.id and v.version = coalesce($3::int, t.latest);

-- name: list
-- By id: those of tenant $1, null for none, and the platform's.
select t.id, t.name, t.retired_at, t.retired_by, t.latest, o.slug as owner, v.version, v.dialect, v.bytes, v.made_at, v.made_by,
       v.because
  from template t
  left join tenant o on o.id = t.tenant
  join template_version v on v.template = t.id and v.version = t.latest
 where (t.tenant is null or t.tenant = $1::int) and t.id > $2
 order by t.id limit $3;

-- name: versions
-- Of the template that `shown` finds, the newest first.
select v.version, v.dialect, v.bytes, v.made_at, v.made_by, v.because
  from template_version v where v.template = $1 and v.version < $2 order by v.version desc limit $3;

-- name: lock_owner
-- Those who store templates of one owner wait for each other: the bounds are of all of them.
select pg_advisory_xact_lock(20552, 43 + coalesce($1::int, 0));

-- name: kept
-- How much an owner has. A few bytes of MJML can become much HTML.
select count(distinct v.template) as templates, coalesce(sum(v.bytes + coalesce(octet_length(v.compiled), 0)), 0)::bigint as bytes
  from template_version v where v.tenant is not distinct from $1::int;

-- name: find
-- One owner's own.
select id, latest, retired_at from template where tenant is not distinct from $1::int and name = $2;

-- name: add
-- The first version follows.
insert into template (tenant, name, made_at, made_by) values ($1, $2, now_ms(), $3) returning id;

-- name: add_version
-- The next number.
insert into template_version (template, version, tenant, dialect, subject, text, html, mjml, compiled, parts, bytes, made_at, made_by, because)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11, now_ms(), $12, $13);

-- name: set_latest
-- A retired template is in use again with its next version.
update template set latest = $2, retired_at = null, retired_by = null where id = $1;

-- name: retire
-- No message can name it from now on.
update template set retired_at = now_ms(), retired_by = $3
 where tenant is not distinct from $1::int and name = $2 and retired_at is null returning latest;
