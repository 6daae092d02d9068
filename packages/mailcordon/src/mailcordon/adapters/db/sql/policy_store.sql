-- Policies: documents and their versions, what applies to each lane, facts about tenants, and what lanes sent (docs/policy.md).

-- name: in_force
-- The version that is in force. No row: what is built in.
select version, document from policy_version where version is not null order by version desc limit 1;

-- name: unwritten
-- The next $1 tenants that do not have the version in force yet. No row: all have it.
select id, unwritten[:$1::int] as tenants from policy_version where unwritten is not null;

-- name: written
-- These tenants ($2: how many, the first ones) have it now.
update policy_version set unwritten = nullif(unwritten[$2::int + 1:], '{}') where id = $1;

-- name: version
-- One version, whole.
select * from policy_version where version = $1;

-- name: insert_plan
-- Returns its number.
insert into policy_version (base, state, document, changes, made_at, made_by, because)
values ($1, 'proposed', $2::jsonb, $3::jsonb, now_ms(), $4, $5) returning id;

-- name: plan
-- One plan, whole.
select * from policy_version where id = $1;

-- name: lock_plan
-- So that it is decided once.
select id from policy_version where id = $1 for no key update;

-- name: plans
-- The newest first, without their documents and changes, which may be megabytes.
select id, version, base, state, '{}'::jsonb as document, '[]'::jsonb as changes, made_at, made_by, because, decided_at, decided_by, decided_because, unwritten
  from policy_version
 where ($1::text is null or state = $1) and ($2::int is null or id < $2) order by id desc limit $3;

-- name: apply
-- These tenants ($5) get it, and those that do not have the version before yet.
with b as materialized (select p.id, p.unwritten from policy_version p where p.unwritten is not null),
     e as (update policy_version set unwritten = null where id in (select b.id from b))
update policy_version
   set state = 'applied', version = $2, decided_at = now_ms(), decided_by = $3, decided_because = $4,
       unwritten = (select array_agg(distinct u.tenant order by u.tenant)
                      from (select unnest($5::int[]) union all select unnest(b.unwritten) from b) u (tenant))
 where id = $1;

-- name: reject
-- It is kept, and can be read.
update policy_version set state = 'rejected', decided_at = now_ms(), decided_by = $2, decided_because = $3 where id = $1;

-- name: outdate_others
-- Plans that were made on the version before.
update policy_version set state = 'outdated', decided_at = now_ms(), decided_by = $2 where state = 'proposed' and id <> $1;

-- name: lanes
-- Lanes that take mail: of all tenants, or of these.
select l.id, l.tenant, e.slug, t.name as type, l.class, t.criticality
  from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type
 where ($1::int[] is null or l.tenant = any ($1)) and l.retired_at is null order by l.tenant, t.name;

-- name: types
-- Message types with their classes.
select name, class from message_type order by name;

-- name: slugs
-- All tenants.
select slug from tenant;

-- name: write_lanes
-- What applies to these lanes from now on: of the documents ($4) each has one ($3), which many lanes share. Rows that stay as they are
-- are not written.
insert into lane_policy (lane, tenant, version, document)
select u.lane, u.tenant, (d.document ->> 'version')::int, d.document
  from unnest($1::int[], $2::int[], $3::int[]) u (lane, tenant, place)
  join unnest($4::jsonb[]) with ordinality d (document, place) on d.place = u.place
 where not exists (select from lane_policy o where o.lane = u.lane and o.document - 'version' = d.document - 'version')
on conflict (lane) do update set version = excluded.version, document = excluded.document;

-- name: without_row
-- Tenants of lanes that have no policy yet, after $1: of an installation that was upgraded.
select distinct l.tenant from lane l
 where l.tenant > $1 and l.retired_at is null and not exists (select from lane_policy p where p.lane = l.id)
 order by l.tenant limit $2;

-- name: sending_keys
-- Keys that can hand in mail of these tenants.
select id, tenant from api_key
 where tenant = any ($1::int[]) and revoked_at is null and 'send' = any (scopes) and (expires_at is null or expires_at > now())
 order by id;

-- name: with_new_keys
-- Tenants after $1 with a cap for each key, a key that has no limit of it, and a lane that takes mail: the caps are the lanes'.
select distinct s.tenant from send_limit s join api_key k on k.tenant = s.tenant
 where s.tenant > $1 and s.owner = 'policy' and s.scope = 'key' and k.revoked_at is null and 'send' = any (k.scopes)
   and (k.expires_at is null or k.expires_at > now())
   and not exists (select from send_limit o where o.tenant = s.tenant and o.owner = 'policy' and o.scope = 'key' and o.api_key = k.id)
   and exists (select from lane l where l.tenant = s.tenant and l.retired_at is null)
 order by s.tenant limit $2;

-- name: today
-- The UTC day of the database's clock, since 1970.
select (now_ms() / 86400000)::int;

-- name: new_lanes
-- Lanes that have a cap of new senders, after $1.
select distinct s.lane from send_limit s where s.owner = 'new-sender' and s.lane > $1 order by s.lane limit $2;

-- name: maybe_new
-- Those of these lanes that are new, or may be: they have a cap of new senders, or no policy yet. A lane that is known stays known.
select l.id from lane l
 where l.id = any ($1::int[])
   and (not exists (select from lane_policy p where p.lane = l.id)
        or exists (select from send_limit s where s.tenant = l.tenant and s.owner = 'new-sender' and s.lane = l.id));

-- name: records
-- What these lanes sent on the days before $2, by our own ledger, in the last 400 days. Lanes that sent nothing are left out. Each
-- day of a lane is looked up by its key: a lane that was made today has none.
select x.lane, $2::int - min(x.day) as age_days, count(*)::int as active_days,
       max(x.sent) filter (where x.day >= $2::int - 30)::bigint as busiest
  from (select l.id as lane, d.day, (select sum(c.sent) from cohort_day c where c.day = d.day and c.lane = l.id) as sent
          from lane l
         cross join lateral generate_series(greatest($2::int - 400, (extract(epoch from l.created_at) / 86400)::int - 1), $2::int - 1) d (day)
         where l.id = any ($1::int[])) x
 where x.sent > 0
 group by x.lane;

-- name: days
-- Mails by day of these lanes since $2.
select c.lane, c.day as at, sum(c.sent)::bigint as sent from cohort_day c
 where c.day >= $2::int and c.lane = any ($1::int[]) group by c.lane, c.day having sum(c.sent) > 0;

-- name: hours
-- Mails by hour of these lanes since $2.
select s.lane, c.hour as at, sum(c.sent)::bigint as sent from cohort_hour c join slice s on s.id = c.slice
 where c.hour >= $2::int and s.lane = any ($1::int[]) group by s.lane, c.hour having sum(c.sent) > 0;

-- name: lane_policies
-- What applies to these lanes.
select l.id as lane, l.tenant, l.class, p.document from lane l left join lane_policy p on p.lane = l.id where l.id = any ($1::int[]);
