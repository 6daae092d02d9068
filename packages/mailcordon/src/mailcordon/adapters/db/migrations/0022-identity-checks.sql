-- Checks of domains, what they add up to, and what a lapse does to lanes (docs/identities.md). Times are milliseconds since 1970.

create table identity_check (
    id bigint generated always as identity primary key,
    tenant int not null,
    identity int not null,
    at bigint not null,
    asked text not null check (asked in ('now', 'schedule')),
    authoritative boolean not null,                         -- every answer came from the zone's own name servers
    complete boolean not null,                              -- no look-up failed
    passes boolean not null,                                -- nothing is an error
    result jsonb not null,                                  -- {ses, faults, lanes}
    -- A domain can be transferred to another tenant.
    foreign key (tenant, identity) references identity (tenant, id) on update cascade on delete cascade
);
create index identity_check_newest on identity_check (identity, id);

create table identity_state (
    identity int primary key,
    tenant int not null,
    next_check_at bigint not null,                          -- while a check runs: when it is given up
    scheduled_at bigint not null default now_ms(),
    asked_at bigint,                                        -- when a check was last asked for beside the schedule
    checked_at bigint,                                      -- the last check that ended
    answered_at bigint,                                     -- the last one in which every look-up was answered
    lapsed_at bigint,                                       -- since when something that was proved to be lost is lost
    evidence jsonb not null default '{}',                   -- control/lapses.py
    foreign key (tenant, identity) references identity (tenant, id) on update cascade on delete cascade
);
create index identity_state_due on identity_state (next_check_at);
create index identity_state_of_tenant on identity_state (tenant);
create index identity_state_lapsed on identity_state (lapsed_at) where lapsed_at is not null;
create index hold_of_lapse on hold (lane) where evidence ? 'lapse';

-- Every domain is on the schedule from its first moment.
create function schedule_identity() returns trigger language plpgsql as $$
begin
    insert into identity_state (identity, tenant, next_check_at) values (new.id, new.tenant, now_ms()) on conflict do nothing;
    return null;
end $$;
create trigger identity_scheduled after insert on identity for each row execute function schedule_identity();
-- What was known of a domain says nothing of it in other hands.
create function forget_identity() returns trigger language plpgsql as $$
begin
    update identity_state set evidence = '{}', lapsed_at = null, next_check_at = now_ms(), scheduled_at = now_ms(), answered_at = null
     where identity = new.id;
    return null;
end $$;
create trigger identity_changed_hands after update on identity for each row
    when ((old.tenant, old.freed_at) is distinct from (new.tenant, new.freed_at)) execute function forget_identity();
-- Those that exist, spread over an hour.
insert into identity_state (identity, tenant, next_check_at) select id, tenant, now_ms() + id * 7919 % 3600000 from identity;

-- What a lapse does to the lanes of a class. Without a row: the default of control/lapses.py.
create table lapse_policy (
    class smallint not null check (class in (0, 1, 2)),
    effect text not null check (effect in ('weaker', 'fails')),
    action text not null check (action in ('report', 'slow', 'hold')),
    rate double precision check ((rate is not null) = (action = 'slow')),  -- deliveries per second
    by text not null,
    because text not null,
    at timestamptz not null default now(),
    primary key (class, effect)
);

grant select, insert, update, delete on identity_check, identity_state to {{control}};
grant select, insert, update on lapse_policy to {{control}};

do $$
declare t text;
begin
    foreach t in array array['identity_check', 'identity_state'] loop
        execute format('grant select on %I to {{reader}}', t);
        execute format('alter table %I enable row level security', t);
        execute format('create policy own_tenant on %I for select to {{reader}} using (tenant = nullif(current_setting(''mailcordon.tenant'', true), '''')::int)', t);
        execute format('create policy planes on %I to {{control}} using (true) with check (true)', t);
    end loop;
end $$;
