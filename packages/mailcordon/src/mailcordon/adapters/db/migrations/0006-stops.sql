-- What SES, or the way to it, refuses: one row at the scope of its cause (docs/decisions/019). Holds remain what we decide.

create table stop (
    id bigint generated always as identity primary key,
    scope text not null check (scope in ('cell', 'worker', 'set', 'identity', 'tenant', 'lane')),
    name text not null check (name <> ''),                  -- cell; worker id; configuration set; domain; SES tenant; lane id
    tenant int references tenant,                           -- of a scope that belongs to one tenant
    lane int references lane,                               -- of the scope lane
    cause text not null check (cause <> ''),                -- core.reason.Reason
    because text not null check (because <> ''),            -- what is refused; SES's own words are in `said`
    said text not null default '',
    urgent boolean not null,                                -- urgent mail waits for it: probes come more often
    since bigint not null,
    last_seen bigint not null,
    hits int not null default 1,                            -- calls that were refused for it
    probe_at bigint not null,                               -- when it is tested next
    probes int not null default 0,
    last_probe text,                                        -- what the last probe found
    probe_lane int,                                         -- whose route carried it: the next one takes another
    ended_at bigint,
    ended_by text,
    ended_because text,
    check ((ended_at is null) = (ended_by is null)),
    check (scope <> 'lane' or (lane is not null and tenant is not null))
);
create unique index stop_open on stop (scope, name, cause) where ended_at is null;
create index stop_ended on stop (ended_at) where ended_at is not null;
grant select on stop to {{control}}, {{governor}}, {{send}}, {{observe}}, {{reader}};
grant insert, update on stop to {{governor}};
grant delete on stop to {{control}};

-- A tenant's key sees what stops its own mail. `route` shows the reader only the tenant's own rows.
alter table stop enable row level security;
create policy own_tenant on stop for select to {{reader}}
    using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int
           or scope in ('cell', 'worker')
           or scope = 'set' and exists (select from route r where r.configuration_set = stop.name));
create policy planes on stop to {{control}}, {{governor}}, {{send}}, {{observe}} using (true) with check (true);

-- Derived from the open stops that name a part of the lane's route, by the governor. `held` is derived from holds alone.
alter table lane add column stopped boolean not null default false;
grant update (stopped) on lane to {{governor}};

-- A refusal makes what SES has for the route due.
grant update (next_try_at) on ses_resource to {{governor}};

-- Whether a stop of this scope names a part of this route. A cell or a worker is no part of any: it covers every lane.
create function stop_names(scope text, name text, part_of route) returns boolean language sql immutable
    return case scope when 'set' then part_of.configuration_set = name when 'identity' then part_of.domain = name
                      when 'tenant' then part_of.ses_tenant = name when 'lane' then part_of.lane::text = name else false end;

-- When a stop was open. After the clock was set back, it may have ended before it began.
create function stop_time(one stop) returns int8range language sql immutable
    return int8range(least(one.since, one.ended_at), one.ended_at);

-- The lanes that a stop covers.
create function lanes_under(scope text, name text) returns setof int language sql stable as $$
    select distinct r.lane from route r
     where lanes_under.scope in ('cell', 'worker') or stop_names(lanes_under.scope, lanes_under.name, r)
$$;

-- The open stops that cover these lanes by their route. Those of a cell or a worker are not among them.
create function stops_of(lanes int[]) returns table (lane int, stop bigint) language sql stable as $$
    select distinct r.lane, s.id
      from route r join stop s on s.ended_at is null and stop_names(s.scope, s.name, r)
     where r.lane = any (lanes)
$$;

-- Whether every live dispatcher has a stop of its own.
create function every_worker_stopped() returns boolean language sql stable as $$
    select exists (select from stop s where s.ended_at is null and s.scope = 'worker')
       and not exists (
           select from worker w
            where w.ended_at is null and w.heartbeat > now_ms() - 10000
              and not exists (select from stop s where s.ended_at is null and s.scope = 'worker' and s.name = w.id::text))
$$;

-- Whether no mail leaves, whichever lane it is in: the account is stopped, or every live dispatcher.
create function every_lane_stopped() returns boolean language sql stable as $$
    select exists (select from stop s where s.ended_at is null and s.scope = 'cell') or every_worker_stopped()
$$;

-- 0: since before this column, which says no more.
alter table worker add column started_at bigint not null default 0;
alter table worker alter column started_at set default now_ms();
grant select (id, heartbeat, started_at, ended_at) on worker to {{reader}}, {{observe}};

-- When no dispatcher could call SES, from `since` on: none lived, or each that did had a stop of its own. A dispatcher that was
-- killed lived until its heartbeats were missed.
create function no_way_out(since bigint) returns int8multirange language sql stable as $$
    with stopped as (
        select s.name, range_agg(stop_time(s)) as times
          from stop s
         where s.scope = 'worker' and (s.ended_at is null or s.ended_at > no_way_out.since)
         group by s.name
    ), lived as (
        select w.id, int8range(w.started_at, case
                   when w.ended_at is not null then greatest(w.started_at, least(w.ended_at, w.heartbeat + 10000))
                   when w.heartbeat < now_ms() - 10000 then greatest(w.started_at, w.heartbeat + 10000) end) as life
          from worker w where w.ended_at is null or w.ended_at > no_way_out.since
    )
    select int8multirange(int8range(no_way_out.since, null)) - coalesce((
        select range_agg(int8multirange(l.life) - coalesce(d.times, '{}'))
          from lived l left join stopped d on d.name = l.id::text), '{}')
$$;

-- The stops that keep a lane's mail from leaving: open ones, and those that ended after `since` if it is given. What a dispatcher's
-- own stop kept, and when, is told by `no_way_out`; here are the open ones only.
create function stops_on(of_lane int, since bigint) returns setof stop language sql stable as $$
    select s.* from stop s
     where (s.ended_at is null or s.ended_at > stops_on.since)
       and (s.scope = 'cell'
            or s.scope = 'worker' and s.ended_at is null and every_worker_stopped()
            or exists (select from route r where r.lane = of_lane and stop_names(s.scope, s.name, r)))
     order by s.since, s.id
$$;

-- Holds for SES are no more: nothing ended them. What SES still refuses is placed as a stop at the next call.
with lifted as (
    update hold set lifted_at = now_ms(), lifted_by = 'migrate',
                    lifted_because = 'Refusals of SES are stops now, which end by themselves: see `mailcordon stops list`'
     where owner = 'ses' and lifted_at is null
    returning tenant, class, lane
)
update lane l set held = false, released_at = now_ms()
 where l.held
   and exists (select from lifted x where x.tenant = l.tenant and (x.class is null or x.class = l.class)
                                      and (x.lane is null or x.lane = l.id))
   and not exists (
       select from hold h
        where h.owner <> 'ses' and h.lifted_at is null and h.stops and hold_covers(h, l.tenant, l.class, l.id) and not hold_is_narrow(h));
update epoch set value = value + 1;
