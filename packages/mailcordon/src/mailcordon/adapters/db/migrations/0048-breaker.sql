-- The breaker: what it decided, where each lane stands, and what it may do to a lane (docs/breaker.md). Times are milliseconds since
-- 1970. Its evidence is not here: it is computed from the cohorts, and anew after a restart.

-- How far the one process that runs the breaker has read `cohort_feed`.
create table breaker_follow (
    id smallint primary key default 1 check (id = 1),
    fold bigint not null default 0
);
insert into breaker_follow default values;

-- Each decision, and how it ended. One is open for each part of a lane and signal: the highest level.
create table breaker_decision (
    id bigint generated always as identity primary key,
    tenant int not null,
    lane int not null,
    part text not null,                                     -- what it acts on, such as `list:bought`; '': the whole lane
    signal text not null check (signal in ('bounces', 'complaints', 'blocks', 'delays', 'volume', 'account')),
    half text not null check (half in ('absolute', 'relative')),
    level smallint not null check (level in (1, 2, 3)),     -- guard.breaker.nouns.Level
    mode text not null check (mode in ('observe', 'shadow', 'enforce')),
    at bigint not null,
    since bigint not null,                                  -- when the trouble began, as far as can be told
    seen text not null,                                     -- what was seen and who caused it, as sentences
    done text not null,                                     -- what was done, what still flows and what comes next
    waiting bigint not null default 0,                      -- mails that it held, or would have held, when it was made
    rate real,                                              -- mails a second, if it slows
    document jsonb not null,                                -- the numbers behind it
    sharers jsonb not null default '[]',                    -- others who share domain or pool with it: [{tenant, type, shares}]
    hold bigint,                                            -- the hold that carries it out
    accepted_at bigint,                                     -- a person said that this is normal
    accepted_by text,
    accepted_because text,
    ended_at bigint,
    ended_by text,
    ended_because text,
    foreign key (tenant, lane) references lane (tenant, id),
    check ((accepted_at is null) = (accepted_by is null) and (accepted_at is null) = (accepted_because is null)),
    check ((ended_at is null) = (ended_because is null))
);
create unique index breaker_decision_open on breaker_decision (lane, part, signal) where ended_at is null;
create index breaker_decision_of_lane on breaker_decision (lane, id);
create index breaker_decision_of_tenant on breaker_decision (tenant, id);
create index breaker_decision_ended on breaker_decision (ended_at) where ended_at is not null;

-- Where a lane or a part of it stands: with the counts, all that a process needs to go on (guard.breaker.nouns.Standing as JSON).
create table breaker_standing (
    lane int not null references lane,
    part text not null,
    signal text not null,
    document jsonb not null,
    primary key (lane, part, signal)
);

-- How late feedback came, which the cohorts do not tell: of the mail of a day (since 1970) to a provider, events by their age.
create table breaker_delay (
    day int not null,
    signal smallint not null,                               -- its place in guard.breaker.measures.SIGNALS
    provider int not null,
    counts real[] not null,                                 -- by the ages of guard.breaker.delay_curves
    primary key (day, signal, provider)
);

-- What the breaker may do to a lane, and why. A lane without a row is in shadow.
create table breaker_lane (
    lane int primary key references lane,
    tenant int not null,
    wish text check (wish in ('armed', 'disarmed')),        -- what a person said; null: nothing
    wish_at bigint,
    wish_by text,
    wish_because text,
    absolute text not null default 'shadow' check (absolute in ('observe', 'shadow', 'enforce')),
    relative text not null default 'shadow' check (relative in ('observe', 'shadow', 'enforce')),
    proposed boolean not null default false,                -- all that arming asks for is there, and nobody has armed it
    lost_since bigint,                                      -- it is to enforce, and may not
    checks jsonb not null default '[]',                     -- [{name, ok, says}]
    judged_at bigint,
    check ((wish is null) = (wish_at is null) and (wish is null) = (wish_by is null) and (wish is null) = (wish_because is null))
);
create index breaker_lane_lost on breaker_lane (lane) where lost_since is not null;
create index breaker_lane_of_tenant on breaker_lane (tenant, lane);

grant select, insert, update, delete on breaker_decision, breaker_standing, breaker_lane, breaker_delay to {{control}};
grant select, update on breaker_follow to {{control}};
grant select on breaker_decision, breaker_lane to {{governor}};
-- A tenant sees what was decided about its own lanes; who shares a pool with it, it does not.
grant select (id, tenant, lane, part, signal, half, level, mode, at, since, seen, done, waiting, rate, hold, accepted_at, ended_at,
              ended_because) on breaker_decision to {{reader}};
grant select (lane, tenant, wish, wish_at, absolute, relative, proposed, lost_since, checks, judged_at) on breaker_lane to {{reader}};
do $$
declare t text;
begin
    foreach t in array array['breaker_decision', 'breaker_lane'] loop
        execute format('alter table %I enable row level security', t);
        execute format('create policy own_tenant on %I for select to {{reader}} using (tenant = nullif(current_setting(''mailcordon.tenant'', true), '''')::int)', t);
        execute format('create policy planes on %I to {{control}}, {{governor}} using (true) with check (true)', t);
    end loop;
end $$;
