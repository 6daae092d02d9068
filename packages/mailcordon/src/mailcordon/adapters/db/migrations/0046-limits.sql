-- Limits that dispatchers obey (docs/limits.md, core/limit.py). Policy, warm-up and releases write them; each owner replaces its own.
create table send_limit (
    id int generated always as identity primary key,
    tenant int not null references tenant,
    owner text not null check (owner in ('policy', 'new-sender', 'warm-up', 'release', 'guard')),
    scope text not null check (scope in ('tenant', 'class', 'lane', 'key', 'campaign', 'list', 'provider', 'identity', 'recipient')),
    class smallint check (class in (0, 1, 2)),
    lane int,
    api_key int,
    campaign text,
    list text,
    provider smallint,
    domain text,
    per text not null check (per in ('minute', 'hour', 'day', 'ever')),
    cap bigint not null check (cap >= 0),
    mode text not null check (mode in ('observe', 'shadow', 'enforce')),
    spares_urgent boolean not null default true,
    refuses boolean not null default false,
    because text not null check (because <> ''),
    unique nulls not distinct (tenant, owner, scope, class, lane, api_key, campaign, list, provider, domain, per),
    foreign key (tenant, lane) references lane (tenant, id)
);
