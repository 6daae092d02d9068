-- The rows that the steps of a plan write. What is alike is written in one statement, whatever the number of tenants.

-- name: insert_tenants
-- A tenant that was observed only begins to send, under the plan's key: nobody has seen its own. Any other slug or key that exists
-- gives no row.
insert into tenant (key, slug, dedicated, ses_tenants)
select key, slug, dedicated, ses_tenants
from unnest($1::text[], $2::text[], $3::bool[], $4::text[]) with ordinality u (key, slug, dedicated, ses_tenants, place)
order by place
on conflict (slug) do update
set key = excluded.key, dedicated = excluded.dedicated, ses_tenants = excluded.ses_tenants, observed = false where tenant.observed
returning slug, id;

-- name: insert_identities
-- Fails on a domain that exists: whose it is was checked under the lock. One that the tenant had before it was freed is its again,
-- and SES has to verify it.
insert into identity (tenant, domain) select tenant, domain from unnest($1::int[], $2::text[]) u (tenant, domain)
on conflict (tenant, domain) do update
set freed_at = null, freed_because = null, retiring_at = null, retired_at = null, retired_with = null, status = 'pending',
    records = '[]', mail_from = null, mail_from_chosen = false, checked_at = null, created_at = now()
where identity.freed_at is not null
returning tenant, domain, xmax <> 0 as again;

-- name: insert_claims
-- The holder's claim of each new domain. One below a domain that tenants share is proved by the platform; one that the plan takes
-- from another tenant ($5) by the operator who applied it.
insert into domain_claim (domain, tenant, holds, token, claimed_by, proof, proved_at)
select x.domain, x.tenant, true, x.token, $4, x.proof, case when x.proof is not null then now() end
from (select u.*, case when u.domain = any ($5::text[]) then 'operator'
                       when exists (select from shared_parent p where u.domain like '%.' || p.domain) then 'parent' end as proof
      from unnest($1::int[], $2::text[], $3::text[]) u (tenant, domain, token)) x
on conflict (tenant, domain) where ended_at is null do update
set holds = true, proof = excluded.proof, proved_at = excluded.proved_at;

-- name: move_dkim_keys
-- Of a domain that a plan takes from another tenant: SES goes on signing with them.
update dkim_key set tenant = $1 where domain = $2 and state <> 'dropped';

-- name: drop_dkim_keys
-- A domain that is added was deleted at SES in between, with its keys.
update dkim_key set state = 'dropped', secret = null where domain = any ($1::text[]) and state <> 'dropped';

-- name: free_domain
-- The row stays for the mail that was sent. Its state is one that keeps lanes held, whatever SES says of the name from now on.
update identity
set freed_at = now(), freed_because = $3, retiring_at = coalesce(retiring_at, now()), retired_with = 'domain', status = 'failed',
    records = '[]'
where tenant = $1 and domain = $2 and freed_at is null;

-- name: free_lanes
-- What is in the queues of its lanes is cancelled, and nothing leaves before it is: the lanes are closed here, and the governor
-- places the holds that say why.
update lane l
set held = true, retire_mail = 'cancel', retired_with = case when l.retired_with = 'lane' then 'lane' else 'domain' end,
    retiring_at = coalesce(l.retiring_at, now())
from route r
where r.lane = l.id and r.domain = $2 and l.tenant = $1 and l.retired_at is null;

-- name: end_claim
-- Of a tenant that holds a domain or contends for it.
update domain_claim set ended_at = now(), ended_because = $3 where tenant = $1 and domain = $2 and ended_at is null;

-- name: insert_sets
-- Shared sets exist once and belong to no tenant.
insert into configuration_set (name, kind, class, tenant)
select name, kind, class, tenant
from unnest($1::text[], $2::text[], $3::smallint[], $4::int[]) u (name, kind, class, tenant)
on conflict (name) do nothing;

-- name: insert_turns
-- One turn per tenant and class, whatever the number of lanes.
insert into turn (tenant, class)
select distinct tenant, class from unnest($1::int[], $2::smallint[]) u (tenant, class)
on conflict (tenant, class) do nothing;

-- name: insert_lanes
-- Held until the governor has derived them from the set of holds: a new lane must not slip past a hold on its tenant. One that was
-- observed only keeps its number and counts, and begins to send.
insert into lane (tenant, type, class, turn, held, expiry_ms, grace_ms, resend)
select u.tenant, u.type, u.class, t.id, true, u.expiry_ms, u.grace_ms, u.resend
from unnest($1::int[], $2::smallint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bool[]) with ordinality
     u (tenant, type, class, expiry_ms, grace_ms, resend, place)
join turn t on t.tenant = u.tenant and t.class = u.class
order by place
on conflict (tenant, type) do update
set held = true, expiry_ms = excluded.expiry_ms, grace_ms = excluded.grace_ms, resend = excluded.resend, observed = false
where lane.observed
returning id, tenant, type;

-- name: insert_routes
-- Uses the tenant's own identities only.
insert into route (lane, tenant, path, ses_tenant, identity, domain, configuration_set)
select u.lane, u.tenant, 'isolated', u.ses_tenant, i.id, i.domain, u.configuration_set
from unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::text[]) u (lane, tenant, ses_tenant, domain, configuration_set)
join identity i on i.tenant = u.tenant and i.domain = u.domain
returning lane;

-- name: set_mail_from
-- SES follows; until the new MAIL FROM domain works, it uses its own (ses.md 5.4).
update identity set mail_from = $3, mail_from_chosen = true where tenant = $1 and domain = $2;

