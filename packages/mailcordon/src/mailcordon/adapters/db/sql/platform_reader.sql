-- The platform as it is desired: tenants, domains and lanes, read as values.

-- name: revision
-- The number of the desired state. A plan is made on one.
select value from epoch where name = 'desired';

-- name: classes
-- The classes of all message types, retired ones included: their lanes may exist.
select name, class, retired_at is not null as retired from message_type order by name;

-- name: tenants
-- All tenants, or those with these slugs.
select id, slug, key, dedicated, ses_tenants, retiring_at is not null as retired
from tenant where $1::text[] is null or slug = any ($1) order by id;

-- name: domains
-- Their domains. Those that were retired with their tenant are not retired by themselves.
select tenant, domain, mail_from, coalesce(retired_with = 'domain', false) as retired
from identity where $1::int[] is null or tenant = any ($1);

-- name: lanes
-- Their lanes, each with the domain that its isolated route has. Those that were retired with their domain or tenant are not
-- retired by themselves.
select l.tenant, t.name as type, l.class, r.domain, coalesce(l.retired_with = 'lane', false) as retired
from lane l join message_type t on t.id = l.type join route r on r.lane = l.id and r.path = 'isolated'
where $1::int[] is null or l.tenant = any ($1);

-- name: elsewhere
-- Domains of other tenants that are equal to, above or below one of these.
select distinct i.domain
from unnest($2::text[]) asked (domain)
join identity i on i.domain = asked.domain or i.domain like '%.' || asked.domain or asked.domain like '%.' || i.domain
where i.tenant <> all ($1::int[]);
