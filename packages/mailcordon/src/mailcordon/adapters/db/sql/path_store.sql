-- The paths of lanes (docs/paths.md).

-- name: shared_paths
-- What tenants share, and how many do.
select p.name, p.domain, p.ses_tenant, p.ip_pool, p.since,
       count(l.id)::int as lanes, count(distinct l.tenant)::int as tenants
  from shared_path p
  left join route r on r.path = 'shared' and r.domain = p.domain
  left join lane l on l.id = r.lane and l.retired_at is null
 group by p.name order by p.name;

-- name: lanes
-- Lanes with their paths, the isolated one first: $5 lanes after lane $4. $2: also how many deliveries wait for each, up to $3 of
-- a lane.
select l.id as lane, e.slug, t.name as type, r.path, r.share, r.domain, r.ses_tenant, r.configuration_set, r.ip_pool,
       (select p.name from shared_path p where r.path = 'shared' and p.domain = r.domain) as shared_path,
       (select m.rollout from rollout_lane m where m.lane = l.id and m.open) as rollout,
       case when $2 then (
           select count(*) from (
               (select q.id from ready q where q.lane = l.id limit $3) union all
               (select w.id from waiting w where w.lane = l.id limit $3)) d
             join message m on m.id = (d.id & -64)
            where path_of(m.path, m.other_path, d.id) = r.path) else 0 end::int as waiting
  from (select l.id, l.tenant, l.type from lane l
         where l.retired_at is null and l.id > $4 and ($1::text is null or l.tenant = (select id from tenant where slug = $1))
         order by l.id limit $5) l
  join tenant e on e.id = l.tenant join message_type t on t.id = l.type join route r on r.lane = l.id
 order by l.id, r.path;

-- name: lock_paths
-- Of lanes with both paths, the share of the isolated one.
select r.lane, r.tenant, r.share, e.slug, t.name as type, r.domain, i.status = 'verified' as verified
  from route r join lane l on l.id = r.lane join tenant e on e.id = l.tenant join message_type t on t.id = l.type
  join identity i on i.id = r.identity
 where r.lane = any ($1::int[]) and r.path = 'isolated'
   and exists (select from route o where o.lane = r.lane and o.path = 'shared')
 order by r.lane for no key update of r;

-- name: set_shares
-- Of both paths of each lane.
update route r set share = case r.path when 'isolated' then u.share else 100 - u.share end
  from unnest($1::int[], $2::smallint[]) u (lane, share) where r.lane = u.lane;

-- name: in_rollout
-- The first of these lanes that a rollout moves.
select l.rollout, e.slug, t.name as type from rollout_lane l join lane x on x.id = l.lane join tenant e on e.id = x.tenant
  join message_type t on t.id = x.type where l.lane = any ($1::int[]) and l.open order by l.lane limit 1;

-- name: move_path
-- One batch of a lane's waiting mail.
select upto, moved, kept from move_path($1, $2, $3, $4);

-- name: add_shared
-- No row if the name or the domain is in use: as a shared path, or by a tenant.
insert into shared_path (name, domain, ses_tenant, ip_pool)
select $1, $2, $3, $4 where not exists (select from identity i where i.domain = $2 and i.freed_at is null)
on conflict do nothing returning name, domain, ses_tenant, ip_pool, since;

-- name: lane_words
-- What the audit calls a lane.
select l.tenant, e.slug, t.name as type from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type where l.id = $1;

-- name: lock_shared
-- It is not removed while a lane gets it, and no lane gets it while it is removed.
select p.name, p.domain, p.ses_tenant, p.ip_pool, p.since from shared_path p where p.name = $1 for update;

-- name: lanes_of_shared
-- Lanes that have it, the first ten, and how many there are.
select e.slug || ' ' || t.name as lane, count(*) over ()::int as number
  from route r join lane l on l.id = r.lane join tenant e on e.id = l.tenant join message_type t on t.id = l.type
 where r.path = 'shared' and r.domain = $1 and l.retired_at is null order by 1 limit 10;

-- name: drop_of_retired
-- A retired lane has no mail and takes no plan that would drop it. If it comes back, it sends on its own path.
with gone as (
    delete from route r using lane l where r.lane = l.id and r.path = 'shared' and r.domain = $1 and l.retired_at is not null
    returning r.lane, r.path, r.configuration_set, r.domain, r.ses_tenant
), own as (
    update route r set share = 100 from gone g where r.lane = g.lane and r.path = 'isolated'
)
insert into route_before (lane, path, configuration_set, until, domain, ses_tenant)
select lane, path, configuration_set, now_ms(), domain, ses_tenant from gone;

-- name: remove_shared
-- The domain is free for others again.
delete from shared_path where name = $1;

-- name: others_of_ses_tenant
-- Shared paths that leave through the same SES tenant.
select domain from shared_path where ses_tenant = $1 order by name;
