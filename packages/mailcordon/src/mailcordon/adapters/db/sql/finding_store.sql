-- Findings: what SES has that differs from what is desired (docs/drift.md).

-- name: find
-- Opens a finding, or sees it again. Who did it comes from SES's latest management event about the same member or the whole
-- resource, if there was one in the last minutes.
insert into finding as f (kind, severity, resource_kind, resource, member, tenant, detail, repair, row_kind, row_name,
                          touched_kind, touched_name, touched_member, found_by, by)
select $1, $2, $3, $4, $5, $6, $7::jsonb, $8::jsonb, $9, $10, $11, $12, $13, case when h.by is null then 'scan' else 'event' end, h.by
from (values (1)) one
left join lateral (
    select h.by || jsonb_build_object('at', h.at, 'event', h.event) as by
    from ses_hint h
    where h.resource_kind = $11 and h.resource = $12 and (h.member in ('', $13) or $13 = '')
      and h.received_at > now() - make_interval(mins => 15)
    order by h.member = $13 desc, h.id desc limit 1
) h on true
on conflict (kind, resource_kind, resource, member) where ended_at is null do update
set seen_at = now(), detail = excluded.detail, repair = excluded.repair, tenant = excluded.tenant,
    row_kind = excluded.row_kind, row_name = excluded.row_name, by = coalesce(f.by, excluded.by)
returning id, xmax = 0 as is_new, plan, hold;

-- name: attribute
-- A management event may come after the scan has found what it did, or after it was repaired.
update finding f
set by = h.by || jsonb_build_object('at', h.at, 'event', h.event)
from (
    select o.id, t.by, t.at, t.event
    from (select * from finding order by id desc limit 1000) o
    cross join lateral (
        select h.by, h.at, h.event from ses_hint h
        where h.resource_kind = o.touched_kind and h.resource = o.touched_name
          and (h.member in ('', o.touched_member) or o.touched_member = '')
          and h.at between o.since - make_interval(hours => 1) and o.since
        order by h.member = o.touched_member desc, h.id desc limit 1
    ) t
    where o.by is null and o.since > now() - make_interval(hours => 2)
) h
where f.id = h.id;

-- name: end_findings
-- Ends open findings of a look, but for those that it still sees (by id). Repaired by the look, or by a plan before it. $7: if only
-- one resource was looked at.
update finding set ended_at = now(), ended_because = case
    when id = any ($4::bigint[]) or tried or exists (select from plan_change c where c.plan = finding.plan and c.state = 'done') then $5 else $6 end
where row_kind = $1 and row_name = $2 and ended_at is null and not id = any ($3::bigint[])
  and ($7::text is null or resource = $7)
returning id, kind, resource_kind, resource, member, tenant, plan, hold, ended_because;

-- name: repaired
-- How often the findings of a look were repaired in the last hour.
select kind, resource_kind, resource, member, count(*)::int as times
from finding
where ended_at > now() - make_interval(hours => 1) and row_kind = $1 and row_name = $2 and ended_because = $3
group by 1, 2, 3, 4;

-- name: set_tried
-- A call that repairs a finding was made.
update finding set tried = true where id = $1;

-- name: set_plan
-- The plan that repairs a finding.
update finding set plan = $2 where id = $1;

-- name: open_of_look
-- The keys of the open findings of a look.
select open_findings($1, $2);

-- name: outdate_plan
-- What the plan would repair is over. One that is being applied just now is left alone.
update plan set state = 'outdated', ended_at = now()
where id = (select id from plan where id = $1 and state = 'proposed' for update skip locked);

-- name: strangers
-- Those of these names that are not ours. The domain and the SES tenant of a shared path were not made by us, and are used. What its
-- tenant may send with is found in its association.
select n.name from unnest($2::text[]) n (name)
where not exists (select from ses_resource r where r.kind = $1 and r.name = n.name)
  and not exists (select from shared_path p where n.name = case $1 when 'identity' then p.domain when 'tenant' then p.ses_tenant end)
order by n.name;

-- name: keep_beside
-- What stands beside our resources, with its age.
insert into ses_beside (kind, name, whole)
select $1, n.name, n.whole::jsonb from unnest($2::text[], $3::text[]) n (name, whole)
on conflict (kind, name) do update set whole = excluded.whole, observed_at = now();