-- name: move_lane
-- The lane is closed until the governor has derived it: its new domain may not be verified.
with moved as (
    update route r set identity = i.id, domain = i.domain
    from lane l join message_type t on t.id = l.type, identity i
    where r.lane = l.id and r.path = 'isolated' and l.tenant = $1 and t.name = $2 and i.tenant = $1 and i.domain = $3
    returning r.lane, i.status
)
update lane l set held = true from moved m where l.id = m.lane and m.status <> 'verified';

-- name: add_path
-- A lane's share of the shared path is what its own path leaves. $4: the configuration set of its class, which all tenants share.
insert into route (lane, tenant, path, share, ses_tenant, domain, configuration_set, ip_pool)
select l.id, l.tenant, 'shared', 100 - $5::int, p.ses_tenant, p.domain, $4, p.ip_pool
from lane l join message_type t on t.id = l.type, shared_path p where l.tenant = $1 and t.name = $2 and p.name = $3 for share of p;

-- name: share_own_path
-- Beside `add_path`.
update route r set share = $3::int
from lane l join message_type t on t.id = l.type where r.lane = l.id and r.path = 'isolated' and l.tenant = $1 and t.name = $2;

-- name: use_of_shared_path
-- Its share, and whether mail of the lane waits for it or has no clear outcome. At a share of 0 only raw mail from its domain can
-- still come.
select r.share,
       exists (select from (select q.id from ready q where q.lane = r.lane union all select w.id from waiting w where w.lane = r.lane) d
                 join message m on m.id = (d.id & -64) where path_of(m.path, m.other_path, d.id) = 'shared') as waiting
from route r join lane l on l.id = r.lane join message_type t on t.id = l.type
where r.path = 'shared' and l.tenant = $1 and t.name = $2 for update of r;

-- name: drop_path
-- What it was is kept for the events that still come.
with gone as (
    delete from route r using lane l join message_type t on t.id = l.type
     where r.lane = l.id and r.path = 'shared' and l.tenant = $1 and t.name = $2 and r.share = 0
    returning r.lane, r.path, r.configuration_set, r.domain, r.ses_tenant
)
insert into route_before (lane, path, configuration_set, until, domain, ses_tenant)
select lane, path, configuration_set, now_ms(), domain, ses_tenant from gone;

-- name: set_topology
-- Its routes follow once SES has the new sets and SES tenants (`switch_routes`).
update tenant set dedicated = $2, ses_tenants = $3 where id = $1;

-- name: move_routes
-- Where the lanes of a tenant will be, by class; null where they are already.
update route r
set next_configuration_set = case when (r.configuration_set, r.ses_tenant) is distinct from (u.configuration_set, u.ses_tenant)
                                  then u.configuration_set end,
    next_ses_tenant = case when (r.configuration_set, r.ses_tenant) is distinct from (u.configuration_set, u.ses_tenant)
                           then u.ses_tenant end
from lane l join unnest($2::smallint[], $3::text[], $4::text[]) u (class, configuration_set, ses_tenant) on u.class = l.class
where r.lane = l.id and l.tenant = $1 and r.path = 'isolated' and l.retiring_at is null;

-- name: switch_routes
-- Routes whose new configuration set, with its destinations, and new SES tenant, with its policy, are at SES, and associated with
-- each other and the lane's domain. A lane whose queue has mail of a domain that it had before goes to no other SES tenant until that
-- mail has left: the new one may not send from that domain.
update route r
set configuration_set = r.next_configuration_set, ses_tenant = r.next_ses_tenant, next_configuration_set = null, next_ses_tenant = null
where r.next_configuration_set is not null
  and not exists (
      select from (values ('configuration-set', r.next_configuration_set),
                          ('event-destination', r.next_configuration_set || '/outcome'),
                          ('event-destination', r.next_configuration_set || '/engagement'),
                          ('tenant', r.next_ses_tenant), ('policy', r.next_ses_tenant)) needed (kind, name)
      left join ses_resource s on s.kind = needed.kind and s.name = needed.name
      where s.state is distinct from 'applied')
  and exists (
      select from ses_resource s
      where s.kind = 'association' and s.name = r.next_ses_tenant
        and s.observed -> 'resources' ?& array['configuration-set/' || r.next_configuration_set, 'identity/' || r.domain])
  and (r.next_ses_tenant = r.ses_tenant or not exists (
      select from route_before b
      where b.lane = r.lane and b.domain <> r.domain
        and (exists (select from ready q where q.lane = r.lane and q.id < first_id_at(b.until + 10000))
             or exists (select from waiting w where w.lane = r.lane
                          and (w.id < first_id_at(b.until + 10000) or w.why = 4 and w.since < b.until + 10000)))))
returning r.tenant;

-- name: leave_pool
-- The tenant's mail of a class is in no IP pool, or in another one from now on.
update ip_pool_member set ended_at = now_ms(), ended_by = $3, ended_because = $4
where tenant = $1 and class = $2 and ended_at is null;

-- name: join_pool
-- After `leave_pool`: it is in one pool at most.
insert into ip_pool_member (tenant, class, pool, marketing, added_by, because) values ($1, $2, $3, $4, $5, $6);

-- name: follow_pools
-- Routes whose configuration set has another IP pool at SES than they say, as a plan wanted it. Shared sets have none of ours.
-- $1: SES's name for the shared addresses.
update route r
set ip_pool = nullif(s.observed ->> 'sending_pool', $1)
from ip_pool_member m
join configuration_set c on c.tenant = m.tenant and c.class = m.class and c.kind = 'dedicated'
join ses_resource s on s.kind = 'configuration-set' and s.name = c.name
where r.configuration_set = c.name and s.state = 'applied'
  and s.desired ->> 'sending_pool' = s.observed ->> 'sending_pool'
  and r.ip_pool is distinct from nullif(s.observed ->> 'sending_pool', $1)
returning r.lane;
