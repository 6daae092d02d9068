-- What SES should hold for us, and what was last seen there (docs/control.md).

-- Every configuration set of this tenant is its own, instead of shared by class.
alter table tenant add column dedicated boolean not null default false;

-- A lane's own limit. `rate` is what counts: this, or less while a slowing hold is on.
alter table lane add column policy_rate real check (policy_rate >= 0);
grant update (policy_rate) on lane to {{governor}};

create table ses_resource (
    kind text not null check (kind in ('configuration-set', 'event-destination', 'identity', 'tenant', 'policy', 'association')),
    name text not null,
    phase smallint not null,                                -- what others need comes first
    tenant int references tenant,                           -- null: serves every tenant
    desired jsonb not null,
    observed jsonb,                                         -- as read back from SES; null: not there, or never looked
    observed_at timestamptz,                                -- the age of what `observed` says
    state text not null default 'pending' check (state in ('pending', 'applied', 'failing')),
    error text,                                             -- SES's own sentence
    attempts int not null default 0,                        -- in a row without success
    next_try_at timestamptz not null default now(),         -- applied ones are looked at again: that finds drift
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

-- A tenant may see the sets that everybody shares, and its own.
grant select on configuration_set to {{reader}};
alter table configuration_set enable row level security;
create policy own_tenant on configuration_set for select to {{reader}}
    using (tenant is null or tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy planes on configuration_set to {{control}}, {{governor}}, {{send}}, {{observe}} using (true) with check (true);

-- Purging finds old keys by their message's time; ids rise with time, so a few summary pages do, and inserts hardly notice.
create index idempotency_by_time on idempotency using brin (message) with (autosummarize = on);