-- name: forget_beside
-- What is not there any more, or is ours now. What was accepted stays accepted if it comes back.
delete from ses_beside where kind = $1 and not accepted and not name = any ($2::text[]);

-- name: known_beside
-- The names of what was seen beside ours, the one first that was read longest ago.
select name from ses_beside where kind = $1 order by observed_at, name;

-- name: keep_members
-- Members of SES's answers that this version does not know, with the first resource that had one.
insert into ses_beside (kind, name, whole)
select 'member', n.name, jsonb_build_object('resource', $2::text) from unnest($1::text[]) n (name)
on conflict (kind, name) do nothing;

-- name: new_members
-- Those members.
select name, whole ->> 'resource' as resource from ses_beside where kind = 'member';

-- name: forget_members
-- Members that a newer version knows.
delete from ses_beside where kind = 'member' and name = any ($1::text[]);

-- name: accepted_beside
-- What a person has accepted.
select kind, name from ses_beside where accepted;

-- name: domains_near
-- Our domains that are among $1, or below one of $2.
with near as (
    select i.domain from identity i join unnest($1::text[]) n (name) on n.name = i.domain where i.freed_at is null
    union
    select i.domain
    from identity i
    cross join lateral string_to_array(i.domain, '.') l (labels)
    cross join lateral generate_series(2, cardinality(l.labels) - 1) k
    join unnest($2::text[]) n (name) on n.name = array_to_string(l.labels[k:], '.')
    where i.freed_at is null
)
select i.domain, i.tenant, e.slug
from near join identity i on i.domain = near.domain and i.freed_at is null join tenant e on e.id = i.tenant;

-- name: entities
-- Reputation entities from a list, for the policies of our tenants. One that is as recorded counts as read; one that differs is read
-- by itself, and repaired or reported. The rows are locked in one order.
with listed as (
    select r.name, n.whole::jsonb as whole,
           r.observed ->> 'policy' is not distinct from n.policy and coalesce(r.observed ->> 'status', 'ENABLED') = n.status as same
    from ses_resource r join unnest($1::text[], $2::text[], $3::text[], $4::text[]) n (name, policy, status, whole) on n.name = r.name
    where r.kind = 'policy' and r.state = 'applied' and r.wanted and r.next_try_at > now()
    order by r.name for no key update of r
)
update ses_resource r
set observed_at = case when l.same then now() else r.observed_at end, whole = case when l.same then l.whole else r.whole end,
    next_try_at = case when l.same then greatest(r.next_try_at, now() + make_interval(secs => $5::float8)) else now() end,
    work = case when l.same then r.work else 'repair' end
from listed l
where r.kind = 'policy' and r.name = l.name;

-- name: statuses
-- Sending statuses of our tenants from a list: what differs from what was read is read by itself.
with changed as (
    select r.name from ses_resource r join unnest($1::text[], $2::text[]) n (name, status) on n.name = r.name
    where r.kind = 'tenant' and r.state = 'applied' and r.observed ->> 'status' <> n.status and r.next_try_at > now()
    order by r.name for no key update of r
)
update ses_resource r set next_try_at = now(), work = 'repair' from changed c where r.kind = 'tenant' and r.name = c.name;

-- name: last_hint
-- Where to continue.
select coalesce(max(id), 0) from ses_hint;

-- name: hinted
-- What management events named that is not ours. An association is about its tenant. $4: those that associated a tenant with what is
-- ours, or the others, of which the newest count.
select n.kind, n.name, n.id
from (
    select h.resource_kind as kind, h.resource as name, max(h.id) as id
    from ses_hint h
    where h.id > $1 and h.id <= $2 and h.resource_kind in ('association', 'tenant', 'identity', 'configuration-set')
      and not exists (
          select from ses_resource r
          where r.name = h.resource and r.kind = case h.resource_kind when 'association' then 'tenant' else h.resource_kind end
      )
      and $4 = (h.resource_kind = 'association' and exists (
          select from ses_resource r
          where r.kind = split_part(h.member, '/', 1) and r.name = substr(h.member, strpos(h.member, '/') + 1)
      ))
    group by 1, 2
) n
order by case when $4 then n.id else -n.id end limit $3;

