-- Plans: changes of the platform and the calls to SES that follow from them.

-- name: lock_desired
-- One change of the desired state at a time: two tenants must not claim the same domain at the same moment, and a plan is applied to
-- the state that it was made on.
select pg_advisory_xact_lock(20553, 0);

-- name: be_patient
-- What a large plan writes is computed in between, which takes seconds on a busy host.
set local idle_in_transaction_session_timeout = '60s';

-- name: numbers
-- Of the tenants that exist.
select id, slug from tenant where slug = any ($1::text[]);

-- name: have
-- What SES should have and was last seen to have: of some tenants and of what all share, or of all.
select r.kind, r.name, t.slug, r.desired, r.observed, r.wanted
from ses_resource r left join tenant t on t.id = r.tenant
where $1::int[] is null or r.tenant = any ($1) or r.tenant is null;

-- name: count_sets
-- SES allows 10,000 configuration sets per account.
select count(*)::int from ses_resource where kind = 'configuration-set';

-- name: insert_plan
-- Steps, notes and settings as JSON.
insert into plan (revision, source, tenant, steps, made_by, because, notes, settings)
values ($1, $2, $3, $4::jsonb, $5, $6, $7::jsonb, $8::jsonb)
returning id;

-- name: insert_changes
-- In the order in which they are made.
insert into plan_change (plan, seq, kind, name, action, member, tenant, was, want, waits)
select $1, seq, kind, name, action, member, tenant, was::jsonb, want::jsonb, waits
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::text[], $9::text[])
     with ordinality u (kind, name, action, member, tenant, was, want, waits, seq);

-- name: plan
-- One plan, with the number of its calls in each state.
select p.*, t.slug, (select jsonb_object_agg(c.state, c.n) from (
    select state, count(*) as n from plan_change where plan = p.id group by state) c) as counts
from plan p left join tenant t on t.id = p.tenant where p.id = $1;

-- name: lock_plan
-- A plan is decided once.
select id from plan where id = $1 for update;

-- name: changes
-- The first calls of a plan, in order.
select c.*, t.slug from plan_change c left join tenant t on t.id = c.tenant where c.plan = $1 order by c.seq limit $2;

-- name: calls_after
-- A page of the calls of a plan, in order.
select c.*, t.slug from plan_change c left join tenant t on t.id = c.tenant
where c.plan = $1 and c.seq > $2 order by c.seq limit $3;

-- name: steps_after
-- A page of the steps of a plan, in order. No row: there is no such plan.
select (select coalesce(jsonb_agg(s.step order by s.n), '[]') from (
    select step, n from jsonb_array_elements(p.steps) with ordinality u (step, n) where n > $2 order by n limit $3) s) as steps
from plan p where p.id = $1;

-- name: actions
-- What kinds of calls a plan has, and how many of each.
select action || ' ' || kind as what, count(*) as n from plan_change where plan = $1 group by 1 order by 1;

-- name: touched
-- The tenants that the calls of a plan touch.
select distinct t.slug from plan_change c join tenant t on t.id = c.tenant where c.plan = $1;

-- name: plans
-- The newest first, of all tenants. Without their steps and notes: one plan may have tens of thousands.
select p.id, p.revision, p.source, p.state, '[]' as steps, p.made_at, p.made_by, p.because, p.decided_at, p.decided_by,
       p.decided_because, p.ended_at, '[]' as notes, p.later, (select jsonb_object_agg(c.state, c.n) from (
    select state, count(*) as n from plan_change where plan = p.id group by state) c) as counts
from plan p
where ($1::text is null or p.state = $1) and ($2::bigint is null or p.id < $2)
order by p.id desc limit $3;

-- name: last_applied
-- Who changed the platform last.
select id from plan
where state in ('applying', 'applied') and (steps <> '[]' or source = 'settings')
order by decided_at desc limit 1;

-- name: waiting_settings
-- Plans of changed settings that wait for a person.
select id from plan where state = 'proposed' and source = 'settings' order by id;

-- name: outdate
-- Plans that were made on a state that is no longer.
update plan set state = 'outdated', ended_at = now() where state = 'proposed' and id = any ($1::bigint[]);

-- name: outdate_others
-- The platform has changed: plans that were made before do not apply to it.
update plan set state = 'outdated', ended_at = now()
where state = 'proposed' and source = 'person' and steps <> '[]' and id <> $1;

-- name: decide
-- Approves or rejects a plan. One without a call ends at once.
update plan p set state = $2, decided_at = now(), decided_by = $3, decided_because = $4,
                  ended_at = case when $2 in ('applied', 'rejected') then now() end
where id = $1;

-- name: open_calls
-- How many calls of a plan are to be made.
select count(*) from plan_change where plan = $1 and state in ('pending', 'failed');

-- name: name_tenants
-- The calls of tenants that did not exist when the plan was made.
update plan_change c set tenant = r.tenant
from ses_resource r where c.plan = $1 and c.tenant is null and c.state <> 'needless' and r.tenant is not null and r.kind = c.kind and r.name = c.name;

-- name: name_new_tenants
-- As `name_tenants`, of tenants that a part of the plan added: none of their calls was made yet.
update plan_change c set tenant = r.tenant
from ses_resource r
where c.plan = $1 and c.tenant is null and c.state in ('pending', 'failed')
  and r.tenant = any ($2::int[]) and r.kind = c.kind and r.name = c.name;

