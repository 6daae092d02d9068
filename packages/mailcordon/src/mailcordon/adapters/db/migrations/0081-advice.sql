-- What advice about all tenants is made from, counted once an hour (docs/decisions/111-advice-by-the-hour.md): a page of the list reads
-- its own rows. Each count replaces the one before as a whole.

create table advice_tenant (
    place int primary key,                                  -- 1: the riskiest
    tenant int not null,
    sent bigint not null,                                   -- mails of the last 28 days that are over
    bad bigint not null,                                    -- of these: hard bounces, complaints and blocks
    managed bigint not null,                                -- of these: from managed pools
    ses_tenants int not null,
    sets int not null,                                      -- configuration sets of its own
    domains int not null,
    addresses double precision not null                     -- standard addresses, its part of each pool
);

-- The sums of all, and how many tenants use managed pools.
create table advice_fleet (
    is_one boolean primary key default true check (is_one),
    at bigint not null,                                     -- when it was counted: ms since 1970
    tenants int not null,
    payers int not null,
    sent bigint not null,
    bad bigint not null,
    managed bigint not null,
    ses_tenants bigint not null,
    sets bigint not null,
    domains bigint not null,
    addresses double precision not null
);

grant select, insert, delete on advice_tenant to {{control}};
grant select, insert, update on advice_fleet to {{control}};
