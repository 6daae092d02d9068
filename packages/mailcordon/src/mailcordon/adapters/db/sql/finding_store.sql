-- Findings: what SES has that differs from what is desired (docs/drift.md).

-- name: find
-- Opens a finding, or sees it again. Who did it comes from SES's latest management event for the same resource, if there was one
-- in the last minutes; events can also come later.
insert into finding as f (kind, severity, resource_kind, resource, member, tenant, detail, repair, row_kind, row_name, found_by, by)
select $1, $2, $3, $4, $5, $6, $7::jsonb, $8::jsonb, $9, $10, case when h.by is null then 'scan' else 'event' end, h.by
from (values (1)) one
left join lateral (
    select h.by || jsonb_build_object('at', h.at, 'event', h.event) as by
    from ses_hint h
    where (h.resource_kind, h.resource) in (($3, $4), ($9, $10)) and (h.member in ('', $5) or $5 = '')
      and h.received_at > now() - make_interval(mins => 15)
    order by h.member = $5 desc, h.id desc limit 1
) h on true
on conflict (kind, resource_kind, resource, member) where ended_at is null do update
set seen_at = now(), detail = excluded.detail, repair = excluded.repair, tenant = excluded.tenant,
    row_kind = excluded.row_kind, row_name = excluded.row_name, by = coalesce(f.by, excluded.by)
returning id, xmax = 0 as is_new, plan, hold;

-- name: end_findings
-- Ends open findings of a look, but for those that it still sees (by id).
update finding set ended_at = now(), ended_because = case when id = any ($4::bigint[]) then $5 else $6 end
where row_kind = $1 and row_name = $2 and ended_at is null and not id = any ($3::bigint[])
returning id, kind, resource_kind, resource, member, tenant, plan, hold, ended_because;

-- name: set_plan
-- The plan that repairs a finding.
update finding set plan = $2 where id = $1;

-- name: propose
-- A plan of the control process, for one finding.
insert into plan (revision, source, tenant, made_by, because)
select value, 'control', $1, $2, $3 from epoch where name = 'desired'
returning id;

-- name: propose_change
-- A call of such a plan.
insert into plan_change (plan, seq, kind, name, action, member, tenant, was, want, waits)
values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb, $10);

-- name: outdate_plan
-- What the plan would repair is over.
update plan set state = 'outdated', ended_at = now() where id = $1 and state = 'proposed';
