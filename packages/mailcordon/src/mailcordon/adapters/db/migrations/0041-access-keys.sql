-- Keys of the SES door (docs/ses-door.md): what an AWS SDK signs with, for one API key, and which message type SES's words name.

alter table api_key add default_type text references message_type (name);    -- of mail whose door names no type; null: it must name one

create table access_key (
    id text primary key check (id ~ '^MCAK[A-Z2-7]{16}$'),
    api_key int not null references api_key,                -- its scopes, types, networks, limits and end hold
    secret bytea,                                           -- encrypted under MAILCORDON_SECRET_KEYS; null: revoked
    made_at timestamptz not null default now(),
    made_by text not null,
    revoked_at timestamptz,
    check ((secret is null) = (revoked_at is not null))
);
create index access_key_of on access_key (api_key);

-- What the name of a configuration set stands for in a request of the SES door.
create table ses_door_set (
    tenant int references tenant,                           -- null: of every tenant that has no own row
    name text not null check (name ~ '^[A-Za-z0-9_-]{1,64}$'),
    type text not null references message_type (name),
    made_at timestamptz not null default now(),
    made_by text not null,
    unique nulls not distinct (tenant, name)
);

grant select, insert, update on access_key to {{control}};
grant select, insert, update, delete on ses_door_set to {{control}};
