-- The platform as it is desired: tenants, domains and lanes, read as values.

-- name: revision
-- The number of the desired state. A plan is made on one.
select value from epoch where name = 'desired';

-- name: classes
-- The classes of all message types, retired ones included: their lanes may exist.
select name, class, retired_at is not null as retired from message_type order by name;

-- name: tenants
-- All tenants, or those with these slugs. Nothing is desired of those that are observed only.
select id, slug, key, dedicated, ses_tenants, retiring_at is not null as retired
from tenant where ($1::text[] is null or slug = any ($1)) and not observed order by id;

-- name: domains
-- Their domains. Those that were retired with their tenant are not retired by themselves.
select tenant, domain, mail_from, mail_from_chosen, coalesce(retired_with = 'domain', false) as retired, freed_at is not null as freed
from identity where $1::int[] is null or tenant = any ($1);

-- name: lanes
-- Their lanes, each with the domain that its isolated route has. Those that were retired with their domain or tenant are not
-- retired by themselves.
select l.tenant, t.name as type, l.class, r.domain, coalesce(l.retired_with = 'lane', false) as retired,
       (select p.name from route o join shared_path p on p.domain = o.domain where o.lane = l.id and o.path = 'shared') as shared_path,
       (select m.rollout from rollout_lane m join rollout x on x.id = m.rollout
         where m.lane = l.id and m.open and x.state <> 'finishing') as rollout
from lane l join message_type t on t.id = l.type join route r on r.lane = l.id and r.path = 'isolated'
where $1::int[] is null or l.tenant = any ($1);

-- name: pools
-- The IP pools: at most the 50 that SES allows.
select name, managed, marketing from ip_pool order by name;

-- name: pooled
-- The pool of each class of their mail, or that it has left its last one ($2).
select distinct on (m.tenant, m.class) m.tenant, m.class, case when m.ended_at is null then m.pool else $2 end as pool
from ip_pool_member m
where $1::int[] is null or m.tenant = any ($1)
order by m.tenant, m.class, m.id desc;

-- name: elsewhere
-- Domains of other tenants that are equal to, above or below one of these.
select distinct i.domain
from unnest($2::text[]) asked (domain)
join identity i on i.domain = asked.domain or i.domain like '%.' || asked.domain or asked.domain like '%.' || i.domain
where i.tenant <> all ($1::int[]) and i.freed_at is null;

-- name: shared_parents
-- Domains of the platform: a handful.
select domain from shared_parent order by domain;

-- name: shared_paths
-- What lanes may have beside their own path.
select name from shared_path order by name;

-- name: elsewhere_of_many
-- As `elsewhere`, for more domains than can be compared with every other one: by the domains above each. The names are keys of JSON,
-- which are looked up by bisection whatever the planner expects.
with others as materialized (
    select domain, string_to_array(domain, '.') as labels from identity
    where tenant <> all ($1::int[]) and freed_at is null
), names as materialized (
    select (select jsonb_object_agg(domain, 1) from unnest($2::text[]) u (domain)) as asked,
           (select jsonb_object_agg(array_to_string(p.labels[n:], '.'), 1)
              from (select string_to_array(domain, '.') as labels from unnest($2::text[]) u (domain)) p,
                   generate_series(1, cardinality(p.labels)) n) as above
)
select o.domain from others o
where (select above from names) ? o.domain
   or exists (select from generate_series(1, cardinality(o.labels)) n where (select asked from names) ? array_to_string(o.labels[n:], '.'));
