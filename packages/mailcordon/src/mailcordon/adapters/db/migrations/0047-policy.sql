-- Policies (docs/policy.md). Times are milliseconds since 1970.

-- Documents of the policy. Each begins as a plan; the ones that were applied are its versions, of which the highest is in force.
create table policy_version (
    id int generated always as identity primary key,        -- of the plan
    version int unique check (version > 0),                 -- null: it was not applied
    base int not null,                                      -- the version that it was made on; 0: built-in
    state text not null check (state in ('proposed', 'applied', 'rejected', 'outdated')),
    document jsonb not null,
    changes jsonb not null,                                 -- what it changes, as values: guard/policy/difference.py
    made_at bigint not null,
    made_by text not null,
    because text,
    decided_at bigint,
    decided_by text,
    decided_because text,
    check ((state = 'applied') = (version is not null)),
    check ((state = 'proposed') = (decided_at is null) and (decided_at is null) = (decided_by is null))
);
create index policy_version_proposed on policy_version (id) where state = 'proposed';

-- What is known of a tenant, which suggests its tier. Labels, not names: they are no personal data.
create table tenant_fact (
    tenant int primary key references tenant,
    sign_up_source text check (sign_up_source ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    signed_up_at bigint,                                    -- null: when Mailcordon got to know it
    list_source text check (list_source in ('own-signups', 'customers', 'imported', 'bought')),
    planned_per_day bigint check (planned_per_day >= 0),
    payment text check (payment in ('none', 'trial', 'card', 'invoice')),
    owner_group text check (owner_group ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    told_at bigint not null,
    told_by text not null
);

-- What applies to each lane, as plain values that other planes read: guard/policy/effective.py, LanePolicy as JSON. A lane without a
-- row has the built-in policy of its class (adapters/db/lane_policy_row.py).
create table lane_policy (
    lane int primary key references lane,
    tenant int not null references tenant,
    version int not null,                                   -- of the policy that was applied last
    document jsonb not null,
    foreign key (tenant, lane) references lane (tenant, id)
);

grant select, insert, update on policy_version to {{control}};
grant select, insert, update, delete on tenant_fact, lane_policy to {{control}};
grant select on tenant_fact, lane_policy to {{observe}}, {{governor}};
grant select on lane_policy to {{send}}, {{reader}};
alter table lane_policy enable row level security;
create policy planes on lane_policy to {{control}}, {{governor}}, {{send}}, {{observe}} using (true) with check (true);
create policy own_tenant on lane_policy for select to {{reader}} using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
