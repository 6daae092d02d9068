-- Plans, drift, and everything that SES returned (docs/control.md, docs/drift.md).

-- A change of what is desired: a plan is made on one revision and applies to no other.
alter table epoch drop constraint epoch_name_check;
alter table epoch add constraint epoch_name_check check (name in ('hold', 'control', 'desired'));
insert into epoch (name) values ('desired');

-- A tenant whose classes have SES tenants of their own (`mc-...-urgent`): AWS may pause its marketing and not its resets.
alter table tenant add column ses_tenants text not null default 'one' check (ses_tenants in ('one', 'per-class'));

create table plan (
    id bigint generated always as identity primary key,
    revision bigint not null,                               -- the epoch `desired` that it was made on
    source text not null check (source in ('person', 'control', 'settings')),
    tenant int references tenant,                           -- null: of several tenants, or of what all share
    steps jsonb not null default '[]',                      -- changes of the platform (control/steps.py), in order
    state text not null default 'proposed' check (state in ('proposed', 'applying', 'applied', 'rejected', 'outdated')),
    made_at timestamptz not null default now(),
    made_by text not null,
    because text,
    decided_at timestamptz,                                 -- applied or rejected
    decided_by text,
    decided_because text,
    ended_at timestamptz                                    -- the last of its calls was made
);
create index plan_open on plan (state) where state in ('proposed', 'applying');
create index plan_of_tenant on plan (tenant, id);

-- One call to SES. `want` is what the resource should have after it; null: it should not exist.
create table plan_change (
    plan bigint not null references plan on delete cascade,
    seq int not null,
    kind text not null,
    name text not null,
    action text not null check (action in ('create', 'update', 'associate', 'disassociate', 'delete')),
    member text not null default '',                        -- what is updated, or the ARN suffix that is associated
    tenant int references tenant,
    was jsonb,
    want jsonb,
    waits text,                                             -- why it waits for a person; null: it applies by itself
    state text not null default 'pending' check (state in ('pending', 'done', 'failed', 'needless')),
    outcome text,                                           -- SES's message, or what happened
    at timestamptz,
    primary key (plan, seq)
);
create index plan_change_pending on plan_change (kind, name) where state in ('pending', 'failed');

alter table ses_resource drop constraint ses_resource_kind_check;
alter table ses_resource add constraint ses_resource_kind_check check (kind in
    ('configuration-set', 'event-destination', 'identity', 'tenant', 'policy', 'association', 'account'));
alter table ses_resource
    add wanted boolean not null default true,               -- false: an approved plan detaches and deletes it
    add work text not null default 'bulk'                   -- whose share of the calls it uses while it is due (control/work.py)
        check (work in ('urgent', 'onboarding', 'repair', 'bulk', 'scan')),
    add due_since timestamptz,                              -- since when it has waited for a call, for turns by age
    add whole jsonb,                                        -- everything SES returned for it, as it returned it
    add accepted jsonb;                                     -- what no check covers, as it was when it was last accepted

-- What stands beside our resources at SES: tenants, identities, sets, destinations and associations that are not ours.
create table ses_beside (
    kind text not null,
    name text not null,
    whole jsonb not null,
    first_seen_at timestamptz not null default now(),
    observed_at timestamptz not null default now(),
    primary key (kind, name)
);

-- A difference between what SES has and what is desired (control/drift.py). One open row per difference.
create table finding (
    id bigint generated always as identity primary key,
    kind text not null,                                     -- core/drift.py: the closed table of kinds
    severity text not null check (severity in ('critical', 'high', 'medium', 'low')),
    resource_kind text not null,
    resource text not null,
    member text not null default '',                        -- the association, destination or member that differs
    tenant int references tenant,                           -- whose resource it is; null: shared
    detail jsonb not null default '{}',                     -- parameters of its sentence
    by jsonb,                                               -- who did it, from SES's management event; null: not known
    plan bigint references plan,                            -- the plan that repairs it
    hold bigint,                                            -- the hold that the policy placed for it
    found_by text not null default 'scan' check (found_by in ('scan', 'event')),
    since timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    ended_at timestamptz,
    ended_because text
);
create unique index finding_open on finding (kind, resource_kind, resource, member) where ended_at is null;
create index finding_of_tenant on finding (tenant, id);

-- What happens when a difference of a kind is found. Kinds without a row: the default of core/drift.py.
create table drift_policy (
    kind text primary key,
    act text not null check (act in ('apply', 'propose')),
    hold boolean not null default false,
    by text not null,
    because text not null,
    at timestamptz not null default now()
);

-- SES's own management events, as EventBridge passed them on: a hint to look again, never the truth.
create table ses_hint (
    id bigint generated always as identity primary key,
    event text not null,                                    -- CloudTrail's eventName
    resource_kind text not null,
    resource text not null,
    member text not null default '',
    by jsonb not null,                                      -- {arn, access_key, source_ip, user_agent}
    at timestamptz not null,                                -- when SES took the call, by AWS's clock
    received_at timestamptz not null default now()
);
create index ses_hint_of_resource on ses_hint (resource_kind, resource, id);

grant select on plan, plan_change, ses_beside, finding, drift_policy, ses_hint to {{control}}, {{governor}};
grant insert, update, delete on plan, plan_change, ses_beside, finding, ses_hint to {{control}};
grant insert, update on drift_policy to {{control}};
