-- Rollouts: lanes that move from the shared path to their own, share by share (docs/migration.md). Times are milliseconds since 1970.

create table rollout (
    id int generated always as identity primary key,
    tenant int not null references tenant,
    state text not null check (state in ('running', 'held', 'back', 'standing', 'finishing', 'finished', 'cancelled')),
    share smallint not null default 0 check (share between 0 and 100),
    since bigint not null default now_ms(),                 -- share and state hold since then
    first_mail int,                                         -- minute since 1970 of the first mail that left on the new path
    backs int not null default 0,                           -- ways back so far
    shares smallint[] not null,                             -- percent, in order; the last is 100
    pace real not null default 1 check (pace >= 0),         -- times the hours that a share lasts at least
    began_at bigint not null default now_ms(),
    began_by text not null,
    because text not null,
    version int not null default 0,                         -- counts changes of state and share: a decision about an older one is void
    reference jsonb not null default '{}',                  -- by measure: shares of the old path's mail before the rollout
    looked_at bigint not null default 0,
    verdict text check (verdict in ('pass', 'wait', 'back')),  -- of the last look, for people
    sentence text,
    gates jsonb not null default '[]',
    checklist jsonb not null default '[]',
    ended_at bigint,
    check ((state in ('finished', 'cancelled')) = (ended_at is not null)),
    unique (tenant, id)
) with (fillfactor = 70);
create index rollout_open on rollout (looked_at) where ended_at is null;

-- A lane is in one rollout at a time.
create table rollout_lane (
    rollout int not null,
    tenant int not null,
    lane int not null,
    open boolean not null default true,
    -- Mail that waits follows a way back, batch by batch: how far it is. Null: nothing has to be moved.
    move_after bigint,
    move_until bigint,                                      -- what is accepted while shares change is looked at again until then
    primary key (rollout, lane),
    foreign key (tenant, rollout) references rollout (tenant, id),
    foreign key (tenant, lane) references lane (tenant, id)
);
create unique index rollout_lane_open on rollout_lane (lane) where open;
create index rollout_lane_moving on rollout_lane (rollout) where move_after is not null;

-- What was decided, by whom, with its sentence and what it was decided by.
create table rollout_step (
    id bigint generated always as identity primary key,
    rollout int not null,
    tenant int not null,
    at bigint not null default now_ms(),
    what text not null check (what in ('start', 'pass', 'back', 'advance', 'hold', 'override', 'finish', 'cancel', 'finished')),
    from_share smallint not null,
    to_share smallint not null,
    by text not null,
    sentence text not null,
    gates jsonb not null default '[]',
    foreign key (tenant, rollout) references rollout (tenant, id)
);
create index rollout_step_of on rollout_step (rollout, id);

-- What a person lets pass, for one share.
create table rollout_override (
    rollout int not null,
    tenant int not null,
    key text not null,                                      -- CHECK:SUBJECT, gate:MEASURE, freeze, time, mails or rest
    share smallint not null,
    by text not null,
    because text not null,
    at bigint not null default now_ms(),
    primary key (rollout, key, share),
    foreign key (tenant, rollout) references rollout (tenant, id)
);

-- Times in which no share grows, of one tenant or of all.
create table rollout_freeze (
    id int generated always as identity primary key,
    tenant int references tenant,                           -- null: all tenants
    since bigint not null,
    until bigint not null check (until > since),
    by text not null,
    because text not null
);

grant select, insert, update, delete on rollout, rollout_lane, rollout_step, rollout_override, rollout_freeze to {{control}};
grant select on rollout, rollout_lane, rollout_step, rollout_override to {{reader}};
do $$
declare t text;
begin
    foreach t in array array['rollout', 'rollout_lane', 'rollout_step', 'rollout_override'] loop
        execute format('alter table %I enable row level security', t);
        execute format('create policy own_tenant on %I for select to {{reader}} using (tenant = nullif(current_setting(''mailcordon.tenant'', true), '''')::int)', t);
        execute format('create policy planes on %I to {{control}} using (true) with check (true)', t);
    end loop;
end $$;
