-- Kinds of work that share the calls to SES, each with its queue in turns (control/work.py, docs/control.md).

-- A row waits since `due_since` if somebody made it due, else since its time came.
drop index ses_resource_due;
create index ses_resource_turn on ses_resource (work, coalesce(due_since, next_try_at), tenant nulls first, phase);
create index ses_resource_shared on ses_resource (next_try_at) where tenant is null;
update ses_resource set work = 'scan' where state = 'applied';

-- A refusal makes what SES has for the route due, as urgent work; a clock that was set back corrects its times.
grant update (work, due_since) on ses_resource to {{governor}};
grant update (due_since) on ses_resource to {{send}};
