-- What the control plane shows. $1 is the tenant to show, or null for all. Under the reader role, row-level security limits the
-- rows as well.

-- name: lane_id
-- A lane by its type's name.
select l.id from lane l join message_type t on t.id = l.type
where l.tenant = $1 and t.name = $2 and l.retired_at is null;

-- name: observed_only
-- Of a lane, or of a whole tenant.
select coalesce((select l.observed from lane l where l.id = $2), (select e.observed from tenant e where e.id = $1));

-- name: tenant
-- One tenant, also a retired one.
select id, slug, key, dedicated, ses_tenants, created_at, coalesce(retiring_at, retired_at) as retiring_at, retired_at, observed
from tenant where slug = $1;

-- name: tenants
-- A page of tenants, retired ones included: whose slug begins with $4, whose worst lane is in the state $5, of the tier $6. Counting
-- of what waits stops at $7 a lane. The last condition names the few tenants that can be in a state, so that not every lane is looked at.
select p.*, (select coalesce(sum((select count(*) from (select from ready r where r.lane = l.id and r.id >= c.oldest limit $7) r)
                                 + (select count(*) from (select from waiting w where w.lane = l.id and w.id >= c.oldest limit $7) w)), 0)
               from lane l cross join lateral (select first_id_at(now_ms() - l.expiry_ms) as oldest) c
              where l.tenant = p.id and l.retired_at is null)::bigint as waiting
  from (select e.id, e.slug, e.key, e.dedicated, e.ses_tenants, e.created_at, coalesce(e.retiring_at, e.retired_at) as retiring_at,
               e.retired_at, e.observed, t.tier, s.lanes, s.stopped_lanes,
               case s.worst when 3 then 'held' when 2 then 'stopped' when 1 then 'throttled' when 0 then 'open' end as state
          from tenant e
         cross join lateral (
             select coalesce((select o.document ->> 'tier' from lane_policy o where o.tenant = e.id limit 1), 'standard') as tier
         ) t
         cross join lateral (
             select count(*)::int as lanes, max(x.state) as worst, coalesce(array_agg(x.id) filter (where x.state = 2), '{}') as stopped_lanes
               from (select l.id, case when l.held then 3
                                       when l.stopped or (select every_lane_stopped()) then 2
                                       when exists (select from hold h where h.tenant = l.tenant and h.lifted_at is null
                                                    and hold_covers(h, l.tenant, l.class, l.id)) then 1
                                       else 0 end as state
                       from lane l where l.tenant = e.id and l.retired_at is null) x
         ) s
         where ($1::int is null or e.id = $1) and e.id > $2 and ($4::text is null or starts_with(e.slug, $4))
           and ($5::text is null or s.worst = array_position(array['open', 'throttled', 'stopped', 'held'], $5) - 1)
           and ($5::text is null or $5 = 'open'
                or $5 = 'held' and e.id in (select x.tenant from lane x where x.held)
                or $5 = 'stopped' and ((select every_lane_stopped()) or e.id in (select x.tenant from lane x where x.stopped))
                or $5 = 'throttled' and e.id in (select h.tenant from hold h where h.lifted_at is null))
           and ($6::text is null or t.tier = $6)
         order by e.id limit $3) p
 order by p.id;

-- name: lanes
-- Counting stops at $6: a list must not cost a scan of every backlog.
select l.id as lane, l.turn, l.tenant, e.slug, e.key as tenant_key, t.name as type, l.class, s.state, l.rate, l.policy_rate,
       (select count(*) from (select from ready r where r.lane = l.id and r.id >= c.oldest limit $6) r)
         + (select count(*) from (select from waiting w where w.lane = l.id and w.id >= c.oldest limit $6) w) as deliveries,
       least((select r.id from ready r where r.lane = l.id and r.id >= c.oldest order by r.id limit 1),
             (select w.id from waiting w where w.lane = l.id and w.id >= c.oldest order by w.id limit 1)) as oldest_id,
       r.path, r.ses_tenant, r.domain, r.configuration_set, r.ip_pool, i.status as identity_status,
       l.retiring_at, l.retire_mail
from lane l
join tenant e on e.id = l.tenant
join message_type t on t.id = l.type
join route r on r.lane = l.id and r.path = 'isolated'
join identity i on i.id = r.identity
cross join lateral (
    select first_id_at(now_ms() - l.expiry_ms) as oldest
) c
cross join lateral (
    select case when l.held then 'held'
                when l.stopped or (select every_lane_stopped()) then 'stopped'
                when exists (
                    select from hold h
                    where h.lifted_at is null and hold_covers(h, l.tenant, l.class, l.id)
                ) then 'throttled'
                else 'open' end as state
) s
where ($1::int is null or l.tenant = $1) and l.retired_at is null and ($2::text is null or t.name = $2)
  and ($3::text is null or s.state = $3) and l.id > $4
