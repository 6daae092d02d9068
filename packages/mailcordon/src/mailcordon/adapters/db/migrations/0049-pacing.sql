-- Paced releases and warm-ups (docs/pacing.md). What they let leave are rows of `send_limit`; here is where they stand. Times are
-- milliseconds since 1970, of the database's clock.

-- A large batch of marketing mail that leaves in steps: a campaign, a list that is new to the lane, or a lane's mail without either.
create table release (
    id int generated always as identity primary key,
    tenant int not null,
    lane int not null,
    kind text not null check (kind in ('campaign', 'list', 'lane')),
    name text not null,                                     -- '' of a lane
    began_at bigint not null,
    phase text not null check (phase in ('steps', 'closed', 'open', 'over')),
    step int not null default 0,
    cap bigint not null,                                    -- mails that may have left since it began
    use_before bigint not null,                             -- what limit_use.ever had counted then
    opened_at bigint not null,
    base bigint not null default 0,                         -- mails that were out when the steps began, or began again
    left_at bigint,                                         -- when the first mail after these was seen to have left
    why text not null,                                      -- guard.release.Why
    next_at bigint,                                         -- the earliest time of the next step
    limit_cap bigint,                                       -- of its row in send_limit; null: it has none
    mode text not null,                                     -- of that row
    because text not null,                                  -- of that row
    fresh boolean not null,                                 -- a list that the lane never mailed before
    looked_at bigint not null default 0,
    sent bigint not null default 0,                         -- what the last look saw, for people
    heard bigint not null default 0,
    bounces bigint not null default 0,
    usual_bounces real not null default 0,                  -- of healthy mail of this age, at most
    complaints bigint not null default 0,
    usual_complaints real not null default 0,
    opened_by text,                                         -- a person who let all of it leave
    opened_because text,
    ended_at bigint,
    foreign key (tenant, lane) references lane (tenant, id),
    check ((phase = 'over') = (ended_at is not null)),
    check ((kind = 'lane') = (name = '')),
    check ((opened_by is null) = (opened_because is null))
) with (fillfactor = 70);
create unique index release_current on release (lane, kind, name) where ended_at is null;
create index release_of_tenant on release (tenant, id);

-- What was accepted of it: a row for each process that accepts, so that they do not wait for each other.
create table release_intake (
    release int not null references release on delete cascade,
    node int not null,
    tenant int not null,
    deliveries bigint not null,
    last_at bigint not null,
    primary key (release, node)
) with (fillfactor = 70);

-- Where a From domain stands at a mailbox provider (guard/warm_up.py). It is computed from the counts of days, which are the truth.
create table warm_up (
    tenant int not null references tenant,
    domain text not null,
    pool text not null,                                     -- IP pool; '': the account's shared addresses
    provider smallint not null,                             -- core.provider.Provider
    day int not null,                                       -- UTC, since 1970, for which it holds
    step int not null,
    steps int not null,                                     -- of the curve
    last_day int,                                           -- with mail, before this one
    verdict text not null,                                  -- guard.warm_up.Verdict
    slowed text check (slowed in ('delays', 'blocks')),     -- what cut today's budget
    cap bigint,                                             -- mails that may leave today; null: no limit
    mode text not null check (mode in ('observe', 'shadow', 'enforce')),
    began_day int not null,
    primary key (tenant, domain, pool, provider)
);

-- Begins a release, with the limit of its first step, before its mail is stored. False if it has begun already. As the owner, since
-- whoever accepts mail may not write limits.
create function begin_release(of_tenant int, of_lane int, of_kind text, of_name text, first bigint, is_fresh boolean, why_word text,
                              of_mode text, sentence text) returns boolean language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
declare
    of_campaign text := case of_kind when 'campaign' then of_name end;
    of_list text := case of_kind when 'list' then of_name end;
    used bigint;
    others jsonb;
begin
    -- Changes of a tenant's limits come one after the other, as in replace_limits.
    insert into limit_version (tenant, value) values (of_tenant, 1) on conflict do nothing;
    perform from limit_version v where v.tenant = of_tenant for no key update;
    select coalesce(max(u.ever), 0) into used from limit_use u
     where u.tenant = of_tenant and u.scope = of_kind and u.lane = of_lane and u.campaign is not distinct from of_campaign
       and u.list is not distinct from of_list and u.class is null and u.api_key is null and u.provider is null and u.domain is null;
    insert into release (tenant, lane, kind, name, began_at, phase, cap, use_before, opened_at, why, fresh, limit_cap, mode, because)
    values (of_tenant, of_lane, of_kind, of_name, now_ms(), 'steps', first, used, now_ms(), why_word, is_fresh, used + first, of_mode, sentence)
    on conflict (lane, kind, name) where ended_at is null do nothing;
    if not found then
        return false;
    end if;
    select coalesce(jsonb_agg(to_jsonb(s)), '[]') into others from send_limit s
     where s.tenant = of_tenant and s.owner = 'release' and s.lane = of_lane
       and not (s.scope = of_kind and s.campaign is not distinct from of_campaign and s.list is not distinct from of_list);
    perform replace_limits(of_tenant, 'release', others || jsonb_build_array(jsonb_build_object(
        'scope', of_kind, 'lane', of_lane, 'campaign', of_campaign, 'list', of_list, 'per', 'ever', 'cap', used + first, 'mode', of_mode,
        'spares_urgent', true, 'refuses', false, 'because', sentence)), of_lane);
    return true;
end $$;
revoke all on function begin_release(int, int, text, text, bigint, boolean, text, text, text) from public;
grant execute on function begin_release(int, int, text, text, bigint, boolean, text, text, text) to {{send}};

grant select, insert, update, delete on release, release_intake, warm_up to {{control}};
grant select on release to {{send}};
grant select, insert, update on release_intake to {{send}};
grant select on release to {{observe}}, {{governor}};
grant select on release, release_intake, warm_up to {{reader}};
alter table release enable row level security;
alter table release_intake enable row level security;
alter table warm_up enable row level security;
create policy planes on release to {{control}}, {{governor}}, {{send}}, {{observe}} using (true) with check (true);
create policy planes on release_intake to {{control}}, {{send}} using (true) with check (true);
create policy planes on warm_up to {{control}} using (true) with check (true);
create policy own_tenant on release for select to {{reader}} using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy own_tenant on release_intake for select to {{reader}}
    using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy own_tenant on warm_up for select to {{reader}} using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
