-- Hints: SES's management events, and the resources that they make looked at (docs/control.md).

-- name: record
-- An event that comes twice, or that is repeated within a minute, is stored once. Only the newest hints of a resource are compared,
-- so that a flood does not make the next one slower.
insert into ses_hint (event, resource_kind, resource, member, by, at)
select n.event, n.kind, n.name, n.member, n.by::jsonb, n.at
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[]) n (event, kind, name, member, by, at)
where not exists (
    select from (
        select h.event, h.member, h.by, h.at from ses_hint h
        where h.resource_kind = n.kind and h.resource = n.name
        order by h.id desc limit 20
    ) recent
    where recent.event = n.event and recent.member = n.member and recent.by = n.by::jsonb
      and recent.at between n.at - make_interval(mins => 1) and n.at + make_interval(mins => 1)
);

-- name: look
-- Makes a resource due, at once or after a pause. An event about a destination that is not ours makes the whole set looked at. The
-- rows are locked in one order.
with named as (
    select s.kind, s.name
    from ses_resource s
    where s.kind = $1 and s.name = $2
       or $1 = 'configuration-set' and $3 and s.kind = 'event-destination' and split_part(s.name, '/', 1) = $2
    order by s.kind, s.name for update
)
update ses_resource s
set next_try_at = case when $4::float8 <= 0 then 'epoch' else least(s.next_try_at, now() + make_interval(secs => $4::float8)) end,
    due_since = case when $4::float8 <= 0 then coalesce(s.due_since, now()) else s.due_since end,
    work = case when s.work in ('urgent', 'onboarding') and $5 <> 'urgent' then s.work else $5 end
from named n
where s.kind = n.kind and s.name = n.name;

-- name: purge
-- Hints are news. Old ones go, and the oldest of too many.
delete from ses_hint
where received_at < now() - make_interval(days => $1::int)
   or id <= (select id from ses_hint order by id desc offset $2::int limit 1);
