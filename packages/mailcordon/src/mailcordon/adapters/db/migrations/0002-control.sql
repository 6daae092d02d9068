-- What SES should have for us, and what was last seen there (docs/control.md).

-- True: this tenant has its own configuration sets instead of those shared by class.
alter table tenant add column dedicated boolean not null default false;

-- A lane's own limit. `rate` is the one in force: this one, or less while a hold throttles the lane.
alter table lane add column policy_rate real check (policy_rate >= 0);
grant update (policy_rate) on lane to {{governor}};

create table ses_resource (
    kind text not null check (kind in ('configuration-set', 'event-destination', 'identity', 'tenant', 'policy', 'association')),
    name text not null,
    phase smallint not null,                                -- order of creation: what others depend on comes first
    tenant int references tenant,                           -- null: serves every tenant
    desired jsonb not null,
    observed jsonb,                                         -- as read back from SES; null: missing there, or never read
    observed_at timestamptz,                                -- when `observed` was read
    state text not null default 'pending' check (state in ('pending', 'applied', 'failing')),
    error text,                                             -- SES's error message
    attempts int not null default 0,                        -- failures in a row
    next_try_at timestamptz not null default now(),         -- applied resources are read again, which finds drift
    primary key (kind, name)
);
create index ses_resource_due on ses_resource (next_try_at);
create index ses_resource_of_tenant on ses_resource (tenant);
grant select on ses_resource to {{control}}, {{governor}}, {{send}}, {{observe}}, {{reader}};
grant insert, update, delete on ses_resource to {{control}};
alter table ses_resource enable row level security;
create policy own_tenant on ses_resource for select to {{reader}}
    using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy planes on ses_resource to {{control}}, {{governor}}, {{send}}, {{observe}} using (true) with check (true);

-- A tenant may see the shared sets and its own.
grant select on configuration_set to {{reader}};
alter table configuration_set enable row level security;
create policy own_tenant on configuration_set for select to {{reader}}
    using (tenant is null or tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy planes on configuration_set to {{control}}, {{governor}}, {{send}}, {{observe}} using (true) with check (true);

-- Purging finds old keys by their message's time. Ids rise with time, so a small BRIN index is enough and costs inserts little.
create index idempotency_by_time on idempotency using brin (message) with (autosummarize = on);