-- name: approved
-- Calls of applied plans about what is not ours.
select c.kind, c.name, c.action, c.member, c.tenant
from plan_change c join plan p on p.id = c.plan
where p.state = 'applying' and c.state in ('pending', 'failed') and not c.for_mail and c.action in ('disassociate', 'delete')
  and c.kind in ('association', 'event-destination')
  and not exists (select from ses_resource r where r.kind = c.kind and r.name = c.name)
  and (c.at is null or c.at < now() - make_interval(secs => 30))
order by c.plan, c.seq limit 20;

-- name: look_at_set
-- After a destination of a set was deleted, the set's destinations are listed again.
update ses_resource set next_try_at = 'epoch', work = 'urgent'
where kind = 'event-destination' and split_part(name, '/', 1) = $1;

-- name: want_account
-- The account itself: nothing is desired of it, but its settings are watched.
insert into ses_resource (kind, name, phase, desired, work) values ('account', $1, 7, '{}', 'scan') on conflict (kind, name) do nothing;

-- name: finding
-- One finding, locked.
select * from finding where id = $1 for update;

-- name: resource_of
-- The resource that a finding is about, as it was last read.
select desired, whole, accepted from ses_resource where kind = $1 and name = $2 for update;

-- name: set_accepted
-- A person accepts what no check covers. It is looked at again at once.
update ses_resource set accepted = $3::jsonb, next_try_at = 'epoch', work = 'repair' where kind = $1 and name = $2;

-- name: accept_beside
-- A person accepts something that is not ours.
insert into ses_beside (kind, name, whole, accepted) values ($1, $2, '{}', true)
on conflict (kind, name) do update set accepted = true;

-- name: end_finding
-- A person accepted it.
update finding set ended_at = now(), ended_because = $2 where id = $1 and ended_at is null;

-- name: findings
-- A page of findings, newest first. $2: the tenant's slug, since a finding can be about two tenants.
select f.*, e.slug, p.act, p.hold as policy_hold
from finding f left join tenant e on e.id = f.tenant left join drift_policy p on p.kind = f.kind
where ($1::bigint is null or f.id = $1)
  and ($2::text is null or e.slug = $2 or f.detail ->> 'tenant' = $2)
  and ($3::text is null or f.kind = $3) and ($4::text is null or f.severity = $4)
  and ($5::boolean is null or (f.ended_at is null) = $5) and ($6::bigint is null or f.id < $6)
order by f.id desc limit $7;

-- name: set_policy
-- What happens when a difference of a kind is found.
insert into drift_policy (kind, act, hold, by, because) values ($1, $2, $3, $4, $5)
on conflict (kind) do update set act = excluded.act, hold = excluded.hold, by = excluded.by, because = excluded.because, at = now();

-- name: stored_policies
-- What people have set.
select * from drift_policy order by kind;

-- name: recheck_found
-- A changed policy acts on what is open.
update ses_resource r set next_try_at = 'epoch', work = 'repair'
from finding f
where (f.kind = $1 or $1 = 'addition' and f.kind like 'missing-%') and f.ended_at is null and r.kind = f.row_kind and r.name = f.row_name;

-- name: to_hold
-- Findings whose policy holds mail, and that hold none yet. Of a tenant that can use another's domain, it is its own mail.
select f.id, f.kind, f.detail,
       coalesce((select r.tenant from ses_resource r
                 where f.kind = 'shared-association' and r.kind = 'association' and r.name = f.resource), f.tenant) as tenant
from finding f join drift_policy p on p.kind = f.kind
where f.ended_at is null and f.hold is null and p.hold and f.kind = any ($1::text[]) and f.tenant is not null
order by f.id limit 100;

-- name: set_hold
-- The hold that was placed for a finding.
update finding set hold = $2 where id = $1;

-- name: to_lift
-- Holds of findings that ended, or whose policy does not hold mail any more.
select f.id, h.id as hold, h.tenant
from finding f join hold h on h.id = f.hold and h.lifted_at is null left join drift_policy p on p.kind = f.kind
where f.ended_at is not null or not coalesce(p.hold, false)
order by f.id limit 100;

-- name: purge_findings
-- Findings that ended long ago.
delete from finding where ended_at < now() - make_interval(days => $1::int);
