-- Mail in our account that did not pass through us (docs/ungoverned.md). Times are milliseconds since 1970.

-- All that one caller sends from one identity of SES.
create table ungoverned (
    id bigint generated always as identity primary key,
    identity text not null,                                 -- a domain or an address, lower case; empty: not named
    caller text not null,                                   -- IAM user or role; empty: not named
    first_at bigint not null,                               -- when SES took the first mail
    last_at bigint not null,                                -- and the last
    since bigint not null,                                  -- the first after an hour without any
    seen_at bigint not null,                                -- when the last new mail was seen
    mails bigint not null default 0,
    recipients bigint not null default 0,
    bounces bigint not null default 0,
    complaints bigint not null default 0,
    kept int not null default 0,                            -- rows of ungoverned_mail
    facts jsonb not null default '{}',                      -- core.ungoverned.Fact: value -> mails
    unique (identity, caller)
);
create index ungoverned_seen on ungoverned (seen_at);

-- Volume by hour since 1970.
create table ungoverned_hour (
    sender bigint not null references ungoverned on delete cascade,
    hour int not null,
    mails bigint not null default 0,
    recipients bigint not null default 0,
    primary key (sender, hour)
);
create index ungoverned_hour_by_hour on ungoverned_hour (hour);

-- SES ids, so that each mail counts once: events and CloudTrail's records of it come together and more than once.
create table ungoverned_mail (
    ses_id text primary key,
    sender bigint not null references ungoverned on delete cascade,
    at bigint not null,
    bounced boolean not null default false,
    complained boolean not null default false
);
create index ungoverned_mail_at on ungoverned_mail (at);

-- What is expected for some time, such as a migration's old path.
create table ungoverned_expected (
    id bigint generated always as identity primary key,
    identity text not null,                                 -- `*`: what no net names
    caller text,                                            -- null: every caller
    since bigint not null,
    until bigint not null,
    because text not null,
    by text not null,
    ended_at bigint,                                        -- before its time, by a person
    ended_by text,
    check (until > since),
    check ((ended_at is null) = (ended_by is null))
);
create index ungoverned_expected_of on ungoverned_expected (until) where ended_at is null;

-- SES's own count of the last 24 hours (GetAccount) beside ours, a row a minute. What the newest row says was judged when the
-- next one came (control/send_count.py).
create table ses_count (
    cell text not null,
    at bigint not null,
    sent bigint not null,                                   -- SentLast24Hours: recipients
    ours bigint not null,                                   -- recipients that ever left our queues and may be at SES
    first_at bigint not null,                               -- of the readings that can be compared
    lowest bigint,                                          -- what SES counts from before them, at most; null: not known yet
    excess bigint not null default 0,                       -- what nothing that we know explains
    compared boolean not null default false,
    over_since bigint,                                      -- null: the excess is no larger than the error
    under_since bigint,
    grew_at bigint,                                         -- when it grew last
    grown_to bigint,
    judged_at bigint,
    primary key (cell, at)
);

grant select, insert, update on ungoverned, ungoverned_hour, ungoverned_mail to {{observe}};
grant select, insert, update, delete on ungoverned, ungoverned_hour, ungoverned_mail, ungoverned_expected, ses_count to {{control}};
grant select on ungoverned, ungoverned_hour, ungoverned_expected, ses_count to {{governor}};
