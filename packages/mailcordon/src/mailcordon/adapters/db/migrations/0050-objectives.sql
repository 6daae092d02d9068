-- What objectives of lanes are judged by, beside the cohorts (docs/objectives.md): how long mail took from its acceptance to its
-- delivery, in classes of time (guard/objectives.py, TIME_BOUNDS).

-- New deliveries that are not added up yet. Observers only append, so none waits for a row that they share.
create table delivery_time_change (
    id bigint generated always as identity primary key,
    tenant int not null,
    lane int not null,
    minute int not null,                                    -- minutes since 1970: the ten minutes of the delivery
    provider smallint not null,                             -- core.provider.Provider; -1: not known yet
    counts int[] not null                                   -- by class of time
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

-- A bucket is `span` minutes from `minute` on: 10, 60 or 1,440.
create table delivery_time (
    span int not null,
    minute int not null,
    lane int not null,
    provider smallint not null,
    tenant int not null,
    counts int[] not null,
    primary key (span, minute, lane, provider)
) with (fillfactor = 80);

-- Budgets of lanes that go too fast. A row lasts as long as its alarm: whoever reads the alarms next goes on with the same beginning.
create table objective_alarm (
    lane int not null references lane,
    goal text not null check (goal in ('delivered', 'delivery-time', 'bounces', 'complaints')),
    provider text not null default '',                      -- '': all mail of the lane
    since bigint not null,                                  -- milliseconds since 1970
    primary key (lane, goal, provider)
);

grant insert on delivery_time_change to {{observe}};
grant select, delete on delivery_time_change to {{control}};
grant select, insert, update, delete on delivery_time to {{control}};
grant select, insert, delete on objective_alarm to {{control}};
grant select on delivery_time to {{reader}};
alter table delivery_time enable row level security;
create policy own_tenant on delivery_time for select to {{reader}}
    using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy planes on delivery_time to {{control}} using (true) with check (true);
