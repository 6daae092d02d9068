-- DKIM keys of ours (docs/identities.md, "A DKIM key of yours"). SES gets one when the DNS shows its public half.

create table dkim_key (
    id bigint generated always as identity primary key,
    tenant int not null references tenant,
    domain text not null,
    selector text,                                          -- null: back to SES's own keys (Easy DKIM)
    public_key text,                                        -- base64 of its SubjectPublicKeyInfo
    secret bytea,                                           -- the private key, encrypted under MAILCORDON_SECRET_KEYS
    state text not null default 'waiting' check (state in ('waiting', 'signing', 'replaced', 'dropped')),
    made_at timestamptz not null default now(),
    made_by text not null,
    looked_at timestamptz,                                  -- when the DNS was asked for it, or SES was told
    looked text,                                            -- what came of it, in words
    next_look_at timestamptz not null default now(),
    signing_at timestamptz,
    replaced_at timestamptz,
    check ((selector is null) = (public_key is null) and (secret is null or selector is not null))
);
create unique index dkim_key_selector on dkim_key (domain, selector) where selector is not null;
create unique index dkim_key_waiting on dkim_key (domain) where state = 'waiting';
create unique index dkim_key_signing on dkim_key (domain) where state = 'signing';
create index dkim_key_due on dkim_key (next_look_at) where state = 'waiting';

grant select, insert, update on dkim_key to {{control}};
-- A tenant may see everything of its keys but the secret.
grant select (id, tenant, domain, selector, public_key, state, made_at, made_by, looked_at, looked, signing_at, replaced_at)
    on dkim_key to {{reader}};
alter table dkim_key enable row level security;
create policy own_tenant on dkim_key for select to {{reader}}
    using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy planes on dkim_key to {{control}} using (true) with check (true);