-- name: set_later
-- New tenants whose rows are written later.
update plan set later = $2 where id = $1;

-- name: later
-- Those that are still to be written. One part of a plan is written at a time.
select later from plan where id = $1 and state = 'applying' for update;

-- name: written
-- They are written now, or left out.
update plan set later = (select coalesce(array_agg(slug order by n), '{}')
                           from unnest(later) with ordinality u (slug, n) where not slug = any ($2::text[]))
where id = $1;

-- name: in_parts
-- Plans that are being applied and are not written whole.
select id from plan where later <> '{}' order by id;

-- name: leave_out
-- What a tenant that cannot be added any more would have needed.
update plan_change set state = 'needless', outcome = $3, at = now()
where plan = $1 and seq = any ($2::int[]) and state in ('pending', 'failed');

-- name: note
-- What a plan says beside its steps.
update plan set notes = notes || jsonb_build_array($2::text) where id = $1;

-- name: name_plan
-- A plan of one tenant that did not exist when it was made.
update plan set tenant = $2 where id = $1 and tenant is null;

-- name: wait_for_mail
-- What a plan takes away may be needed by mail that is on its way.
update plan_change set for_mail = true where plan = $1 and action in ('disassociate', 'delete');

-- name: supersede
-- What an earlier plan would take away, and this one wants: its call is not needed any more.
update plan_change c set state = 'needless', for_mail = false, at = now()
from plan p, unnest($2::text[], $3::text[], $4::text[]) w (kind, name, resources)
where p.id = c.plan and p.id <> $1 and p.state = 'applying' and c.state in ('pending', 'failed') and c.kind = w.kind and c.name = w.name
  and (c.action = 'delete' or c.action = 'disassociate' and w.resources::jsonb ? c.member)
returning c.plan;

-- name: release
-- Calls that no mail needs the old state for any more, of one plan or of all. Their resources are due at once. A set that lanes sent
-- mail through stays for as long as SES may still report on it ($2, by class, in ms): deleted, it reports nothing more. Looks at
-- some hundred at a time, by chance: a plan that retires thousands of tenants has tens of thousands, most of which wait for hours.
with waits as materialized (
    select c.plan, c.seq, c.kind, c.name, c.member
    from plan_change c join plan p on p.id = c.plan
    where p.state = 'applying' and c.for_mail and c.state in ('pending', 'failed') and ($1::bigint is null or p.id = $1)
    order by random() limit 300
), free as (
    select c.plan, c.seq, c.kind, c.name
    from waits c
    where case when c.kind = 'configuration-set' and exists (
              select from (
                  select b.lane, b.until from route_before b where b.configuration_set = c.name
                  union all
                  select r.lane, (extract(epoch from l.drained_at) * 1000)::bigint from route r join lane l on l.id = r.lane
                   where r.configuration_set = c.name and l.retired_at is not null
              ) u join lane l on l.id = u.lane
              where u.until > now_ms() - ($2::bigint[])[l.class + 1] and (select f.sent from lane_total f where f.lane = u.lane) > 0)
          then false else not mail_needs(c.kind, c.name, c.member) end
), freed as (
    update plan_change c set for_mail = false from free f where c.plan = f.plan and c.seq = f.seq
)
update ses_resource r set next_try_at = 'epoch', due_since = coalesce(due_since, now()), work = case work when 'scan' then 'repair' else work end
from (select distinct kind, name from free) f where r.kind = f.kind and r.name = f.name;

-- name: make_due
-- The resources of a plan that changes nothing of what is desired: they are looked at again at once.
update ses_resource r set next_try_at = 'epoch', due_since = coalesce(due_since, now()), work = $2
from plan_change c where c.plan = $1 and c.kind = r.kind and c.name = r.name;

-- name: want
-- What SES should have. A changed wish is applied at once; an unchanged one keeps its state. What every tenant needs is urgent. In
-- one order, so that two transactions with the same shared set cannot deadlock.
insert into ses_resource (kind, name, phase, tenant, desired, work)
select kind, name, phase, tenant, desired::jsonb, case when tenant is null then 'urgent' else $6 end
from unnest($1::text[], $2::text[], $3::smallint[], $4::int[], $5::text[]) u (kind, name, phase, tenant, desired)
order by phase, name
on conflict (kind, name) do update
set desired = excluded.desired, tenant = excluded.tenant, wanted = true, state = 'pending', error = null, attempts = 0, next_try_at = now(),
    work = excluded.work, due_since = null
where ses_resource.desired is distinct from excluded.desired or ses_resource.tenant is distinct from excluded.tenant
   or not ses_resource.wanted;

-- name: unwant
-- What should be gone.
update ses_resource r set wanted = false, state = 'pending', error = null, attempts = 0, next_try_at = now(), work = $3, due_since = null
from unnest($1::text[], $2::text[]) u (kind, name) where r.kind = u.kind and r.name = u.name and r.wanted;

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

-- name: end_finished
-- Plans whose last calls were recorded in two transactions at the same time: neither saw that the other was done.
update plan p set state = 'applied', ended_at = now()
where p.state = 'applying' and p.later = '{}'
  and not exists (select from plan_change c where c.plan = p.id and c.state in ('pending', 'failed'));

-- name: applying
-- Whether an applied plan has calls or routes left: costs one look at an index.
select exists (select from plan where state = 'applying') or exists (select from route where next_configuration_set is not null);
