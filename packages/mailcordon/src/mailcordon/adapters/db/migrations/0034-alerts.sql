-- Who is told of incidents, and what tenants are told of their own mail (docs/alerts.md). Times are milliseconds since 1970.

create table alert_channel (
    id int generated always as identity primary key,
    name text not null check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    form text not null check (form in ('webhook', 'slack', 'pagerduty', 'email')),
    target text not null,                                   -- where it leads, as people see it: a host or an address, no secret
    secret bytea,                                           -- URL and keys as JSON, encrypted under MAILCORDON_SECRET_KEYS
    tenant int references tenant,                           -- e-mail: the lane of ours that carries it
    lane int,
    sender text,                                            -- e-mail: its From address
    key_prefix text,                                        -- e-mail: the API key that submits it
    least text not null check (least in ('critical', 'high', 'medium', 'low')),
    kinds text[] not null default '{}',                     -- core.incident.Kind; empty: every kind
    tenants int[] not null default '{}',                    -- empty: incidents of every tenant, and of the platform
    made_at bigint not null,
    made_by text not null,
    failing_since bigint,                                   -- null: the last message arrived
    problem text,                                           -- why the last one did not
    removed_at bigint,
    removed_by text,
    foreign key (tenant, lane) references lane (tenant, id),
    check ((form = 'email') = (lane is not null and sender is not null)),
    check ((removed_at is null) = (removed_by is null))
);
create unique index alert_channel_name on alert_channel (name) where removed_at is null;

-- What a channel was told of an incident, and the message that is on its way. One row for each pair.
create table alert (
    id bigint generated always as identity primary key,
    incident bigint not null references incident on delete cascade,
    channel int not null references alert_channel,
    made_at bigint not null,
    told_at bigint,                                         -- of the last message that arrived; null: none did
    told_severity text,                                     -- the incident, as it was told last
    told_culprit boolean not null default false,
    told_acknowledged boolean not null default false,
    told_closed boolean not null default false,
    sent int not null default 0,                            -- messages that arrived
    reminders int not null default 0,                       -- since the last one that was none
    remind_at bigint,
    what text check (what in ('opened', 'reopened', 'worsened', 'identified', 'acknowledged', 'reminder', 'closed')),
    number int not null default 0,                          -- of the message: the same at each try
    due_at bigint,
    tries int not null default 0,                           -- that failed, of this message
    leased_until bigint,                                    -- a process is sending it
    problem text,                                           -- why the last try failed, or was not made
    unique (incident, channel),
    check ((what is null) = (due_at is null))
);
create index alert_due on alert (due_at) where what is not null;
create index alert_made on alert (made_at);
create index alert_open on alert (incident) where what is not null or told_at is not null and not told_closed;

grant select, insert, update on alert_channel, alert to {{control}};
grant delete on alert to {{control}};

-- Whom a tenant's holds are told. Its address is the tenant's personal data: it goes when the tenant is retired.
create table tenant_contact (
    tenant int not null references tenant,
    form text not null check (form in ('webhook', 'email')),
    target text not null,                                   -- a host, or an address
    secret bytea not null,                                  -- URL and signing key, or the address, as JSON, encrypted
    channel int references alert_channel,                   -- e-mail: whose lane carries it
    tell text[] not null check (tell <@ array['holds']),
    made_at bigint not null,
    made_by text not null,
    failing_since bigint,
    problem text,
    primary key (tenant, form),
    check ((form = 'email') = (channel is not null))
);

-- What a contact was told of: each hold and stop once, and once that it is over.
create table tenant_told (
    tenant int not null,
    form text not null,
    kind text not null check (kind in ('hold', 'stop')),
    number bigint not null,
    ended boolean not null default false,
    primary key (tenant, form, kind, number),
    foreign key (tenant, form) references tenant_contact on delete cascade
);
create index tenant_told_open on tenant_told (kind, number) where not ended;

-- A message to a contact, about all that changed since the one before.
create table tenant_notice (
    id bigint generated always as identity primary key,
    tenant int not null references tenant,
    form text not null,
    items jsonb not null,                                   -- [{"kind": "hold", "number": 12, "ended": false}, ...]
    made_at bigint not null,
    due_at bigint,                                          -- null: sent, or given up
    tries int not null default 0,
    leased_until bigint,
    sent_at bigint,
    problem text
);
create index tenant_notice_due on tenant_notice (due_at) where due_at is not null;
create index tenant_notice_of on tenant_notice (tenant, form, made_at);

grant select, insert, update, delete on tenant_contact, tenant_told, tenant_notice to {{control}};
-- A tenant may see whom we tell, and what was told; no secret.
grant select (tenant, form, target, tell, made_at, made_by, failing_since, problem) on tenant_contact to {{reader}};
grant select on tenant_notice to {{reader}};
do $$
declare t text;
begin
    foreach t in array array['tenant_contact', 'tenant_notice'] loop
        execute format('alter table %I enable row level security', t);
        execute format('create policy own_tenant on %I for select to {{reader}} using (tenant = nullif(current_setting(''mailcordon.tenant'', true), '''')::int)', t);
        execute format('create policy planes on %I to {{control}} using (true) with check (true)', t);
    end loop;
end $$;
