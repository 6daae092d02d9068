-- What SES itself finds wrong (ses.md 1.7), as ListRecommendations shows it. Alarms and the status read what is open.

create table ses_finding (
    id bigint generated always as identity primary key,
    arn text not null,                                      -- of SES's resource
    name text not null,                                     -- the same as people call it, e.g. the SES tenant
    tenant int references tenant,                           -- null: not a tenant of ours
    type text not null,                                     -- BOUNCE, COMPLAINT, FEEDBACK_3P, IP_LISTING; others may come
    impact text not null,                                   -- LOW or HIGH
    description text not null default '',                   -- SES's words
    since bigint not null,                                  -- milliseconds since 1970, by SES
    first_seen bigint not null,
    ended_at bigint
);
create unique index ses_finding_open on ses_finding (arn, type) where ended_at is null;
create index ses_finding_ended on ses_finding (ended_at) where ended_at is not null;
grant select on ses_finding to {{control}}, {{governor}};
grant insert, update, delete on ses_finding to {{control}};
