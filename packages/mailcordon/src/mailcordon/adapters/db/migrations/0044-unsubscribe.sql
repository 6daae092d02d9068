-- Links to unsubscribe (docs/unsubscribe.md). Times are milliseconds since 1970.

-- Keys of the links. The newest makes links; every one is accepted for ever, so none is deleted.
create table unsubscribe_key (
    number smallint generated always as identity primary key check (number > 0),    -- a part of every link made with it
    secret bytea not null,                                  -- 64 bytes, encrypted under MAILCORDON_SECRET_KEYS
    made_at bigint not null default now_ms()
);
grant select, insert, update (secret) on unsubscribe_key to {{control}};
grant select on unsubscribe_key to {{send}};

-- A host name of a tenant's own for the links in its mail.
create table unsubscribe_host (
    tenant int primary key references tenant,
    host text not null unique check (host = lower(host) and length(host) <= 253),
    set_at bigint not null default now_ms(),
    set_by text not null
);
grant select, insert, update, delete on unsubscribe_host to {{control}};
grant select on unsubscribe_host to {{send}}, {{reader}};
alter table unsubscribe_host enable row level security;
create policy own_tenant on unsubscribe_host for select to {{reader}}
    using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy planes on unsubscribe_host to {{control}}, {{send}} using (true) with check (true);
