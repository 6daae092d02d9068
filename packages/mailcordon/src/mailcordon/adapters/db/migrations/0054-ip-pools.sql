-- IP pools (docs/ip-pools.md): who owns each, whose mail leaves from it and why, and what it needs to keep its reputation.

create table ip_pool (
    name text primary key check (name ~ '^[A-Za-z0-9_-]{1,64}$' and name not like 'ses-%'),
    managed boolean not null,                               -- SES leases, scales and warms its addresses (ses.md 7)
    marketing boolean not null,                             -- marketing and other mail never share a pool
    owner text not null check (owner <> ''),                -- a person or a team; alarms of the pool name it
    because text not null check (because <> ''),
    minimum int not null default 1000 check (minimum between 0 and 1000000),    -- mails a day to a mailbox provider that keep a reputation
    escalation text not null default '',                    -- whom to call, and what to do, when the owner does not answer
    created_at bigint not null default now_ms(),
    created_by text not null,
    unique (name, marketing)
);
grant select, insert, update on ip_pool to {{control}};
grant select on ip_pool to {{observe}};

-- A tenant's mail of one class in a pool: SES chooses a pool by configuration set, and a class of a tenant has one set.
create table ip_pool_member (
    id bigint generated always as identity primary key,
    pool text not null,
    marketing boolean not null check (marketing = (class = 2)),     -- with the key below: no other mail than the pool is for
    tenant int not null references tenant,
    class smallint not null check (class between 0 and 2),
    because text not null,
    since bigint not null default now_ms(),
    added_by text not null,
    ended_at bigint,
    ended_by text,
    ended_because text,
    foreign key (pool, marketing) references ip_pool (name, marketing),
    check ((ended_at is null) = (ended_by is null))
);
create unique index ip_pool_member_now on ip_pool_member (tenant, class) where ended_at is null;
create index ip_pool_member_of on ip_pool_member (tenant, class, id);
grant select, insert, update (ended_at, ended_by, ended_because) on ip_pool_member to {{control}};
grant select on ip_pool_member to {{observe}};

alter table ses_resource drop constraint ses_resource_kind_check;
alter table ses_resource add constraint ses_resource_kind_check check (kind in
    ('ip-pool', 'configuration-set', 'event-destination', 'identity', 'tenant', 'policy', 'association', 'account'));

-- What is wrong with pools at present (control/pool_health.py): the alarms read it.
create table ip_pool_trouble (
    pool text not null references ip_pool,
    code text not null,
    provider smallint,                                      -- null: the whole pool
    sentence text not null,
    next text not null,
    since bigint not null default now_ms(),
    unique nulls not distinct (pool, code, provider)
);
grant select, insert, update, delete on ip_pool_trouble to {{control}};
grant select on ip_pool_trouble to {{observe}};

-- Mail that goes back from a pool to the shared addresses takes what is known of its domain along: they are warm, whoever sends.
alter table route_moved add domain_at bigint;               -- the last change of the domain; null: none is known
update route_moved set domain_at = at;
create or replace function keep_route_moved() returns trigger language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
begin
    insert into route_moved (lane, path, tenant, at, domain_at)
    values (new.lane, new.path, new.tenant, now_ms(), case when old.domain <> new.domain then now_ms() end)
    on conflict (lane, path) do update set at = excluded.at, domain_at = coalesce(excluded.domain_at, route_moved.domain_at);
    return null;
end $$;
