-- Whose a domain is, and how that was shown (docs/identities.md, "Claims").

-- A domain that a tenant lost, gave up or did not prove is freed: the row stays for its old mail, and the name is free.
alter table identity
    drop constraint identity_domain_key,
    add column freed_at timestamptz,
    add column freed_because text,
    add constraint identity_of_tenant unique (tenant, domain),
    add constraint identity_freed check (
        (freed_at is null) = (freed_because is null) and (freed_at is null or retiring_at is not null));
create unique index identity_domain on identity (domain) where freed_at is null;
create index identity_by_domain on identity (domain);  -- for mail of before

create table domain_claim (
    id bigint generated always as identity primary key,
    domain text not null check (domain = lower(domain)),
    tenant int not null references tenant,
    holds boolean not null,                                 -- false: another tenant has the domain, and this one contends for it
    token text not null,                                    -- published as `mailcordon-claim=TOKEN` at `_mailcordon.DOMAIN`
    claimed_at timestamptz not null default now(),
    claimed_by text not null,
    contended_at timestamptz,                               -- of a holder: another tenant contends since then, so it must show its token
    looked_at timestamptz,                                  -- when the DNS was asked for the token
    looked text,                                            -- what it said, in words
    next_look_at timestamptz not null default now(),
    proved_at timestamptz,
    proof text check (proof in ('ses', 'txt', 'parent', 'operator')),
    ended_at timestamptz,
    ended_because text,
    check ((proved_at is null) = (proof is null) and (ended_at is null) = (ended_because is null))
);
create unique index domain_claim_of_tenant on domain_claim (tenant, domain) where ended_at is null;
create unique index domain_claim_holder on domain_claim (domain) where holds and ended_at is null;
create index domain_claim_open on domain_claim (claimed_at) where ended_at is null and proved_at is null;
create index domain_claim_contender on domain_claim (next_look_at) where ended_at is null and not holds;

insert into domain_claim (domain, tenant, holds, token, claimed_at, claimed_by, proved_at, proof)
select domain, tenant, true, encode(sha256(gen_random_uuid()::text::bytea), 'hex'), now(), 'migration',
       case when status = 'verified' then coalesce(checked_at, now()) end, case when status = 'verified' then 'ses' end
from identity;

-- A domain of the platform: tenants may send from names below it, and none may claim the domain itself or one above it.
create table shared_parent (
    domain text primary key check (domain = lower(domain)),
    since timestamptz not null default now(),
    by text not null,
    because text not null
);

grant select, insert, update on domain_claim to {{control}};
grant select, insert, delete on shared_parent to {{control}};
grant select on domain_claim, shared_parent to {{governor}}, {{reader}};
alter table domain_claim enable row level security;
create policy own_tenant on domain_claim for select to {{reader}}
    using (tenant = nullif(current_setting('mailcordon.tenant', true), '')::int);
create policy planes on domain_claim to {{control}}, {{governor}} using (true) with check (true);
