-- Plans: changes of the platform and the calls to SES that follow from them.

-- name: done
-- Calls of applied plans that SES took.
update plan_change c set state = 'done', outcome = null, at = now()
from plan p
where p.id = c.plan and p.state = 'applying' and c.kind = $1 and c.name = $2 and c.state in ('pending', 'failed')
  and plan_change_key(c.action, c.member) = any ($3::text[])
returning c.plan;

-- name: failed
-- A call of an applied plan that SES refused, in its words. It is retried.
update plan_change c set state = 'failed', outcome = $4, at = now()
from plan p
where p.id = c.plan and p.state = 'applying' and c.kind = $1 and c.name = $2 and c.state in ('pending', 'failed')
  and plan_change_key(c.action, c.member) = $3;

-- name: needless
-- Once the resource is as it should be, its other calls are not needed any more.
update plan_change c set state = 'needless', at = now()
from plan p
where p.id = c.plan and p.state = 'applying' and c.kind = $1 and c.name = $2 and c.state in ('pending', 'failed') and not c.for_mail
  and not exists (select from ses_resource r where r.kind = $1 and r.name = $2 and r.state <> 'applied')
returning c.plan;

-- name: end_plans
-- A plan ends with its last call.
update plan p set state = 'applied', ended_at = now()
where p.id = any ($1::bigint[]) and p.state = 'applying'
  and not exists (select from plan_change c where c.plan = p.id and c.state in ('pending', 'failed'));
