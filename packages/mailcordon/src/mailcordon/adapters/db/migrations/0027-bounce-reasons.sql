-- What follows from bounces that close no address (docs/decisions/034-bounce-reasons.md).

-- Addresses that SES put on a tenant's list for a bounce that is not about the address. SES would drop all mail to them from then
-- on, so control deletes these entries: exactly those that SES made for the mail named here.
create table ses_unlisting (
    tenant int not null references tenant,
    hash bytea not null,                                    -- of the address
    spelling text not null,                                 -- in which SES may have listed it
    ses_id text not null,                                   -- of the mail that bounced
    since bigint not null,                                  -- milliseconds since 1970 of the bounce
    due_at bigint,                                          -- null: done
    deleted_at bigint,                                      -- when the entry was deleted: hits on it may be reported long after
    tries smallint not null default 0,                      -- how often SES was asked and had no such entry yet
    problem text,                                           -- why the last try failed
    primary key (tenant, hash, spelling)
);
create index ses_unlisting_due on ses_unlisting (tenant, due_at);

grant select, insert, update on ses_unlisting to {{observe}};
grant select, update, delete on ses_unlisting to {{control}};
alter table ses_unlisting enable row level security;
create policy planes on ses_unlisting to {{control}}, {{observe}} using (true) with check (true);
