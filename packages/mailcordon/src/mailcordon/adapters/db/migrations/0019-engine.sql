-- Applying plans (docs/control.md).

alter table identity add column if not exists mail_from text;              -- custom MAIL FROM domain; null: SES's own

-- When the plan whose change waits was applied: calls that began before use what it replaces.
alter table plan_change add column for_mail boolean not null default false;  -- applied, but mail that needs the old state is on its way

-- A change by the key that control/plan.py gives it.
create function plan_change_key(action text, member text) returns text language sql immutable as $$
    select case when member = '' then action else action || ' ' || member end
$$;

-- By the resource, not by the plan, which may have 80,000 changes: hence the sub-select.
-- The keys of the changes of a resource that a person approved by applying their plan, and that no mail needs the old state for.
create function plan_allowed(of_kind text, of_name text) returns text[] language sql stable as $$
    select coalesce(array_agg(plan_change_key(c.action, c.member)), '{}')
    from plan_change c
    where c.kind = of_kind and c.name = of_name and c.state in ('pending', 'failed') and not c.for_mail
      and (select p.state from plan p where p.id = c.plan) = 'applying'
$$;

-- Those that are approved and still wait for mail.
create function plan_later(of_kind text, of_name text) returns text[] language sql stable as $$
    select coalesce(array_agg(plan_change_key(c.action, c.member)), '{}')
    from plan_change c
    where c.kind = of_kind and c.name = of_name and c.state in ('pending', 'failed') and c.for_mail
      and (select p.state from plan p where p.id = c.plan) = 'applying'
$$;
revoke all on function plan_change_key(text, text), plan_allowed(text, text), plan_later(text, text) from public;
grant execute on function plan_change_key(text, text), plan_allowed(text, text), plan_later(text, text) to {{control}}, {{governor}};

-- What a plan says beside its steps and calls, and the settings that a plan of the source `settings` was made for.
alter table plan add column notes jsonb not null default '[]', add column settings jsonb;
create index plan_newest on plan (state, id);

-- A lane moves to new sets or another SES tenant when SES has them; until then its route is the old one.
alter table route add column next_configuration_set text, add column next_ses_tenant text;
create index route_moving on route (tenant) where next_configuration_set is not null;
create index route_of_set on route (configuration_set);
create index route_of_domain on route (domain);
create index route_of_ses_tenant on route (ses_tenant);

-- A route is kept before a change of any part of it: what it named goes from SES only when no mail needs it any more.
alter table route_before add column domain text, add column ses_tenant text;
create or replace function keep_route_before() returns trigger language plpgsql as $$
begin
    insert into route_before (lane, path, configuration_set, until, domain, ses_tenant)
    values (old.lane, old.path, old.configuration_set, now_ms(), old.domain, old.ses_tenant);
    return null;
end $$;
drop trigger route_set_changed on route;
create trigger route_changed after update on route for each row
    when ((old.configuration_set, old.domain, old.ses_tenant) is distinct from (new.configuration_set, new.domain, new.ses_tenant))
    execute function keep_route_before();

-- Whether mail may need what a change takes away from SES:
-- - a lane that is not retired has it on its route, or
-- - a lane had it, and a call that began then has no outcome yet. Ten seconds later, because a route is read before the call. A
--   configuration set is needed for longest: the absence of a Send event is proved by a later one of the same set.
-- - a domain also while mail that was accepted for it is in the queue: its From address is there.
create function mail_needs(of_kind text, of_name text, of_member text) returns boolean language sql stable as $$
    with named as (
        select case when of_member like 'configuration-set/%' then substr(of_member, 19) end as set_name,
               case when of_member like 'identity/%' then substr(of_member, 10) end as domain
    ), uses as (
        select r.lane, null::bigint as until from route r
         where of_kind = 'configuration-set' and r.configuration_set = of_name
        union all
        select r.lane, null from route r where of_kind = 'identity' and r.domain = of_name
        union all
        select r.lane, null from named n, route r
         where of_kind in ('tenant', 'association') and r.ses_tenant = of_name
           and (n.set_name is null or r.configuration_set = n.set_name) and (n.domain is null or r.domain = n.domain)
        union all
        select b.lane, b.until from named n, route_before b
         where of_kind = 'configuration-set' and b.configuration_set = of_name or of_kind = 'identity' and b.domain = of_name
            or of_kind in ('tenant', 'association') and b.ses_tenant = of_name
               and (n.set_name is null or b.configuration_set = n.set_name) and (n.domain is null or b.domain = n.domain)
    )
    select exists (
        select from uses u join lane l on l.id = u.lane
        where l.retired_at is null and (
            u.until is null
            or u.until > now_ms() - 15000
            or exists (select from ready q where q.lane = u.lane and q.state = 1 and q.called_at < u.until + 10000)
            or exists (select from waiting w where w.lane = u.lane and w.why = 2 and w.called_at < u.until + 10000)
            or (of_kind = 'identity' or of_member like 'identity/%') and (
                exists (select from ready q where q.lane = u.lane and q.id < first_id_at(u.until + 10000))
                or exists (select from waiting w where w.lane = u.lane and w.id < first_id_at(u.until + 10000)))))
$$;
revoke all on function mail_needs(text, text, text) from public;
grant execute on function mail_needs(text, text, text) to {{control}};
