-- Suppressions that agree with SES's lists (docs/decisions/036-suppressions.md).

alter table suppression drop constraint suppression_cause_check,
    add constraint suppression_cause_check check (cause in (
        'hard-bounce', 'complaint', 'unsubscribe', 'manual', 'ses-global-list', 'ses-tenant-list', 'ses-account-list', 'ses-tenant-complaint',
        'ses-account-complaint', 'soft-bounces', 'imported', 'forgotten')),
    add column removal_waits text,                          -- why a requested removal is not done yet; null: it was not tried
    add column removal_next_at bigint;                      -- when it is tried again

-- What was reported about an address that suppressions with an end are computed from: complaints, what takes them back, and soft
-- bounces. Rows are only added, so the result does not depend on the order of arrival.
create table address_report (
    tenant int not null references tenant,
    hash bytea not null,                                    -- of the address
    key bytea not null,                                     -- of the event (core.event.Event.key)
    kind smallint not null check (kind in (0, 1, 2)),       -- 0 soft bounce, 1 complaint, 2 not spam (core.suppression.Reported)
    class smallint not null,                                -- of the lane whose mail it is about
    at bigint not null,                                     -- milliseconds since 1970
    cause text not null,                                    -- of the suppression that follows from it
    address text not null,
    evidence jsonb not null,
    primary key (tenant, hash, key)
);
create index address_report_by_time on address_report (at);

-- Until when evidence is void, because a person removed the suppression that followed from it.
create table suppression_removal (
    tenant int not null references tenant,
    hash bytea not null,
    scope smallint not null,
    target int not null,
    at bigint not null,
    primary key (tenant, hash, scope, target)
);

-- An address on one of SES's lists, in one spelling, as control read it last. SES keeps the letter case (ses.md 2.4), so one
-- mailbox may have several entries.
create table ses_entry (
    tenant int not null references tenant,                  -- for whom it was read
    hash bytea not null,
    list text not null,                                     -- the SES tenant whose list it is; '': the account's
    spelling text not null,
    found boolean,                                          -- null: not read yet
    reason text,                                            -- BOUNCE or COMPLAINT
    listed_at bigint,                                       -- LastUpdateTime
    message_id text,                                        -- of the mail that SES entered it for; null: a person or a tool did
    feedback_id text,
    read_at bigint,
    problem text,                                           -- why the last read failed
    wanted_since bigint,                                    -- null: no read is asked for
    next_try_at bigint,
    primary key (tenant, hash, list, spelling)
);
create index ses_entry_wanted on ses_entry (wanted_since) where wanted_since is not null;

grant select on address_report, suppression_removal, ses_entry to {{control}}, {{observe}};
grant insert, delete on address_report to {{observe}};
grant delete on address_report, suppression_removal to {{control}};
grant insert, update on suppression_removal to {{control}};
grant insert, update on ses_entry to {{observe}};
grant insert, update, delete on ses_entry to {{control}};
do $$
declare t text;
begin
    foreach t in array array['address_report', 'ses_entry'] loop
        execute format('grant select on %I to {{reader}}', t);
        execute format('alter table %I enable row level security', t);
        execute format('create policy own_tenant on %I for select to {{reader}} using (tenant = nullif(current_setting(''mailcordon.tenant'', true), '''')::int)', t);
        execute format('create policy planes on %I to {{control}}, {{observe}} using (true) with check (true)', t);
    end loop;
end $$;
