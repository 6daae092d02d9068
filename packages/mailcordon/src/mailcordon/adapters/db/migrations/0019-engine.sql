-- Applying plans (docs/control.md).

alter table identity add column if not exists mail_from text;              -- custom MAIL FROM domain; null: SES's own

-- When the plan whose change waits was applied: calls that began before use what it replaces.
alter table plan_change add column for_mail boolean not null default false;  -- applied, but mail that needs the old state is on its way

-- A change by the key that control/plan.py gives it.
create function plan_change_key(action text, member text) returns text language sql immutable as $$
    select case when member = '' then action else action || ' ' || member end
$$;

-- The keys of the changes of a resource that a person approved by applying their plan, and that no mail needs the old state for.
create function plan_allowed(of_kind text, of_name text) returns text[] language sql stable as $$
    select coalesce(array_agg(plan_change_key(c.action, c.member)), '{}')
    from plan_change c join plan p on p.id = c.plan
    where c.kind = of_kind and c.name = of_name and c.state in ('pending', 'failed') and not c.for_mail and p.state = 'applying'
$$;

-- Those that are approved and still wait for mail.
create function plan_later(of_kind text, of_name text) returns text[] language sql stable as $$
    select coalesce(array_agg(plan_change_key(c.action, c.member)), '{}')
    from plan_change c join plan p on p.id = c.plan
    where c.kind = of_kind and c.name = of_name and c.state in ('pending', 'failed') and c.for_mail and p.state = 'applying'
$$;
revoke all on function plan_change_key(text, text), plan_allowed(text, text), plan_later(text, text) from public;
grant execute on function plan_change_key(text, text), plan_allowed(text, text), plan_later(text, text) to {{control}}, {{governor}};
