-- The account's suppression list taken apart (docs/suppressions.md, docs/decisions/072-suppression-split.md). Times are milliseconds
-- since 1970, of the database's clock.

-- One run from its start to its end by a person; at most one is open.
create table split (
    id int generated always as identity primary key,
    started_at bigint not null default now_ms(),
    started_by text not null,
    because text not null,
    owner text not null,                                    -- who decides on entries that are nobody's
    releases boolean not null,                              -- whether an entry leaves the account's list once it is assigned
    phase text not null default 'listing' check (phase in ('listing', 'reading', 'comparing', 'watching')),
    round int not null default 1,                           -- how often the account's list is listed, this time included
    list text not null default '',                          -- the list that is being listed: '' the account's, else an SES tenant's
    token text,                                             -- of its next page; null: the first
    listed_since bigint,                                    -- watching: entries up to then were listed
    next_at bigint,                                         -- not before this
    problem text,                                           -- why the last step failed
    calls bigint not null default 0,                        -- to SES so far
    pace real,                                              -- calls a second, as measured over the last minutes
    compared_at bigint,                                     -- when ours and SES's lists were last found to agree
    ended_at bigint,
    ended_by text,
    ended_because text,
    check ((ended_at is null) = (ended_by is null))
);
create unique index split_open on split ((true)) where ended_at is null;

-- An entry of the account's list, in the one spelling that SES has. It stays after the run: who owned it and why.
create table split_entry (
    spelling text collate "C" primary key,
    hash bytea,                                             -- of the address; null: the spelling is no address
    split int not null references split,                    -- that listed it last
    reason text not null check (reason in ('BOUNCE', 'COMPLAINT')),
    listed_at bigint not null,                              -- LastUpdateTime
    message_id text,                                        -- of the mail that SES entered it for; null: a person or a tool did
    feedback_id text,
    state text not null default 'listed' check (state in (
        'listed',                                           -- whose it is is not known yet
        'owned',                                            -- its tenant has a suppression; calls to SES remain
        'freeing',                                          -- a person decided that it covers nobody; the call to SES remains
        'assigned',                                         -- a tenant's, and it blocks nobody else
        'kept',                                             -- a tenant's, and still on the account's list
        'unowned',                                          -- on the platform's list until its owner decides
        'platform',                                         -- on the platform's list, decided by a person
        'freed',                                            -- covers nobody, decided by a person
        'gone',                                             -- not on the account's list any more when it was read
        'odd')),                                            -- no address: a person looks at it
    rank smallint not null default 2,                       -- 0: blocks a tenant now; 1: somebody mailed it; 2: the rest
    must_read boolean not null default true,                -- false: what SES says of it is known
    read_at bigint,
    tenant int references tenant,
    "by" text check ("by" in ('message', 'archive', 'history', 'person')),  -- what says whose it is
    evidence jsonb not null default '{}',
    decided_at bigint,
    done_at bigint,
    seen_round int not null default 0,                      -- the last listing of the account's list that had it
    problem text,
    tries int not null default 0,
    next_at bigint,
    check ((tenant is not null) = (state in ('owned', 'assigned', 'kept')))
) with (fillfactor = 80);
create index split_entry_to_read on split_entry (rank, listed_at desc) where state = 'listed';
create index split_entry_to_move on split_entry (rank, listed_at desc) where state in ('owned', 'freeing');
create index split_entry_hash on split_entry (hash);
create index split_entry_state on split_entry (state, spelling);
create index split_entry_tenant on split_entry (tenant, state) where tenant is not null;

-- What was put on a tenant's own list at SES, and is there as far as it was read.
create table split_stored (
    list text not null,                                     -- an SES tenant
    spelling text collate "C" not null references split_entry on update cascade on delete cascade,
    round int not null,                                     -- of the last look that saw it
    primary key (list, spelling)
);

-- The platform's list says where an entry came from, and who decides on it.
alter table platform_suppression add column provenance text not null default 'person' check (provenance in ('person', 'unowned')),
    add column owner text;

-- Who else is suppressed for an address, and by a hit on the account's list: looked up by the address alone.
create index suppression_by_hash on suppression (hash);
create index suppression_of_account_list on suppression (hash) where cause in ('ses-account-list', 'ses-account-complaint');

-- A tenant that is erased, and an address that is forgotten, are so here as well. The keyed hash stays, as with suppressions.
create function split_entry_erased() returns trigger language plpgsql security definer
set search_path = pg_catalog, mailcordon, pg_temp as $$
begin
    update split_entry set spelling = 'erased:' || encode(hash, 'hex') || ':' || left(md5(spelling), 8), evidence = '{}', problem = null
     where hash = new.hash and tenant = new.tenant and spelling like '%@%';
    return null;
end $$;
revoke execute on function split_entry_erased() from public;
create trigger split_entry_erased after update of address on suppression for each row
    when (new.address = 'erased' and old.address <> 'erased') execute function split_entry_erased();

alter table split enable row level security;
alter table split_entry enable row level security;
alter table split_stored enable row level security;
create policy planes on split to {{control}} using (true) with check (true);
create policy planes on split_entry to {{control}} using (true) with check (true);
create policy planes on split_stored to {{control}} using (true) with check (true);
grant select, insert, update on split to {{control}};
grant select, insert, update, delete on split_entry, split_stored to {{control}};

-- Whether a tenant has mail that does not pass through us: its entries stay on the account's list, which alone protects that mail.
create function past_us(of_tenant int) returns boolean language sql stable as $$
    select exists (select from tenant t where t.id = of_tenant and t.observed)
        or exists (select from lane l where l.tenant = of_tenant and l.observed and l.retired_at is null);
$$;

-- Whether a listing shows an entry that has to be read again: SES entered it anew, or it is back. Bounds of a second, since a list and a
-- single entry may show the time with another precision.
create function again(e split_entry, shown_at bigint) returns boolean language sql immutable as $$
    select e.state in ('assigned', 'freed', 'gone')
        or e.state in ('kept', 'unowned', 'platform', 'owned', 'freeing') and shown_at > e.listed_at + 1000;
$$;
revoke all on function past_us(int), again(split_entry, bigint) from public;
grant execute on function past_us(int), again(split_entry, bigint) to {{control}};
