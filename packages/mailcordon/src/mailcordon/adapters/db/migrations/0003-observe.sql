-- What observe stores besides the tables of 0001.

-- A delivery is counted under one provider and in one minute: that of the earliest call that SES reported. Stored, so that a
-- report of an earlier attempt can move the count (observe/metrics.py).
alter table outcome add column provider smallint not null, add column left_at bigint not null;

-- Events of another installation in the same AWS account: counted separately, as documents, since only it can recognise copies.
create table elsewhere (
    installation text not null,
    day date not null,
    kind smallint not null,                                 -- core.event.Kind
    documents bigint not null,
    primary key (installation, day, kind)
);

-- SES's notices that are about no mail: a tenant's status, an advisor's recommendation.
create table ses_notice (
    digest bytea primary key,
    what text not null,
    subject text,
    document text not null,
    copies int not null default 1,
    first_received_at timestamptz not null default now(),
    last_received_at timestamptz not null default now()
);

grant select, insert, update on elsewhere, ses_notice to {{observe}};
grant select on elsewhere, ses_notice to {{control}}, {{governor}};
-- A replay by hand is audited.
grant insert on audit to {{observe}};
-- A row whose counts have all moved to another minute (a report of an earlier attempt) is deleted.
grant delete on metric_minute to {{observe}};