order by l.id limit $5;

-- name: lane_facts
-- What a lane shares with others: domain, SES tenant, configuration set and IP pool.
select l.id as lane, l.turn, l.tenant, e.key as tenant_key, t.name as type, l.class, r.path, r.domain, r.ses_tenant, r.configuration_set,
       r.ip_pool, k.kind as set_kind, o.domain as shared_domain, coalesce(o.share, 0) as shared_percent
from lane l
join tenant e on e.id = l.tenant
join message_type t on t.id = l.type
join route r on r.lane = l.id and r.path = 'isolated'
join configuration_set k on k.name = r.configuration_set
left join route o on o.lane = l.id and o.path = 'shared'
where l.tenant = any($1) and l.retired_at is null
order by l.tenant, l.class, t.name;

-- name: open_holds
-- Open holds of several tenants, oldest first.
select h.*, e.slug, t.name as type_name
from hold h join tenant e on e.id = h.tenant
left join lane l on l.id = h.lane left join message_type t on t.id = l.type
where h.tenant = any($1) and h.lifted_at is null
order by h.id;

-- name: holds
-- A page of holds, newest first; $2 chooses open or lifted ones.
select h.*, e.slug, t.name as type_name
from hold h join tenant e on e.id = h.tenant
left join lane l on l.id = h.lane left join message_type t on t.id = l.type
where ($1::int is null or h.tenant = $1) and ($2::boolean is null or (h.lifted_at is null) = $2)
  and ($3::bigint is null or h.id < $3)
order by h.id desc limit $4;

-- name: holds_by_id
-- Holds named by their ids, such as those that a command has just placed or lifted.
select h.*, e.slug, t.name as type_name
from hold h join tenant e on e.id = h.tenant
left join lane l on l.id = h.lane left join message_type t on t.id = l.type
where h.id = any($1) order by h.id;

-- name: stops_on
-- The open stops of each of these lanes.
select l.lane as covered_lane, s.*, path_under(s, l.lane) as path
  from unnest($1::int[]) l (lane) cross join lateral stops_on(l.lane, null) s order by l.lane, s.id;

-- name: stops
-- A page of stops, newest first; $2 chooses open or ended ones. Of a tenant: those that cover its lanes now.
select s.*, e.slug, t.name as type_name
from stop s left join tenant e on e.id = s.tenant
left join lane l on l.id = s.lane left join message_type t on t.id = l.type
where ($1::int is null or s.scope in ('cell', 'worker')
       or exists (select from lane x join route r on r.lane = x.id where x.tenant = $1 and stop_names(s.scope, s.name, r)))
  and ($2::boolean is null or (s.ended_at is null) = $2) and ($3::bigint is null or s.id < $3)
order by s.id desc limit $4;

-- name: stops_by_id
-- Stops named by their ids, such as those that a command has just ended.
select s.*, e.slug, t.name as type_name
from stop s left join tenant e on e.id = s.tenant
left join lane l on l.id = s.lane left join message_type t on t.id = l.type
where s.id = any($1) order by s.id;

-- name: identities
-- A page of domains with the DNS records that SES asks for.
select i.id, e.slug as tenant, i.domain, i.status, i.records, i.checked_at, i.created_at, i.retiring_at, i.retired_at, i.mail_from,
       c.proof, c.contended_at is not null as contended, case when c.contended_at is not null then c.token end as claim_token,
       (select p.domain from shared_parent p where i.domain like '%.' || p.domain limit 1) as shared_parent, s.lapsed_at
from identity i join tenant e on e.id = i.tenant
left join identity_state s on s.identity = i.id
left join domain_claim c on c.tenant = i.tenant and c.domain = i.domain and c.ended_at is null
where ($1::int is null or i.tenant = $1) and ($2::text is null or i.domain = $2) and i.id > $3 and i.freed_at is null
order by i.id limit $4;

-- name: provisioning
-- The tenant's own resources, and the shared sets it sends through.
select kind, name, state, error, attempts, observed_at
from ses_resource s
where s.tenant = $1
   or (s.tenant is null and split_part(s.name, '/', 1) in (
       select 'ungoverned' union all select r.configuration_set from route r where r.tenant = $1
   ))
order by phase, name
limit 1000;

-- name: types
-- The catalogue of message types, by class.
select id, name, class, criticality, description, expiry_ms, grace_ms, resend
from message_type where retired_at is null order by class, name limit 1000;
