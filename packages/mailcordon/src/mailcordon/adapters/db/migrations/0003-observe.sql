-- What observe remembers beside the rows of 0001.

-- A delivery is counted under one provider and in one minute: that of the earliest call SES spoke of. Kept, so that a report
-- of an earlier attempt can move what was counted (observe/metrics.py).
alter table outcome add column provider smallint not null, add column left_at bigint not null;

-- Events of another installation in the same AWS account: counted apart, as documents, since only it can tell copies.
create table elsewhere (
    installation text not null,
    day date not null,
    kind smallint not null,                                 -- core.event.Kind
    documents bigint not null,
    primary key (installation, day, kind)
);

-- What SES says of no mail: a tenant's status, an advisor's recommendation. Kept for whoever can read it.
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
-- A replay by hand is somebody's act.
grant insert on audit to {{observe}};
-- Where all that was counted moved away (a report of an earlier attempt), no row of zeros stays behind.
grant delete on metric_minute to {{observe}};
