-- People who use the dashboard (docs/sign-in.md): their sessions, one-time links to sign in, and links with which a tenant looks at its
-- own mail. Of every token only sha256 is stored. Only the control login reads and writes these tables.

create table sign_in_link (
    id int generated always as identity primary key,
    prefix text not null unique check (prefix ~ '^[a-z2-9]{8}$'),
    hash bytea not null unique check (length(hash) = 32),
    person text not null,                                   -- as the audit trail will name them
    role text not null check (role in ('viewer', 'operator', 'admin')),
    made_at timestamptz not null default now(),
    made_by text not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    revoked_at timestamptz
);
create index sign_in_link_ends on sign_in_link (expires_at);

create table person_session (
    id int generated always as identity primary key,
    prefix text not null unique check (prefix ~ '^[a-z2-9]{8}$'),
    hash bytea not null unique check (length(hash) = 32),
    person text not null,
    role text not null check (role in ('viewer', 'operator', 'admin')),    -- when it began
    way text not null check (way in ('link', 'oidc')),
    subject text not null,                                  -- the prefix of the link, or the OpenID provider's `sub`
    claims text[] not null default '{}',                    -- values of the provider's claim that give the role, and no others
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),             -- the last request, a minute behind at most
    idle interval not null check (idle > interval '0'),
    expires_at timestamptz not null,
    ended_at timestamptz,                                   -- signed out, or ended by somebody
    ended_by text
);
create index person_session_of on person_session (person, id) where ended_at is null;
create index person_session_ends on person_session (expires_at);

-- Browsers that went to the OpenID provider. A row is deleted when its browser comes back.
create table pending_sign_in (
    state bytea primary key check (length(state) = 32),
    browser bytea not null check (length(browser) = 32),    -- of the random text in its cookie
    next text not null check (length(next) <= 2000),        -- the page that was asked for
    expires_at timestamptz not null
);
create index pending_sign_in_ends on pending_sign_in (expires_at);

create table view_link (
    id int generated always as identity primary key,
    prefix text not null unique check (prefix ~ '^[a-z2-9]{8}$'),
    hash bytea not null unique check (length(hash) = 32),
    tenant int not null references tenant,
    name text not null,                                     -- whom it was given to
    made_at timestamptz not null default now(),
    made_by text not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    opened_at timestamptz,                                  -- when its opening was last audited
    last_used_at timestamptz                                -- a minute behind at most
);
create index view_link_of on view_link (tenant, id);
create index view_link_ends on view_link (expires_at);

grant select, insert, update, delete on sign_in_link, person_session, pending_sign_in, view_link to {{control}};
